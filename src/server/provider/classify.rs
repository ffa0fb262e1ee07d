//! What a refusal means.
//!
//! The profile's rules come first, then what the status alone decides (408, 425, 429, 5xx: nothing
//! was refused, whatever the body says), then the standard codes. Without a code nobody can be
//! condemned: some servers answer an empty 400 to a wrong secret and to a dead token alike. So
//! a refusal without a code is `RequestRefused`, which is tried again slowly and shown to a
//! person, with one exception: a 401 that asks for the Basic credentials we just gave refuses
//! these (RFC 6749 section 5.2).

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::{Refusal, guard::Answer, redact::Redactor, response};
use crate::domain::{
    provider::{ErrorRule, Errors, standard_class},
    refusal::ErrorClass,
};

const CODE_LIMIT: usize = 100;
const DESCRIPTION_LIMIT: usize = 500;

/// No provider is waited for longer.
const LONGEST_WAIT: Duration = Duration::days(30);

/// What an answer that gave no token means.
pub(super) fn refusal(
    errors: &Errors,
    answer: &Answer,
    value: Option<&Value>,
    sent_basic: bool,
    redactor: &Redactor,
    now: OffsetDateTime,
) -> Refusal {
    let code = value.and_then(|value| code(value, &errors.code));
    let retry_after = retry_after(&answer.headers, now);
    let ruled = errors
        .rules
        .iter()
        .find(|rule| fits(rule, answer, value, code.as_deref()))
        .map(|rule| rule.class);
    let (class, ours) = match ruled {
        Some(class) => (class, None),
        None => by_standard(answer, value, code.as_deref(), sent_basic, retry_after),
    };
    let description = value
        .and_then(|value| response::text(value, &errors.description))
        .and_then(|text| redactor.clear(text, DESCRIPTION_LIMIT))
        .or_else(|| ours.map(Into::into));
    Refusal {
        class,
        status: Some(answer.status),
        code: code.and_then(|code| redactor.clear(&code, CODE_LIMIT)),
        description,
        retry_after,
        sent: true,
    }
}

fn by_standard(
    answer: &Answer,
    value: Option<&Value>,
    code: Option<&str>,
    sent_basic: bool,
    retry_after: Option<Duration>,
) -> (ErrorClass, Option<&'static str>) {
    use ErrorClass::*;
    let known = code.and_then(standard_class);
    match answer.status {
        429 => (RateLimited, None),
        503 if retry_after.is_some() => (RateLimited, None),
        408 | 425 | 500.. => (Transient, Some("the provider is not able to answer now")),
        _ if known.is_some() => (known.unwrap_or(RequestRefused), None),
        _ if code.is_some() => (RequestRefused, None),
        200..300 => (AnswerLost, Some("the answer holds no access token and no error")),
        301 | 308 => (RequestRefused, Some("the endpoint has moved; redirects are not followed")),
        ..=399 => (Transient, Some("the answer is a redirect; redirects are not followed")),
        401 if sent_basic && asks_for_basic(&answer.headers) => {
            (ClientRefused, Some("the provider asks for other client credentials"))
        }
        _ if value.is_none() && is_broken(answer) => {
            (Transient, Some("the answer is not one of a token endpoint"))
        }
        _ => (RequestRefused, Some("the provider refused without saying why")),
    }
}

/// HTML, as proxies and firewalls send, or JSON that does not end.
fn is_broken(answer: &Answer) -> bool {
    let begins = answer.body.iter().find(|byte| !byte.is_ascii_whitespace());
    let html = answer
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html"));
    begins.is_some_and(|first| html || b"{[<".contains(first))
}

fn asks_for_basic(headers: &HeaderMap) -> bool {
    headers.get_all(WWW_AUTHENTICATE).iter().any(|challenge| {
        challenge.as_bytes().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"))
    })
}

/// The error's code: a string, or a number as text. An object at `/error` is no code.
fn code(value: &Value, pointers: &[String]) -> Option<String> {
    pointers.iter().find_map(|pointer| match value.pointer(pointer)? {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

fn fits(rule: &ErrorRule, answer: &Answer, value: Option<&Value>, code: Option<&str>) -> bool {
    let at = rule.pointer.as_deref().map(|pointer| value.and_then(|value| value.pointer(pointer)));
    rule.status.is_none_or(|status| status == answer.status)
        && rule
            .code
            .as_deref()
            .is_none_or(|wanted| code.is_some_and(|code| code.eq_ignore_ascii_case(wanted)))
        && at.is_none_or(|at| {
            at.is_some_and(|at| match rule.equals.as_deref() {
                None => !at.is_null(),
                Some(wanted) => at.as_str().map_or_else(|| at.to_string(), Into::into) == wanted,
            })
        })
        && rule.text.as_deref().is_none_or(|wanted| {
            let body = String::from_utf8_lossy(&answer.body).to_lowercase();
            body.contains(&wanted.to_lowercase())
        })
}

/// `Retry-After` in both its forms (RFC 9110 section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::checked_seconds_f64(seconds)?,
        Err(_) => OffsetDateTime::from(httpdate::parse_http_date(text).ok()?) - now,
    };
    Some(wait.clamp(Duration::ZERO, LONGEST_WAIT))
}

#[cfg(test)]
mod tests;
