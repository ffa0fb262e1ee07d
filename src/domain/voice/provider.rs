//! What the words of a profile mean.

use serde::de::{DeserializeOwned, IntoDeserializer, value::Error};

use crate::domain::{
    provider::{
        AuthenticationMethod, Encoding, ExpiryForm, FilledBy, GrantType, IdentityOrigin, Pkce,
        Place, RefreshLifetime, Renewal, RevokedBy, Rotation, TokenPlace, WithoutExpiry,
    },
    refusal::ErrorClass,
};

/// What `value` means as a choice of the type `of`; nothing where it says so itself.
pub fn choice(of: &str, value: &str) -> Option<&'static str> {
    match of {
        "AuthenticationMethod" => read(value).map(authentication),
        "ErrorClass" => read(value).map(class),
        "ExpiryForm" => read(value).map(expiry),
        "FilledBy" => read(value).map(filled_by),
        "GrantType" => read(value).map(beginning),
        "IdentityOrigin" => read(value).map(origin),
        "Place" => read(value).map(place),
        "RefreshLifetime" => read(value).map(refresh_lifetime),
        "Renewal" => read(value).map(renewal),
        "RevokedBy" => read(value).map(revoked_by),
        "Rotation" => read(value).map(rotation),
        "TokenPlace" => read(value).map(token_place),
        "WithoutExpiry" => read(value).map(without_expiry),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(value: &str) -> Option<T> {
    T::deserialize(IntoDeserializer::<Error>::into_deserializer(value)).ok()
}

/// How a connection begins.
pub fn beginning(grant: GrantType) -> &'static str {
    match grant {
        GrantType::AuthorizationCode => "consent by a person",
        GrantType::ClientCredentials => "the client's own access",
        GrantType::DeviceCode => "a code typed on another device",
        GrantType::TokenExchange => "exchange of another token",
    }
}

/// How one begins with a provider that offers no grant.
pub const IMPORT_ONLY: &str = "an import of tokens from elsewhere, and nothing else";

/// How a connection is kept alive.
pub fn renewal(renewal: Renewal) -> &'static str {
    match renewal {
        Renewal::RefreshToken => "with a refresh token",
        Renewal::ClientCredentials => "by asking with the client's own credentials",
        Renewal::None => "not at all: a person is needed each time",
    }
}

/// How a client proves who it is.
pub fn authentication(method: AuthenticationMethod) -> &'static str {
    match method {
        AuthenticationMethod::Basic => "name and secret in the header",
        AuthenticationMethod::BasicRaw => "name and secret in the header, not encoded",
        AuthenticationMethod::Post => "name and secret in the body",
        AuthenticationMethod::None => "name only; there is no secret",
        AuthenticationMethod::PrivateKeyJwt => "an assertion signed with a private key",
        AuthenticationMethod::ClientSecretJwt => "an assertion signed with the secret",
        AuthenticationMethod::Headers => "headers of its own",
    }
}

/// How requests are written.
pub fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Form => "form",
        Encoding::Json => "JSON",
        Encoding::Multipart => "multipart",
    }
}

/// Whether there is a code challenge.
pub fn pkce(pkce: Pkce) -> &'static str {
    match pkce {
        Pkce::S256 => "yes (S256)",
        Pkce::Plain => "plain",
        Pkce::Off => "no",
    }
}

/// When a new refresh token comes.
pub fn rotation(rotation: Rotation) -> &'static str {
    match rotation {
        Rotation::Always => "at every refresh; the old one stops working",
        Rotation::Sometimes => "at times",
        Rotation::Never => "never",
    }
}

/// What is done about an access token that came without an expiry.
pub fn without_expiry(what: WithoutExpiry) -> &'static str {
    match what {
        WithoutExpiry::Refresh => "is refreshed every hour, if a refresh token came with it",
        WithoutExpiry::Leave => "is refreshed only by “Refresh now” or a call for it",
        WithoutExpiry::Endless => "has no end",
    }
}

/// From when a refresh token's lifetime counts.
pub fn refresh_lifetime(kind: RefreshLifetime) -> &'static str {
    match kind {
        RefreshLifetime::Sliding => "from each refresh",
        RefreshLifetime::Fixed => "from the consent",
    }
}

fn revoked_by(tokens: RevokedBy) -> &'static str {
    match tokens {
        RevokedBy::Both => "the refresh token, then the access token",
        RevokedBy::RefreshToken => "the refresh token",
        RevokedBy::AccessToken => "the access token",
    }
}

fn filled_by(whose: FilledBy) -> &'static str {
    match whose {
        FilledBy::Client => "once for each client",
        FilledBy::Connection => "for each connection anew",
    }
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Body => "in the body",
        Place::Header => "as a header",
        Place::Query => "in the address",
        Place::Omit => "nowhere: it is not sent",
    }
}

fn token_place(place: TokenPlace) -> &'static str {
    match place {
        TokenPlace::Header => "in a header",
        TokenPlace::Query => "in the address",
    }
}

fn expiry(form: ExpiryForm) -> &'static str {
    match form {
        ExpiryForm::Auto => "told by its size",
        ExpiryForm::Seconds => "seconds from now",
        ExpiryForm::EpochSeconds => "seconds since 1970",
        ExpiryForm::EpochMillis => "milliseconds since 1970",
        ExpiryForm::Date => "a date",
        ExpiryForm::Jwt => "the exp of the JWT there",
    }
}

fn origin(origin: IdentityOrigin) -> &'static str {
    match origin {
        IdentityOrigin::IdToken => "a claim of the id token",
        IdentityOrigin::AccessToken => "a claim of the access token",
        IdentityOrigin::Response => "the token response",
        IdentityOrigin::Userinfo => "the answer of the userinfo endpoint",
        IdentityOrigin::Variable => "a variable, by its name",
    }
}

fn class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::GrantRefused => "the grant is dead, a person is needed",
        ErrorClass::ClientRefused => "the client's name or secret is wrong",
        ErrorClass::ScopeRefused => "other scopes are wanted",
        ErrorClass::RequestRefused => "the request is not understood",
        ErrorClass::RateLimited => "too many requests",
        ErrorClass::Transient => "a fault that passes",
        ErrorClass::AnswerLost => "nobody knows whether it was done",
    }
}

/// What to know before the profile of a provider is changed that clients use.
pub fn profile_in_use(clients: i64, holders: &[String], secret_ends_grants: bool) -> Vec<String> {
    let used = match clients {
        0 => return Vec::new(),
        1 => "1 client uses this profile from its next request on.".to_owned(),
        many => format!("{many} clients use this profile from their next request on."),
    };
    let held = (!holders.is_empty()).then(|| {
        format!(
            "Where secrets are sent and how (endpoints, variables, requests, issuer, userinfo), and \
             what is read as what in an answer, can't change while clients hold secrets or tokens: {}. Copy the provider for that.",
            holders.join(", ")
        )
    });
    let ended = secret_ends_grants.then(|| {
        "A new client secret ends every connection of its client here; whoever replaces one is \
         warned."
            .to_owned()
    });
    [Some(used), held, ended].into_iter().flatten().collect()
}

/// What stands above the providers that a demo made up.
pub const SAMPLE_PROVIDERS: &str = "Made up for this demo: its own sandbox answers for each of them. No real \
                                    account is behind them, whatever they are called.";

/// What whoever registers a client with such a provider should know.
pub const SAMPLE_PROVIDER: &str =
    "Made up for this demo. Its sandbox answers, and no real account is behind it.";

/// That a provider was discovered; `again`: there is one of this issuer, whoever made it.
pub fn discovered(name: &str, again: bool) -> String {
    match again {
        true => format!(
            "{name} is at this address and among your providers already. It is used as it is here, and \
             nothing was added."
        ),
        false => format!("{name} is kept among your providers from now on."),
    }
}
