//! A connection's whole life in each of the five dialects that no RFC describes, between the preset
//! as it is shipped and a server that takes nothing but what the provider's document says.
//!
//! What the server refuses is proven beside it; here it is whether our requests pass, what we read
//! out of its answers, and what we make of its refusals.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::{
        access::Role,
        client,
        connection::{Reason, State},
        provider::{AuthenticationMethod, Encoding, Parameter, Place, Profile},
        refusal::ErrorClass,
    },
    sandbox::Realm,
    server::{
        app::{self, client::NewClient},
        provider::{Catalog, DEADLINE, Grant, Http, Refusal, Registration, guard, token},
    },
    tests::support::World,
};

/// What the document says of one provider.
struct Dialect {
    preset: &'static str,
    realm: Realm,
    client: &'static str,
    secret: Option<&'static str>,
    /// Variables whose values are addresses at the server.
    addresses: &'static [(&'static str, &'static str)],
    variables: &'static [(&'static str, &'static str)],
    /// Where it listens, below the address it has here instead of its own.
    token: Option<&'static str>,
    refresh: Option<&'static str>,
    access: Duration,
    refresh_life: Life,
    /// Which of the refreshes that follow each other bring a new refresh token.
    rotates: &'static [bool],
    /// A used token ends the grant; else it is refused and that is all.
    reuse_kills: bool,
    /// What is said of a refresh token that is not good.
    refusal: Option<&'static str>,
}

/// What is wrong, how it is put into the profile; then the status, the code and the class that follow.
type Slip = (&'static str, fn(&mut Profile), u16, Option<&'static str>, ErrorClass);

/// How long a refresh token lives, by what the responses say.
#[derive(Clone, Copy)]
enum Life {
    NotSaid,
    FromConsent(Duration),
    FromRefresh(Duration),
}

const EVENTIX: Dialect = Dialect {
    preset: "eventix",
    realm: Realm::Eventix,
    client: "eventix-demo",
    secret: Some("eventix-demo-secret"),
    addresses: &[("authorization_url", "/eventix/authorize")],
    variables: &[],
    token: Some("/eventix/tokens"),
    refresh: None,
    access: Duration::days(3),
    refresh_life: Life::FromRefresh(Duration::seconds(365 * 86_400 - 1)),
    rotates: &[true, true],
    reuse_kills: true,
    refusal: Some("the refresh token has been used"),
};

const WETIX: Dialect = Dialect {
    preset: "wetix",
    realm: Realm::Wetix,
    client: "1612417576451877743",
    secret: Some("wetix-demo-secret"),
    addresses: &[("authorization_url", "/wetix/authorize"), ("token_url", "/wetix/auth/token")],
    variables: &[],
    token: None,
    refresh: Some("/wetix/auth/refresh"),
    access: Duration::days(60),
    refresh_life: Life::FromConsent(Duration::days(365)),
    rotates: &[false, false],
    reuse_kills: false,
    refusal: Some("unknown refresh token"),
};

const APIAX: Dialect = Dialect {
    preset: "apiax",
    realm: Realm::Apiax,
    client: "integration-api",
    secret: None,
    addresses: &[("authorization_url", "/apiax/auth/realms/apiax/protocol/openid-connect/auth")],
    variables: &[],
    token: Some("/apiax/auth/realms/apiax/protocol/openid-connect/token"),
    refresh: None,
    access: Duration::minutes(30),
    refresh_life: Life::FromRefresh(Duration::days(14)),
    rotates: &[true, true],
    reuse_kills: true,
    refusal: Some("the refresh token has been used"),
};

const CRONOFY: Dialect = Dialect {
    preset: "cronofy",
    realm: Realm::Cronofy,
    client: "cronofy-demo",
    secret: Some("cronofy-demo-secret"),
    addresses: &[("authorization_url", "/cronofy/oauth/authorize")],
    variables: &[("data_center", "api-de.cronofy.com")],
    token: Some("/cronofy/oauth/token"),
    refresh: None,
    access: Duration::hours(1),
    refresh_life: Life::NotSaid,
    rotates: &[false, false, true],
    reuse_kills: false,
    refusal: None,
};

/// Nothing of it but the base URL, which is a variable, is other than the preset has it.
const PARTNER: Dialect = Dialect {
    preset: "partner-api",
    realm: Realm::Partner,
    client: "1001",
    secret: None,
    addresses: &[("base_url", "/partner")],
    variables: &[("partner_id", "1001")],
    token: None,
    refresh: None,
    access: Duration::hours(24),
    refresh_life: Life::NotSaid,
    rotates: &[false, true],
    reuse_kills: false,
    refusal: Some("Refresh token has expired or is invalid."),
};

impl Dialect {
    /// The preset, at the sandbox.
    fn profile(&self, world: &World) -> Profile {
        let catalog = Catalog::load(None).expect("presets");
        let mut profile = catalog.find(self.preset).expect("the preset").clone();
        profile.slug = format!("{}-here", self.preset);
        let at = |path: &str| format!("{}{path}", world.sandbox.url());
        for (endpoint, path) in [
            (&mut profile.endpoints.token, self.token),
            (&mut profile.endpoints.refresh, self.refresh),
        ] {
            if let Some(path) = path {
                *endpoint = Some(at(path));
            }
        }
        profile
    }

    fn values(&self, world: &World) -> BTreeMap<String, String> {
        let addresses = self.addresses.iter();
        let addresses =
            addresses.map(|(name, path)| (*name, format!("{}{path}", world.sandbox.url())));
        let others = self.variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        addresses.chain(others).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The provider and its client, with us; the sandbox has them from the start.
    async fn client(&self, world: &World) -> Uuid {
        let profile = self.profile(world);
        let new = NewClient {
            provider: profile.slug.clone(),
            name: profile.name.clone(),
            oauth_client_id: self.client.into(),
            client_secret: self.secret.map(Into::into),
            scopes: Vec::new(),
            variables: self.values(world),
        };
        app::provider::create(&world.app, &world.admin, profile).await.expect("a provider");
        app::client::create(&world.app, &world.admin, new).await.expect("a client").id
    }

    fn given(&self, world: &World, account: &str) -> serde_json::Value {
        world.sandbox.grant(self.realm, self.client, account, None).expect("a token response")
    }

    async fn import(&self, world: &World, client: Uuid, account: &str) -> Uuid {
        let response = self.given(world, account).to_string();
        world.import_text(client, response).await.expect("an import").id
    }

    /// One refresh request by `profile`, past connections and their states.
    async fn ask(
        &self,
        world: &World,
        profile: &Profile,
        refresh_token: &str,
    ) -> Result<Grant, Refusal> {
        let policy = guard::Policy { allow_private_networks: true, deadline: DEADLINE };
        let http = Http::new(policy, world.clock.clone(), world.rng.clone()).expect("a client");
        let secret = self.secret.map(SecretString::from);
        let registration = Registration {
            profile,
            variables: &self.values(world),
            client_id: self.client,
            client_secret: secret.as_ref(),
            scopes: &[],
            redirect_uri: "http://127.0.0.1:3000/oauth/callback",
        };
        token::refresh(&http, &registration, &refresh_token.into()).await
    }

    /// Both expiries are what the document says, as of a token set obtained now.
    async fn expires_as_documented(&self, world: &World, id: Uuid, since: OffsetDateTime) {
        let connection = world.connection(id).await;
        let name = self.preset;
        let expected = Some(world.now() + self.access);
        assert!(agree(connection.access_expires_at, expected), "{name}: {connection:?}");
        let expected = match self.refresh_life {
            Life::NotSaid => None,
            Life::FromConsent(life) => Some(since + life),
            Life::FromRefresh(life) => Some(world.now() + life),
        };
        assert!(agree(connection.refresh_expires_at, expected), "{name}: {connection:?}");
    }

    /// Refreshes by the worker, each at its time; the newest token is the one that is sent.
    async fn lives_on(&self, world: &World, id: Uuid, since: OffsetDateTime) {
        let name = self.preset;
        let begun = world.generation(id).await;
        let seen = world.refreshes().len();
        for (nth, rotates) in self.rotates.iter().enumerate() {
            world.until_due(id).await;
            assert_eq!(world.tick().await, 1, "{name}: refresh {nth}");
            let connection = world.connection(id).await;
            let reached = (connection.state, connection.generation);
            assert_eq!(reached, (State::Active, begun + 1 + nth as i64), "{name}: refresh {nth}");
            let request = world.refreshes().pop().expect("a request");
            assert_eq!((request.realm, request.status), (self.realm, 200), "{name}");
            let new = request.refresh_out.is_some() && request.refresh_out != request.refresh_in;
            assert_eq!(new, *rotates, "{name}: refresh {nth}");
            self.expires_as_documented(world, id, since).await;
        }
        let requests = world.refreshes().split_off(seen);
        for pair in requests.windows(2) {
            let current = pair[0].refresh_out.as_ref().or(pair[0].refresh_in.as_ref());
            assert_eq!(pair[1].refresh_in.as_ref(), current, "{name}: rotation is followed");
            assert!(!pair[0].overlaps(&pair[1]));
        }
        let sent: Vec<_> =
            requests.iter().map(|request| (&request.refresh_in, request.t0)).collect();
        assert_eq!(sent.len(), self.rotates.len(), "{name}: none was sent but these");
    }

    /// A token that was replaced is refused in the provider's own words, which we know to be a
    /// refusal of the grant.
    async fn spent_tokens_are_refused(&self, world: &World) {
        let name = self.preset;
        let profile = self.profile(world);
        let first = self.given(world, "bob")["refresh_token"].as_str().expect("text").to_owned();
        let mut newest = first.clone();
        for rotates in self.rotates {
            let grant = self.ask(world, &profile, &newest).await.expect("a grant");
            let token = grant.refresh_token.map(|token| token.expose_secret().to_owned());
            assert_eq!(token.as_ref().is_some_and(|token| *token != newest), *rotates, "{name}");
            newest = token.unwrap_or(newest);
        }
        let spent = if newest == first { "no token of theirs" } else { &first };
        let refusal = self.ask(world, &profile, spent).await.expect_err("a refusal");
        assert_eq!(refusal.class, ErrorClass::GrantRefused, "{name}: {refusal:?}");
        assert_eq!((refusal.status, refusal.code.as_deref()), (Some(400), Some("invalid_grant")));
        assert_eq!(refusal.description.as_deref(), self.refusal, "{name}");
        let after = self.ask(world, &profile, &newest).await;
        assert_eq!(after.is_err(), self.reuse_kills, "{name}");
    }

    /// The owner withdraws consent: only a person can help, and we say why.
    async fn dies(&self, world: &World, id: Uuid) {
        let name = self.preset;
        world.sandbox.revoke_account("alice");
        world.until_due(id).await;
        assert_eq!(world.tick().await, 1, "{name}");
        assert_eq!(world.reason(id).await, Some(Reason::Revoked), "{name}");
        let said = world.connection(id).await.last_error.expect("the provider's words");
        assert_eq!(said.class, ErrorClass::GrantRefused, "{name}");
        assert_eq!(said.code.as_deref(), Some("invalid_grant"), "{name}");
        // It is not asked again.
        world.pass(Duration::days(1));
        assert_eq!(world.tick().await, 0, "{name}");
    }

    /// A refresh token whose time is over is not taken for a withdrawn consent.
    async fn expires(&self, world: &World, client: Uuid) {
        let life = match self.refresh_life {
            Life::NotSaid => return,
            Life::FromConsent(life) | Life::FromRefresh(life) => life,
        };
        let id = self.import(world, client, "carol").await;
        world.pass(life + Duration::seconds(2));
        world.tick().await;
        let reason = world.reason(id).await;
        assert_eq!(reason, Some(Reason::RefreshTokenExpired), "{}", self.preset);
    }

    /// From consent to consent.
    async fn by_consent(&self, pool: PgPool) {
        let world = World::new(pool).await;
        let client = self.client(&world).await;
        let mut browser = world.sign_in(Role::Admin).await;
        let since = world.now();
        let id = world.connect(&mut browser, client, "alice").await;
        self.expires_as_documented(&world, id, since).await;
        self.lives_on(&world, id, since).await;
        self.spent_tokens_are_refused(&world).await;
        self.dies(&world, id).await;

        let lived = world.generation(id).await;
        // A year may have gone by.
        let mut browser = world.browser();
        let page = browser.sign_in(Role::Admin.as_str(), crate::tests::support::PASSWORD).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let begun = browser.call("connection/reauthorize", &[("id", &id.to_string())]).await;
        let landed = world.consent(&mut browser, begun.location(), "alice").await;
        assert_eq!(landed, format!("/connections/{id}?connected=1"));
        let connection = world.connection(id).await;
        assert_eq!((connection.state, connection.generation), (State::Active, lived + 1));
        self.lives_on(&world, id, world.now()).await;
        app::connection::disconnect(&world.app, &world.admin, id, false).await.expect("the end");
        self.expires(&world, client).await;
    }

    /// Each slip leads to a refusal that condemns no grant, and spends no token.
    async fn takes_nothing_else(&self, pool: PgPool, slips: &[Slip]) {
        let world = World::new(pool).await;
        let right = self.profile(&world);
        let given = self.given(&world, "alice");
        let token = given["refresh_token"].as_str().expect("text");
        for (name, slip, status, code, class) in slips {
            let mut wrong = right.clone();
            slip(&mut wrong);
            let refusal = self.ask(&world, &wrong, token).await.expect_err(name);
            assert_eq!((refusal.status, refusal.code.as_deref()), (Some(*status), *code), "{name}");
            assert_eq!(refusal.class, *class, "{name}: {refusal:?}");
            assert!(refusal.sent, "{name}");
        }
        self.ask(&world, &right, token).await.expect("the token is as good as it was");
    }
}

/// Whether two ends are the same to the second: not every form knows fractions.
fn agree(read: Option<OffsetDateTime>, said: Option<OffsetDateTime>) -> bool {
    match (read, said) {
        (Some(read), Some(said)) => (read - said).abs() <= Duration::SECOND,
        (read, said) => read == said,
    }
}

fn moved(place: Place) -> Parameter {
    Parameter { place, ..Parameter::default() }
}

fn invalid_request(name: &'static str, slip: fn(&mut Profile)) -> Slip {
    (name, slip, 400, Some("invalid_request"), ErrorClass::RequestRefused)
}

fn invalid_client(name: &'static str, slip: fn(&mut Profile), status: u16) -> Slip {
    (name, slip, status, Some("invalid_client"), ErrorClass::ClientRefused)
}

#[sqlx::test]
async fn eventix_from_consent_to_consent(pool: PgPool) {
    EVENTIX.by_consent(pool).await;
}

#[sqlx::test]
async fn wetix_from_consent_to_consent(pool: PgPool) {
    WETIX.by_consent(pool).await;
}

#[sqlx::test]
async fn apiax_from_consent_to_consent(pool: PgPool) {
    APIAX.by_consent(pool).await;
}

#[sqlx::test]
async fn cronofy_from_consent_to_consent(pool: PgPool) {
    CRONOFY.by_consent(pool).await;
}

/// How its first tokens come the document does not say: they are handed in.
#[sqlx::test]
async fn partner_from_import_to_import(pool: PgPool) {
    let world = World::new(pool).await;
    let client = PARTNER.client(&world).await;
    let since = world.now();
    let id = PARTNER.import(&world, client, "alice").await;
    PARTNER.expires_as_documented(&world, id, since).await;
    PARTNER.lives_on(&world, id, since).await;
    PARTNER.spent_tokens_are_refused(&world).await;
    PARTNER.dies(&world, id).await;
    let again = PARTNER.import(&world, client, "alice").await;
    app::connection::delete(&world.app, &world.admin, id, false).await.expect("the dead one goes");
    PARTNER.lives_on(&world, again, world.now()).await;
}

/// Each says before the first consent whether it takes the client: a wrong secret, or where there is none a
/// wrong id. The partner API has neither: its partner id stands apart from both.
#[sqlx::test]
async fn credentials_are_checked_before_anything_is_connected(pool: PgPool) {
    use crate::domain::check::{Doubt, Finding};
    let world = World::new(pool).await;
    for dialect in [EVENTIX, WETIX, APIAX, CRONOFY, PARTNER] {
        let name = dialect.preset;
        let client = dialect.client(&world).await;
        let check = async || {
            let found = app::client::check::run(&world.app, &world.admin, client).await;
            found.expect("a finding")
        };
        let right = check().await;
        if name == PARTNER.preset {
            assert_eq!(right.doubt, Some(Doubt::Indifferent), "{name}: {right:?}");
            continue;
        }
        assert_eq!(right.finding, Finding::Accepted, "{name}: {right:?}");
        assert_eq!(right.with_secret, dialect.secret.is_some(), "{name}");
        match dialect.secret {
            Some(_) => {
                world.sandbox.replace_secret(dialect.realm, dialect.client, "another secret");
            }
            None => {
                let id = Some("nobody".to_owned());
                let patch = client::ClientPatch { oauth_client_id: id, ..Default::default() };
                app::client::update(&world.app, &world.admin, client, patch, None).await.unwrap();
            }
        }
        let wrong = check().await;
        assert_eq!(wrong.finding, Finding::Refused, "{name}: {wrong:?}");
        assert_eq!(wrong.said.unwrap().code.as_deref(), Some("invalid_client"), "{name}");
    }
}

/// `invalid_client`: mend the secret. `invalid_grant`: ask the owner. Its new secret needs both.
#[sqlx::test]
async fn cronofy_tells_a_refused_client_from_a_dead_grant(pool: PgPool) {
    let world = World::new(pool).await;
    let client = CRONOFY.client(&world).await;
    let id = CRONOFY.import(&world, client, "alice").await;
    world.sandbox.replace_secret(Realm::Cronofy, CRONOFY.client, "the new secret");
    world.until_due(id).await;
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.client_now(client).await.state, client::StateName::CredentialsRejected);
    assert_eq!(world.state(id).await, State::Active);
    let secret = Some("the new secret".into());
    app::client::replace_secret(&world.app, &world.admin, client, secret).await.expect("mended");
    world.pass(Duration::minutes(2));
    assert_eq!(world.tick().await, 1);
    assert_eq!(world.client_now(client).await.state, client::StateName::Ready);
    assert_eq!(world.reason(id).await, Some(Reason::Revoked));
}

#[sqlx::test]
async fn eventix_takes_nothing_else(pool: PgPool) {
    let slips = [
        invalid_request("a form", |p| p.request.encoding = Encoding::Form),
        invalid_request("multipart", |p| p.request.encoding = Encoding::Multipart),
        invalid_request("another type", |p| {
            p.request.headers.insert("Content-Type".into(), "text/plain".into());
        }),
        invalid_request("in the address", |p| {
            p.request.parameters.insert("grant_type".into(), moved(Place::Query));
        }),
        invalid_request("without the token", |p| {
            p.request.parameters.insert("refresh_token".into(), moved(Place::Omit));
        }),
        invalid_client(
            "Basic",
            |p| p.request.authentication.method = AuthenticationMethod::Basic,
            401,
        ),
        invalid_client(
            "no secret",
            |p| p.request.authentication.method = AuthenticationMethod::None,
            401,
        ),
    ];
    EVENTIX.takes_nothing_else(pool, &slips).await;
}

#[sqlx::test]
async fn wetix_takes_nothing_else(pool: PgPool) {
    let slips = [
        invalid_request("a form", |p| p.request.encoding = Encoding::Form),
        invalid_request("the secret in the body", |p| {
            p.request.authentication.method = AuthenticationMethod::Post;
        }),
        invalid_request("no grant type", |p| {
            p.request.parameters.insert("grant_type".into(), moved(Place::Omit));
        }),
        (
            "at the token endpoint",
            |p| p.endpoints.refresh = None,
            400,
            Some("unsupported_grant_type"),
            ErrorClass::RequestRefused,
        ),
    ];
    WETIX.takes_nothing_else(pool, &slips).await;
}

#[sqlx::test]
async fn apiax_takes_nothing_else(pool: PgPool) {
    let slips: [Slip; 3] = [
        // Plain text, no code: nobody is condemned by it.
        ("JSON", |p| p.request.encoding = Encoding::Json, 415, None, ErrorClass::RequestRefused),
        invalid_request("in the address", |p| {
            p.request.parameters.insert("refresh_token".into(), moved(Place::Query));
        }),
        invalid_client(
            "no client",
            |p| {
                p.request.parameters.insert("client_id".into(), moved(Place::Omit));
            },
            401,
        ),
    ];
    APIAX.takes_nothing_else(pool, &slips).await;
}

#[sqlx::test]
async fn cronofy_takes_nothing_else(pool: PgPool) {
    let slips = [
        invalid_request("multipart", |p| {
            p.request.encoding = Encoding::Multipart;
            p.request.headers.clear();
        }),
        invalid_request("another type", |p| {
            p.request.headers.insert("Content-Type".into(), "text/plain".into());
        }),
        // 400, as all its errors.
        invalid_client(
            "Basic",
            |p| p.request.authentication.method = AuthenticationMethod::Basic,
            400,
        ),
    ];
    CRONOFY.takes_nothing_else(pool, &slips).await;
}

#[sqlx::test]
async fn partner_takes_nothing_else(pool: PgPool) {
    let slips = [
        invalid_request("no partnerId", |p| p.request.headers.clear()),
        invalid_request("grantType in the body", |p| {
            p.request.parameters.insert("grant_type".into(), moved(Place::Body));
        }),
        invalid_request("snake case", |p| drop(p.request.parameters.remove("refresh_token"))),
        invalid_request("the token in a header", |p| {
            let token = p.request.parameters.entry("refresh_token".into()).or_default();
            token.place = Place::Header;
        }),
        invalid_request("a form", |p| p.request.encoding = Encoding::Form),
        invalid_client(
            "another partner",
            |p| {
                p.request.headers.insert("partnerId".into(), "1002".into());
            },
            401,
        ),
    ];
    PARTNER.takes_nothing_else(pool, &slips).await;
}
