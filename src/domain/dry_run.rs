//! What a client would send, and how an answer would be read, without sending anything: for when a
//! provider's document is vague.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::refusal::ErrorClass;

/// Requests as they would go out, and the reading of a sample answer, if one was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DryRun {
    pub requests: Vec<DryRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
}

/// One request. What changes from call to call, and every secret, is a word in capitals:
/// `REFRESH-TOKEN`, `CLIENT-SECRET`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DryRequest {
    /// `authorize`, `exchange`, `device_authorization`, `device_token`, `token_exchange`,
    /// `client_credentials`, `refresh`, `userinfo`, `introspect` or `revoke`.
    pub call: String,
    pub method: String,
    pub url: String,
    pub headers: Vec<DryHeader>,
    pub body: String,
    /// Why the request can't be made; all but `call` is empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DryHeader {
    pub name: String,
    pub value: String,
}

/// A token endpoint's answer, to be read.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// `None`: 200.
    pub status: Option<u16>,
    /// `None`: JSON.
    pub content_type: Option<String>,
    pub body: String,
    pub answers: Answered,
}

/// What a sample answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Answered {
    /// A code that was redeemed.
    #[default]
    Exchange,
    Refresh,
    ClientCredentials,
}

impl Answered {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Refresh => "refresh",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

/// What Regrant reads out of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Reading {
    Grant(Box<GrantReading>),
    Refusal(RefusalReading),
}

/// What was read last on a page, and of what: all but the sample itself, for that may hold tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastReading {
    pub reading: Reading,
    pub status: String,
    pub content_type: String,
    pub answers: Answered,
}

/// A token set. Times count from now, as if the request had just been sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct GrantReading {
    /// Its beginning and its length.
    pub access_token: String,
    /// The same; after a refresh, none means that the one we had goes on.
    pub refresh_token: Option<String>,
    pub token_type: String,
    /// None: what was asked for is what was granted.
    pub scopes: Option<Vec<String>>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub access_expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// When it would be refreshed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub needs_human_by: Option<OffsetDateTime>,
    /// None: the answer does not say whose account it is. A provider may be asked besides.
    pub account_id: Option<String>,
    pub account_label: Option<String>,
    /// Why the id token would be refused after a consent.
    pub id_token_problem: Option<String>,
    /// Where the answer says when a token ends, in a way that can't be read (JSON pointers).
    pub unreadable_expiries: Vec<String>,
    /// Where the answer holds what looks like a token or its end, and the profile does not look (JSON
    /// pointers).
    pub unread_fields: Vec<String>,
    /// What is kept besides; values that are sealed for good are left out.
    pub extras: BTreeMap<String, serde_json::Value>,
}

/// A refusal, and what Regrant would make of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RefusalReading {
    pub class: ErrorClass,
    pub code: Option<String>,
    pub description: Option<String>,
    /// What the body is, where it is not what a token endpoint sends: a page for people, JSON that is cut
    /// off.
    pub body_problem: Option<String>,
    /// Where the answer holds what looks like a token or its end, and the profile does not look (JSON
    /// pointers).
    pub unread_fields: Vec<String>,
}
