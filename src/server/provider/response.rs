//! What a token response gave.
//!
//! Whatever arrives, this reads what it can: an odd expiry or a strange scope never costs a token.
//! Only a missing access token makes a response useless.

use secrecy::SecretString;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::{
    Account, Grant, Registration,
    expiry::{self, Expiry},
    jwt,
};
use crate::domain::provider::{AccountSource, IdentityOrigin, RefreshLifetime, Response};

/// Longer ones are cut.
const ACCOUNT_LIMIT: usize = 255;

/// What a response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A consent, client credentials or an import: the grant's life begins.
    Beginning,
    /// A refresh: it goes on.
    Refresh,
}

/// A body as data: JSON, or a form, as servers older than RFC 6749 send it.
pub(super) fn body(bytes: &[u8], content_type: Option<&str>) -> Option<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match serde_json::from_slice(bytes) {
        Ok(value) => return Some(value),
        // A name in another charset must not cost the tokens beside it.
        Err(_) if std::str::from_utf8(bytes).is_err() => {
            return serde_json::from_str(&String::from_utf8_lossy(bytes)).ok();
        }
        Err(_) => {}
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let kind = content_type.unwrap_or_default().to_ascii_lowercase();
    let may_be_form = kind.is_empty()
        || kind.starts_with("application/x-www-form-urlencoded")
        || kind.starts_with("text/plain");
    if !may_be_form || !text.contains('=') || text.starts_with(['{', '[', '<', '"']) {
        return None;
    }
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    Some(Value::Object(pairs.map(|(name, value)| (name.into(), value.into())).collect()))
}

/// The first of `pointers` that leads to a string with something in it.
pub(super) fn text<'v>(value: &'v Value, pointers: &[String]) -> Option<&'v str> {
    pointers
        .iter()
        .filter_map(|pointer| value.pointer(pointer)?.as_str())
        .find(|text| !text.is_empty())
}

/// Reads a token response. `expected` says what its id token must hold; one that does not gives no
/// account, and the reason is returned beside the grant. None: there is no access token.
pub(super) fn grant(
    registration: &Registration<'_>,
    value: &Value,
    origin: Origin,
    sent_at: OffsetDateTime,
    expected: &jwt::Expected<'_>,
) -> Option<(Grant, Result<(), &'static str>)> {
    let profile = registration.profile;
    let dialect = &profile.response;
    let access = text(value, &dialect.access_token)?;
    let refresh = text(value, &dialect.refresh_token);
    let id_token = text(value, &dialect.id_token);
    let tokens = Tokens([Some(access), refresh, id_token]);

    let access_claims = jwt::claims(access);
    let lifetime = |seconds: Option<u64>| {
        sent_at.checked_add(Duration::seconds(i64::try_from(seconds?).ok()?))
    };
    let access_expires_at = match expiry::read(value, &dialect.expiry, sent_at) {
        Expiry::At(at) => Some(at),
        Expiry::Silent | Expiry::Zero => access_claims
            .as_ref()
            .and_then(jwt::expiry)
            .or_else(|| lifetime(profile.lifetimes.access_seconds)),
    };
    let begins =
        origin == Origin::Beginning || profile.lifetimes.refresh_kind == RefreshLifetime::Sliding;
    let refresh_expires_at = match expiry::read(value, &dialect.refresh_expiry, sent_at) {
        Expiry::At(at) => Some(at),
        Expiry::Zero => None,
        Expiry::Silent => refresh
            .and_then(jwt::claims)
            .as_ref()
            .and_then(jwt::expiry)
            .or_else(|| lifetime(profile.lifetimes.refresh_seconds.filter(|_| begins))),
    };

    let (id_claims, verdict) = match id_token.map(jwt::claims) {
        None => (None, Ok(())),
        Some(None) => (None, Err("the id token is no JWT")),
        Some(Some(claims)) => match jwt::check_id_token(&claims, expected) {
            Ok(()) => (Some(claims), Ok(())),
            Err(why) => (None, Err(why)),
        },
    };
    let seen = Seen {
        response: Some(value),
        id_token: id_claims.as_ref(),
        access_token: access_claims.as_ref(),
        userinfo: None,
        tokens,
    };
    let extras = dialect
        .extras
        .iter()
        .filter_map(|extra| Some((extra, value.pointer(&extra.pointer)?)))
        .filter(|(extra, value)| !value.is_null() && (extra.encrypted || !tokens.are_within(value)))
        .map(|(extra, value)| (extra.name.clone(), value.clone()))
        .collect();
    let token_type = text(value, &dialect.token_type).filter(|text| !tokens.are_in(text));
    let grant = Grant {
        access_token: SecretString::from(access),
        refresh_token: refresh.map(SecretString::from),
        id_token: id_token.map(SecretString::from),
        token_type: storable(token_type.unwrap_or("Bearer")),
        scopes: scopes(value, dialect, tokens)
            .map(|scopes| scopes.iter().map(|scope| storable(scope)).collect()),
        access_expires_at,
        refresh_expires_at,
        account: seen.account(registration),
        extras,
        obtained_at: sent_at,
    };
    Some((grant, verdict))
}

/// Text without control characters: a NUL that PostgreSQL refuses must not cost the token beside it.
fn storable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The tokens of one answer. What is one of them is a secret wherever else in the answer it stands,
/// and goes into nothing that is kept in the clear.
#[derive(Clone, Copy, Default)]
pub(super) struct Tokens<'a>(pub [Option<&'a str>; 3]);

/// A token as long as this is known within other text too; a shorter one might be part of a word.
const KNOWN_WITHIN: usize = 16;

impl Tokens<'_> {
    fn are_in(&self, text: &str) -> bool {
        self.0.iter().flatten().any(|token| {
            text.trim() == token.trim() || (token.len() >= KNOWN_WITHIN && text.contains(*token))
        })
    }

    fn are_within(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.are_in(text),
            Value::Array(several) => several.iter().any(|each| self.are_within(each)),
            Value::Object(fields) => {
                fields.iter().any(|(name, each)| self.are_in(name) || self.are_within(each))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

fn scopes(value: &Value, dialect: &Response, tokens: Tokens<'_>) -> Option<Vec<String>> {
    let separator = dialect.scope_separator.as_deref().filter(|text| !text.is_empty());
    let found = dialect.scope.iter().filter_map(|pointer| value.pointer(pointer));
    found.filter(|found| !tokens.are_within(found)).find_map(|found| match found {
        Value::String(text) => Some(
            text.split_whitespace()
                .flat_map(|part| part.split(separator.unwrap_or(" ")))
                .filter(|scope| !scope.is_empty())
                .map(Into::into)
                .collect(),
        ),
        Value::Array(several) => {
            Some(several.iter().filter_map(|scope| Some(scope.as_str()?.into())).collect())
        }
        _ => None,
    })
}

/// All that may say whose account it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen<'a> {
    pub response: Option<&'a Value>,
    pub id_token: Option<&'a Value>,
    pub access_token: Option<&'a Value>,
    pub userinfo: Option<&'a Value>,
    /// What no name of an account may be.
    pub tokens: Tokens<'a>,
}

impl Seen<'_> {
    /// Whose account it is. A profile that names no source means the id token's subject.
    pub fn account(&self, registration: &Registration<'_>) -> Option<Account> {
        let identity = &registration.profile.response.account;
        let claim = |names: &[&str]| {
            let claims = self.id_token?;
            names.iter().find_map(|name| self.plain(claims.get(*name)?))
        };
        let id = match identity.id.as_slice() {
            [] => claim(&["sub"]),
            sources => self.first(registration, sources),
        }?;
        let label = match identity.label.as_slice() {
            [] => claim(&["email", "preferred_username", "name"]),
            sources => self.first(registration, sources),
        };
        Some(Account { id, label })
    }

    pub fn label(&self, registration: &Registration<'_>) -> Option<String> {
        self.first(registration, &registration.profile.response.account.label)
    }

    fn first(&self, registration: &Registration<'_>, sources: &[AccountSource]) -> Option<String> {
        sources.iter().find_map(|source| {
            let from = match source.from {
                IdentityOrigin::Response => self.response,
                IdentityOrigin::IdToken => self.id_token,
                IdentityOrigin::AccessToken => self.access_token,
                IdentityOrigin::Userinfo => self.userinfo,
                IdentityOrigin::Variable => {
                    let name = source.pointer.trim_start_matches('/');
                    let variable = registration.profile.variable(name)?;
                    return variable.value(registration.variables).map(Into::into);
                }
            };
            self.plain(from?.pointer(&source.pointer)?)
        })
    }

    /// A string or a number, as text.
    fn plain(&self, value: &Value) -> Option<String> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        // Before it is cut: a part of a token gives away enough.
        if self.tokens.are_in(&text) {
            return None;
        }
        let text: String = text.chars().filter(|c| !c.is_control()).take(ACCOUNT_LIMIT).collect();
        (!text.is_empty()).then_some(text)
    }
}
