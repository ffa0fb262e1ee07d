# An authorization server that is not ours: django-oauth-toolkit, whose grace window for a refresh token
# that was used already is a setting.
#
# Environment: PORT (on 127.0.0.1), REDIRECT_URI, STATE (a folder for its database), GRACE in seconds,
# PLANTED: a file that gets each token it gave, for the canary.
# POST /__ctl/revoke/USER ends all grants of a user, as its owner could there.
import json
import os
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

PORT = int(os.environ["PORT"])
STATE = Path(os.environ["STATE"])
STATE.mkdir(parents=True, exist_ok=True)
BASE = f"http://127.0.0.1:{PORT}"
USER, PASSWORD = "alice", "alice types this"
KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    LOGIN_URL="/login/",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                ]
            },
        }
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": STATE / "db.sqlite3",
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    OAUTH2_PROVIDER={
        "SCOPES": {"openid": "openid", "read": "read", "write": "write"},
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": KEY.decode(),
        "OIDC_ISS_ENDPOINT": f"{BASE}/o",
        "PKCE_REQUIRED": True,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": int(os.environ["GRACE"]),
        "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
        "REFRESH_TOKEN_EXPIRE_SECONDS": 86400,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http"],
        "OAUTH_DEVICE_VERIFICATION_URI": f"{BASE}/o/device/",
        "DEVICE_FLOW_INTERVAL": 1,
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.middleware.csrf import get_token  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402
from oauth2_provider.models import Application, RefreshToken  # noqa: E402
from oauth2_provider.signals import app_authorized  # noqa: E402


class Login(LoginView):
    def render_to_response(self, context, **kwargs):
        return HttpResponse(
            f'<form method="post" action="{self.request.get_full_path()}">'
            f'<input type="hidden" name="csrfmiddlewaretoken" value="{get_token(self.request)}">'
            '<input name="username"><input name="password" type="password"><button>In</button></form>'
        )


@csrf_exempt
def revoke(request, user):
    living = RefreshToken.objects.filter(user__username=user, revoked__isnull=True)
    count = len([token.revoke() for token in living])
    return JsonResponse({"revoked": count})


def plant(sender, request, token, **kwargs):
    given = {"access_token": token.token, "refresh_token": None}
    refresh = getattr(token, "refresh_token", None)
    given["refresh_token"] = refresh and refresh.token
    with open(os.environ["PLANTED"], "a") as planted:
        for what, value in given.items():
            if value:
                line = {"rule": "secret", "what": f"the provider's {what}", "value": value}
                planted.write(json.dumps(line) + "\n")


app_authorized.connect(plant)
urlpatterns = [
    path("ready", lambda request: HttpResponse("ready")),
    path("login/", Login.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("__ctl/revoke/<user>", revoke),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


call_command("migrate", verbosity=0)
alice = User.objects.create_user(USER, password=PASSWORD)
for client_id, secret, grant, kind in [
    ("django client", "dj@ngo +%:/?&= secret-0123456789", Application.GRANT_AUTHORIZATION_CODE, "confidential"),
    ("django-device", "", Application.GRANT_DEVICE_CODE, "public"),
]:
    Application.objects.create(
        client_id=client_id,
        client_secret=secret,
        name=client_id,
        user=alice,
        client_type=kind,
        authorization_grant_type=grant,
        redirect_uris=os.environ["REDIRECT_URI"],
        algorithm="RS256",
    )
make_server(
    "127.0.0.1", PORT, get_wsgi_application(), server_class=Server, handler_class=Quiet
).serve_forever()
