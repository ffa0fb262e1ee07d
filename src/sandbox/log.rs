//! What the server saw: one record a token request, without a token in it.

use std::sync::{Mutex, PoisonError};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    dialects::Realm,
    faults::Fault,
    grants::fingerprint,
    wire::{Params, Raw, decode_credential},
};

/// Only the newest so many requests are kept.
const KEPT: usize = 200_000;

/// One request to a token endpoint, as the server saw it.
///
/// `t0` and `t1` are ticks of one counter, so that overlap shows even under a clock that stands
/// still: two requests overlapped if each began before the other ended.
#[derive(Clone, Debug, Serialize)]
pub struct TokenRequest {
    pub id: u64,
    pub t0: u64,
    /// None while the request is in flight.
    pub t1: Option<u64>,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub realm: Realm,
    pub client: Option<String>,
    pub grant: Option<String>,
    /// Fingerprint of the refresh token that was presented.
    #[serde(rename = "rt_in")]
    pub refresh_in: Option<String>,
    /// Fingerprint of the refresh token that was issued, even if the answer was lost.
    #[serde(rename = "rt_out")]
    pub refresh_out: Option<String>,
    /// 0 if the connection was closed before the request was processed.
    pub status: u16,
    pub error: Option<String>,
    pub fault: Option<Fault>,
}

impl TokenRequest {
    /// Whether two requests were in flight at the same time.
    pub fn overlaps(&self, other: &Self) -> bool {
        let began_before_end = |a: &Self, b: &Self| b.t1.is_none_or(|end| a.t0 < end);
        began_before_end(self, other) && began_before_end(other, self)
    }
}

#[derive(Default)]
pub struct Log(Mutex<Records>);

#[derive(Default)]
struct Records {
    ticks: u64,
    requests: std::collections::VecDeque<TokenRequest>,
    next_id: u64,
}

impl Log {
    fn records(&self) -> std::sync::MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self, realm: Realm, glance: &Glance, at: OffsetDateTime) -> u64 {
        let mut records = self.records();
        records.ticks += 1;
        records.next_id += 1;
        let (id, t0) = (records.next_id, records.ticks);
        if records.requests.len() == KEPT {
            records.requests.pop_front();
        }
        records.requests.push_back(TokenRequest {
            id,
            t0,
            t1: None,
            at,
            realm,
            client: glance.client.clone(),
            grant: glance.grant.clone(),
            refresh_in: glance.refresh_token.as_deref().map(fingerprint),
            refresh_out: None,
            status: 0,
            error: None,
            fault: None,
        });
        id
    }

    /// Records the outcome, which may come before the end.
    pub fn outcome(&self, id: u64, fault: Option<Fault>, status: u16, body: &Value) {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        self.change(id, |request| {
            request.fault = fault;
            request.status = status;
            request.error = text("error").map(str::to_owned);
            request.refresh_out = text("refresh_token").map(fingerprint);
        });
    }

    pub fn end(&self, id: u64) {
        let tick = {
            let mut records = self.records();
            records.ticks += 1;
            records.ticks
        };
        self.change(id, |request| request.t1 = Some(tick));
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut TokenRequest)) {
        let mut records = self.records();
        let first = records.requests.front().map_or(0, |request| request.id);
        let at = usize::try_from(id.saturating_sub(first)).unwrap_or(usize::MAX);
        if let Some(request) = records.requests.get_mut(at).filter(|request| request.id == id) {
            change(request);
        }
    }

    pub fn all(&self) -> Vec<TokenRequest> {
        self.records().requests.iter().cloned().collect()
    }
}

/// What can be told of a request without judging it: for the log and for faults.
#[derive(Default)]
pub struct Glance {
    pub client: Option<String>,
    pub grant: Option<String>,
    refresh_token: Option<String>,
}

impl Glance {
    pub fn at(raw: &Raw) -> Self {
        let json = serde_json::from_slice::<Value>(&raw.body).ok();
        let form = if json.is_none() { Params::parse(&raw.body).ok() } else { None };
        let field = |name: &str| match (&json, &form) {
            (Some(json), _) => json.get(name).and_then(Value::as_str).map(str::to_owned),
            (None, Some(form)) => form.get(name).map(str::to_owned),
            (None, None) => None,
        };
        let header = |name: &str| Some(raw.headers.get(name)?.to_str().ok()?.to_owned());
        let basic = || {
            let value = header("authorization")?;
            let bytes = BASE64_STANDARD.decode(value.split_once(' ')?.1).ok()?;
            let user = String::from_utf8(bytes).ok()?.split_once(':')?.0.to_owned();
            Some(decode_credential(&user).unwrap_or(user))
        };
        Self {
            client: field("client_id").or_else(basic).or_else(|| header("partnerId")),
            grant: field("grant_type").or_else(|| header("grantType")),
            refresh_token: field("refresh_token").or_else(|| field("refreshToken")),
        }
    }
}
