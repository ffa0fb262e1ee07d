//! Who may ask, and by which rules.
//!
//! Servers differ per registration, so every rule that a test may want to turn is a field of the
//! client: how it authenticates, how long things live, when a refresh token rotates.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use time::Duration;
use url::{Host, Url};

use super::dialects::Realm;

/// How a client proves itself at the token endpoint. Any other way is `invalid_client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`: id and secret form-urlencoded, then Base64 (RFC 6749 section 2.3.1).
    Basic,
    /// Basic over the bare `id:secret`, as many servers want it against the RFC.
    BasicRaw,
    /// `client_secret_post`: both in the body.
    Post,
    /// A public client: no secret, and one that is sent is refused.
    None,
}

/// When a refresh token is given with a code or device grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issue {
    Always,
    /// Only with the scope `offline_access` (OpenID Connect Core section 11).
    OfflineAccess,
    Never,
}

/// When a refresh token is replaced by a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Always,
    /// At every n-th refresh of the family.
    Every(u32),
    Never,
}

/// What happens when a rotated token comes again after its grace window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReuse {
    /// The whole family dies (RFC 9700 section 4.14.2).
    RevokeFamily,
    /// The request is refused and nothing else happens.
    Refuse,
}

/// The rules for one client's refresh tokens.
#[derive(Clone, Debug)]
pub struct RefreshPolicy {
    pub issue: Issue,
    pub rotation: Rotation,
    pub on_reuse: OnReuse,
    /// How long the token that was just rotated still gives its successor.
    pub grace: Duration,
    /// How long a refresh token lives; `None`: for ever.
    pub lifetime: Option<Duration>,
    /// A rotated token's life begins anew, instead of ending where the first one's would.
    pub sliding: bool,
    /// How long a refresh token may lie unused.
    pub idle: Option<Duration>,
}

/// How the response tells when the access token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryForm {
    Seconds,
    SecondsText,
    EpochSeconds,
    EpochMillis,
    Rfc3339,
    Absent,
}

/// What the tokens look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// Random text of this length.
    Opaque,
    /// Exactly 32 letters and digits.
    Text32,
    /// Both tokens are JWTs.
    Jwt,
    /// Only the access token is a JWT.
    JwtAccess,
}

/// A redirect URI as registered.
#[derive(Clone, Debug)]
pub enum RedirectUri {
    /// Equal to the letter (RFC 9700 section 2.1).
    Exact(String),
    /// Loopback with any port (RFC 8252 section 7.3), the rest equal.
    AnyLoopbackPort(String),
    /// Any http(s) address whose path ends so: for a demo whose port nobody knows beforehand.
    PathEndsWith(String),
}

impl RedirectUri {
    fn matches(&self, given: &str) -> bool {
        match self {
            Self::Exact(registered) => registered == given,
            Self::AnyLoopbackPort(registered) => {
                let (Ok(mut registered), Ok(given)) = (Url::parse(registered), Url::parse(given))
                else {
                    return false;
                };
                is_loopback(&given)
                    && registered.set_port(given.port()).is_ok()
                    && registered == given
            }
            Self::PathEndsWith(end) => Url::parse(given).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.path().ends_with(end.as_str())
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none()
            }),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// At most so many token requests in so long; more get 429 with `Retry-After`.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    pub requests: usize,
    pub per: Duration,
}

/// One registration. Begin with [`Client::confidential`], [`Client::public`] or
/// [`Client::of`], and change the fields that matter.
#[derive(Clone, Debug)]
pub struct Client {
    pub realm: Realm,
    pub id: String,
    pub name: String,
    pub secret: Option<SecretString>,
    pub auth: ClientAuth,
    pub redirect_uris: Vec<RedirectUri>,
    /// `grant_type` values it may use.
    pub grants: Vec<&'static str>,
    pub scopes: Vec<String>,
    /// Refuses an authorization request without an S256 challenge.
    pub pkce_required: bool,
    pub access_ttl: Duration,
    pub expiry_form: ExpiryForm,
    /// The name of the response field that counts the refresh token's seconds, if any.
    pub refresh_expiry_field: Option<&'static str>,
    pub token_form: TokenForm,
    pub refresh: RefreshPolicy,
    /// A refresh token that begins so and was never seen here was given before the server began; it
    /// is taken as any other, once.
    pub inherits: Option<&'static str>,
    pub rate_limit: Option<RateLimit>,
    /// Replacing the secret kills every grant of this client.
    pub new_secret_revokes: bool,
}

pub const AUTHORIZATION_CODE: &str = "authorization_code";
pub const REFRESH_TOKEN: &str = "refresh_token";
pub const CLIENT_CREDENTIALS: &str = "client_credentials";
pub const PASSWORD: &str = "password";
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

impl Client {
    /// A client of the standard realm that authenticates with `client_secret_basic`.
    pub fn confidential(id: &str, secret: &str) -> Self {
        Self::of(Realm::Standard, id, Some(secret))
    }

    /// A client of the standard realm without a secret.
    pub fn public(id: &str) -> Self {
        let mut client = Self::of(Realm::Standard, id, None);
        client.auth = ClientAuth::None;
        client.grants.retain(|grant| ![CLIENT_CREDENTIALS, TOKEN_EXCHANGE].contains(grant));
        client
    }

    /// A client of any realm, with the rules that realm's document gives.
    pub fn of(realm: Realm, id: &str, secret: Option<&str>) -> Self {
        let mut client = Self {
            realm,
            id: id.to_owned(),
            name: id.to_owned(),
            secret: secret.map(SecretString::from),
            auth: ClientAuth::Basic,
            redirect_uris: vec![RedirectUri::PathEndsWith("/oauth/callback".to_owned())],
            grants: vec![
                AUTHORIZATION_CODE,
                REFRESH_TOKEN,
                CLIENT_CREDENTIALS,
                DEVICE_CODE,
                TOKEN_EXCHANGE,
            ],
            scopes: ["openid", "profile", "email", "offline_access", "api:read", "api:write"]
                .map(str::to_owned)
                .to_vec(),
            pkce_required: true,
            access_ttl: Duration::minutes(10),
            expiry_form: ExpiryForm::Seconds,
            refresh_expiry_field: Some("refresh_token_expires_in"),
            token_form: TokenForm::Opaque,
            refresh: RefreshPolicy {
                issue: Issue::Always,
                rotation: Rotation::Always,
                on_reuse: OnReuse::RevokeFamily,
                grace: Duration::ZERO,
                lifetime: Some(Duration::days(30)),
                sliding: true,
                idle: None,
            },
            inherits: None,
            rate_limit: None,
            new_secret_revokes: false,
        };
        realm.dialect().defaults(&mut client);
        client
    }

    pub(super) fn accepts_redirect(&self, given: &str) -> bool {
        self.redirect_uris.iter().any(|registered| registered.matches(given))
    }

    pub(super) fn may_use(&self, grant: &str) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether `given` is the secret. Digests are compared, so that time tells nothing.
    pub(super) fn secret_is(&self, given: &str) -> bool {
        self.secret
            .as_ref()
            .is_some_and(|secret| Sha256::digest(secret.expose_secret()) == Sha256::digest(given))
    }
}

/// The clients that every sandbox starts with, one or more in each realm.
pub(super) fn seeded() -> Vec<Client> {
    let mut post = Client::confidential("demo-post", "demo-secret");
    post.auth = ClientAuth::Post;
    let mut clients = vec![post, Client::public("demo-public")];
    clients.extend(Realm::ALL.into_iter().map(|realm| realm.dialect().seeded()));
    clients
}
