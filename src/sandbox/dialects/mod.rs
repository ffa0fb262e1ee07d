//! The ways in which a token endpoint can be spoken to.
//!
//! A dialect turns a request into a [`Call`] and an outcome into an answer; what lies between is
//! the same for all. Each module says which document it follows, and what is ours because the
//! document is silent.

mod apiax;
mod cronofy;
mod eventix;
mod partner;
mod standard;
mod wetix;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    accounts::Account,
    clients::{Client, ClientAuth, ExpiryForm},
    tokens::Facts,
    wire::{OAuthError, Params, Raw, decode_credential},
};

/// A separate server under a path of its own: its clients and tokens mean nothing elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Realm {
    Standard,
    Eventix,
    Wetix,
    Apiax,
    Cronofy,
    Partner,
}

impl Realm {
    pub const ALL: [Self; 6] =
        [Self::Standard, Self::Eventix, Self::Wetix, Self::Apiax, Self::Cronofy, Self::Partner];

    pub fn dialect(self) -> &'static dyn Dialect {
        match self {
            Self::Standard => &standard::Standard,
            Self::Eventix => &eventix::Eventix,
            Self::Wetix => &wetix::Wetix,
            Self::Apiax => &apiax::Apiax,
            Self::Cronofy => &cronofy::Cronofy,
            Self::Partner => &partner::Partner,
        }
    }
}

/// Which of a realm's addresses a token request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Token,
    /// An address for refreshing only.
    Refresh,
}

/// Where a realm listens.
#[derive(Clone, Copy, Debug)]
pub struct Paths {
    pub prefix: &'static str,
    pub authorize: &'static [&'static str],
    pub token: &'static str,
    pub refresh: Option<&'static str>,
    pub userinfo: &'static str,
    pub revoke: Option<&'static str>,
}

/// Who a request says it is from.
pub struct Caller {
    pub client_id: String,
    pub proof: Proof,
}

/// How it proves that.
pub enum Proof {
    Nothing,
    Basic { user: String, password: String },
    Post(String),
}

/// A token request, whatever it looked like on the wire.
pub struct Call {
    pub caller: Caller,
    /// What is wrong with the grant is told only to a client that has proven itself.
    pub grant: Result<Grant, OAuthError>,
}

pub enum Grant {
    Code { code: String, redirect_uri: Option<String>, verifier: Option<String> },
    Refresh { token: String, scope: Option<String> },
    ClientCredentials { scope: Option<String> },
    Device { code: String },
    Exchange(Exchange),
    Password { user: String, password: String, scope: Option<String> },
}

/// A token to be exchanged (RFC 8693 section 2.1).
pub struct Exchange {
    pub token: String,
    pub audience: Option<String>,
    pub resource: Option<String>,
    pub scope: Option<String>,
}

impl Exchange {
    /// The one kind of token that is taken and given here.
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

    fn read(params: &Params) -> Result<Self, OAuthError> {
        let text = |name: &str| params.get(name).map(str::to_owned);
        let token = params.need("subject_token")?.to_owned();
        let kind = params.need("subject_token_type")?;
        if kind != Self::ACCESS_TOKEN {
            let text = format!("subject_token_type {kind} is not taken here");
            return Err(OAuthError::invalid_request(text));
        }
        if params.get("requested_token_type").is_some_and(|kind| kind != Self::ACCESS_TOKEN) {
            return Err(OAuthError::invalid_request("only access tokens are given here"));
        }
        params.forbid(&["actor_token", "actor_token_type"], "nobody acts for another here")?;
        let (audience, resource) = (text("audience"), text("resource"));
        Ok(Self { token, audience, resource, scope: text("scope") })
    }
}

impl Grant {
    /// By RFC names, from a body that holds the parameters.
    fn read(params: &Params) -> Result<Self, OAuthError> {
        let text = |name: &str| params.get(name).map(str::to_owned);
        let need = |name: &str| params.need(name).map(str::to_owned);
        use super::clients as c;
        match params.need("grant_type")? {
            c::AUTHORIZATION_CODE => Ok(Self::Code {
                code: need("code")?,
                redirect_uri: text("redirect_uri"),
                verifier: text("code_verifier"),
            }),
            c::REFRESH_TOKEN => {
                Ok(Self::Refresh { token: need("refresh_token")?, scope: text("scope") })
            }
            c::CLIENT_CREDENTIALS => Ok(Self::ClientCredentials { scope: text("scope") }),
            c::DEVICE_CODE => Ok(Self::Device { code: need("device_code")? }),
            c::TOKEN_EXCHANGE => Exchange::read(params).map(Self::Exchange),
            c::PASSWORD => Ok(Self::Password {
                user: need("username")?,
                password: need("password")?,
                scope: text("scope"),
            }),
            other => Err(OAuthError::new(
                "unsupported_grant_type",
                format!("grant_type {other} is not known here"),
            )),
        }
    }

    pub fn name(&self) -> &'static str {
        use super::clients as c;
        match self {
            Self::Code { .. } => c::AUTHORIZATION_CODE,
            Self::Refresh { .. } => c::REFRESH_TOKEN,
            Self::ClientCredentials { .. } => c::CLIENT_CREDENTIALS,
            Self::Device { .. } => c::DEVICE_CODE,
            Self::Exchange(_) => c::TOKEN_EXCHANGE,
            Self::Password { .. } => c::PASSWORD,
        }
    }
}

/// What a token request led to.
pub struct Issued<'a> {
    pub client: &'a Client,
    pub account: Option<&'static Account>,
    pub grant: &'static str,
    pub at: OffsetDateTime,
    /// When the server started.
    pub since: OffsetDateTime,
    pub access_token: String,
    pub access_expires_at: OffsetDateTime,
    pub refresh_token: Option<String>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// The refresh token differs from the one presented.
    pub refresh_is_new: bool,
    pub scope: Vec<String>,
    pub session: uuid::Uuid,
    pub id_token: Option<String>,
}

impl Issued<'_> {
    /// `expires_in` in the client's form; `None` where the response is silent.
    fn expires_in(&self) -> Option<Value> {
        let left = (self.access_expires_at - self.at).whole_seconds();
        let at = self.access_expires_at;
        match self.client.expiry_form {
            ExpiryForm::Seconds => Some(left.into()),
            ExpiryForm::SecondsText => Some(left.to_string().into()),
            ExpiryForm::EpochSeconds => Some(at.unix_timestamp().into()),
            ExpiryForm::EpochMillis => Some(millis(at).into()),
            ExpiryForm::Rfc3339 => at.format(&Rfc3339).ok().map(Value::from),
            ExpiryForm::Absent => None,
        }
    }

    fn refresh_expires_in(&self) -> Option<i64> {
        Some((self.refresh_expires_at? - self.at).whole_seconds())
    }

    /// The fields that all dialects but one share, in the usual order.
    fn body(&self, token_type: &str) -> serde_json::Map<String, Value> {
        let mut body = serde_json::Map::new();
        body.insert("access_token".into(), json!(self.access_token));
        body.insert("token_type".into(), json!(token_type));
        if let Some(expires_in) = self.expires_in() {
            body.insert("expires_in".into(), expires_in);
        }
        if let Some(token) = &self.refresh_token {
            body.insert("refresh_token".into(), json!(token));
            if let (Some(field), Some(left)) =
                (self.client.refresh_expiry_field, self.refresh_expires_in())
            {
                body.insert(field.into(), json!(left));
            }
        }
        body
    }
}

/// Milliseconds since 1970, as Java counts.
fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// One way of speaking.
pub trait Dialect: Send + Sync {
    fn paths(&self) -> Paths;

    /// Turns the standard rules for a new client into this realm's.
    fn defaults(&self, client: &mut Client);

    /// The client that is there from the start.
    fn seeded(&self) -> Client;

    /// Reads a token request, or says what is wrong with it.
    fn read(&self, raw: &Raw, endpoint: Endpoint) -> Result<Call, OAuthError>;

    /// Reads who calls an endpoint other than the token endpoint.
    fn caller(&self, raw: &Raw) -> Result<(Caller, Params), OAuthError> {
        let params = raw.form()?;
        Ok((caller(raw, &params)?, params))
    }

    /// What the JWTs of this realm say.
    fn claims(&self, facts: &Facts<'_>, jti: &str) -> Value {
        facts.claims(jti)
    }

    /// The body of a successful token response.
    fn answer(&self, issued: &Issued<'_>) -> Value;

    /// An error in the realm's form.
    fn refuse(&self, error: OAuthError) -> Response {
        error.into_standard()
    }
}

/// The caller by RFC 6749 section 2.3: Basic or body, never both.
fn caller(raw: &Raw, params: &Params) -> Result<Caller, OAuthError> {
    let id = params.get("client_id");
    let secret = params.get("client_secret");
    if params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some() {
        return Err(OAuthError::invalid_client("client assertions are not taken here"));
    }
    match (raw.basic()?, id, secret) {
        (Some(_), _, Some(_)) => {
            Err(OAuthError::invalid_request("the client authenticates in two ways at once"))
        }
        (Some((user, password)), id, None) => {
            let decoded = decode_credential(&user).unwrap_or_else(|| user.clone());
            if id.is_some_and(|id| id != decoded && id != user) {
                return Err(OAuthError::invalid_request("two different client ids"));
            }
            let client_id = id.map_or(decoded, str::to_owned);
            Ok(Caller { client_id, proof: Proof::Basic { user, password } })
        }
        (None, Some(id), Some(secret)) => {
            Ok(Caller { client_id: id.to_owned(), proof: Proof::Post(secret.to_owned()) })
        }
        (None, Some(id), None) => Ok(Caller { client_id: id.to_owned(), proof: Proof::Nothing }),
        (None, None, _) => Err(OAuthError::invalid_client("no client authentication")),
    }
}

/// Whether `client` is who it says, in the way it is registered for.
pub fn authenticate(client: Option<&Client>, caller: &Caller) -> Result<(), OAuthError> {
    let by_header = matches!(caller.proof, Proof::Basic { .. });
    let refuse = |text: &str, challenge: bool| {
        let error = OAuthError::invalid_client(text);
        Err(if challenge { error.challenged() } else { error })
    };
    let Some(client) = client else { return refuse("unknown client", by_header) };
    let by_id = |given: Option<String>, secret: Option<String>| {
        given.as_deref() == Some(client.id.as_str())
            && secret.is_some_and(|secret| client.secret_is(&secret))
    };
    let proven = match (client.auth, &caller.proof) {
        (ClientAuth::Basic, Proof::Basic { user, password }) => {
            by_id(decode_credential(user), decode_credential(password))
        }
        (ClientAuth::BasicRaw, Proof::Basic { user, password }) => {
            by_id(Some(user.clone()), Some(password.clone()))
        }
        (ClientAuth::Post, Proof::Post(secret)) => client.secret_is(secret),
        (ClientAuth::None, Proof::Nothing) => true,
        (ClientAuth::Basic | ClientAuth::BasicRaw, _) => {
            return refuse("this client must authenticate with client_secret_basic", true);
        }
        (ClientAuth::Post, _) => {
            return refuse("this client must authenticate with client_secret_post", by_header);
        }
        (ClientAuth::None, _) => {
            return refuse("this client is public and has no secret", by_header);
        }
    };
    if proven { Ok(()) } else { refuse("wrong client id or secret", by_header) }
}
