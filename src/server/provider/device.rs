//! Asking for a code that a person types on another device (RFC 8628 section 3.1).

use secrecy::SecretString;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::{Error, Http, Refusal, Registration, classify, dialect, guard, token};
use crate::{
    domain::{provider::Call, refusal::ErrorClass},
    server::clock::Rng,
};

/// RFC 8628 section 3.2, where the provider is silent.
const INTERVAL: Duration = Duration::seconds(5);
const LONGEST_INTERVAL: Duration = Duration::minutes(5);
/// The RFC demands an end; a provider that gives none gets this.
const LIFETIME: Duration = Duration::minutes(15);
const LONGEST_LIFETIME: Duration = Duration::days(1);
/// Longer codes nobody types.
const CODE_LIMIT: usize = 64;
const URL_LIMIT: usize = 2000;

/// A device authorization that the provider has begun.
pub struct Begun {
    pub device_code: SecretString,
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: Option<String>,
    pub interval: Duration,
    pub expires_at: OffsetDateTime,
}

/// Begins a device authorization.
pub async fn begin(http: &Http, registration: &Registration<'_>) -> Result<Begun, Refusal> {
    let (sent_at, rng) = (http.0.clock.now(), http.0.rng.as_ref());
    let prepared = prepare(registration, sent_at, rng)?;
    let (answer, redactor, sent_basic) = token::send(http, prepared).await?;
    let value = token::data(&answer);
    let well = (200..300).contains(&answer.status);
    if let Some(begun) = value.as_ref().filter(|_| well).and_then(|value| read(value, sent_at)) {
        return Ok(begun);
    }
    let (errors, now) = (&registration.profile.errors, http.0.clock.now());
    let refusal = classify::refusal(errors, &answer, value.as_ref(), sent_basic, &redactor, now);
    if well && refusal.code.is_none() {
        let description = "the answer holds no device code, or no code and address for a person";
        let description = Some(description.to_owned());
        return Err(Refusal { class: ErrorClass::RequestRefused, description, ..refusal });
    }
    Err(refusal)
}

/// The request for a code.
pub(super) fn prepare(
    registration: &Registration<'_>,
    now: OffsetDateTime,
    rng: &dyn Rng,
) -> Result<dialect::Prepared, Error> {
    let template = registration.profile.endpoints.device_authorization.as_deref();
    let endpoint = registration.endpoint("device_authorization", template)?;
    dialect::build(registration, Call::Device, endpoint, &[], now, rng)
}

/// Reads the answer. None: something that can't be done without is missing, or nobody could use it.
fn read(value: &Value, sent_at: OffsetDateTime) -> Option<Begun> {
    let text = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| value.get(name)?.as_str());
        found.find(|text| !text.is_empty())
    };
    let user_code = text(&["user_code"])?.trim();
    let typed = !user_code.is_empty()
        && user_code.chars().count() <= CODE_LIMIT
        && !user_code.chars().any(char::is_control);
    // Before the RFC it was `verification_url`.
    let verification_uri = address(text(&["verification_uri", "verification_url"])?)?;
    let complete = ["verification_uri_complete", "verification_url_complete"];
    let seconds = |name: &str| seconds(value.get(name)?);
    let lifetime = seconds("expires_in").filter(|time| time.is_positive()).unwrap_or(LIFETIME);
    Some(Begun {
        device_code: text(&["device_code"])?.into(),
        user_code: typed.then(|| user_code.to_owned())?,
        verification_uri,
        verification_uri_complete: text(&complete).and_then(address),
        interval: seconds("interval")
            .unwrap_or(INTERVAL)
            .clamp(Duration::seconds(1), LONGEST_INTERVAL),
        expires_at: sent_at + lifetime.min(LONGEST_LIFETIME),
    })
}

/// An address that a person may be sent to.
fn address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_LIMIT)?;
    guard::vet_link(&url).ok()?;
    Some(url.into())
}

/// A number of seconds, written as a number or as text.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::checked_seconds_f64(seconds)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    /// RFC 8628 section 3.2.
    fn sample() -> Value {
        json!({
            "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://example.com/device",
            "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT",
            "expires_in": 1800,
            "interval": 7,
        })
    }

    #[test]
    fn the_answer_of_the_rfc_is_read() {
        let begun = read(&sample(), NOW).expect("a device code");
        assert_eq!(begun.device_code.expose_secret(), "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
        assert_eq!(begun.user_code, "WDJB-MJHT");
        assert_eq!(begun.verification_uri, "https://example.com/device");
        let complete = "https://example.com/device?user_code=WDJB-MJHT";
        assert_eq!(begun.verification_uri_complete.as_deref(), Some(complete));
        assert_eq!(
            (begun.interval, begun.expires_at - NOW),
            (Duration::seconds(7), Duration::minutes(30))
        );
    }

    #[test]
    fn what_is_silent_odd_or_older_than_the_rfc_is_read_too() {
        let mut old = sample();
        let map = old.as_object_mut().expect("an object");
        for gone in ["verification_uri", "verification_uri_complete", "interval", "expires_in"] {
            map.remove(gone);
        }
        map.insert("verification_url".into(), json!("https://www.google.com/device"));
        let begun = read(&old, NOW).expect("a device code");
        assert_eq!(begun.verification_uri, "https://www.google.com/device");
        assert_eq!((begun.interval, begun.expires_at), (INTERVAL, NOW + LIFETIME));
        for (value, interval, lifetime) in [
            (json!("30"), 30, Duration::seconds(30)),
            (json!(0), 1, LIFETIME),
            (json!(-3), 1, LIFETIME),
            (json!(1e300), 5, LIFETIME),
            (json!(1e9), 300, LONGEST_LIFETIME),
            (json!([]), 5, LIFETIME),
        ] {
            let mut odd = sample();
            odd["interval"] = value.clone();
            odd["expires_in"] = value.clone();
            let begun = read(&odd, NOW).expect("a device code");
            assert_eq!(begun.interval, Duration::seconds(interval), "{value}");
            assert_eq!(begun.expires_at - NOW, lifetime, "{value}");
        }
    }

    #[test]
    fn what_nobody_could_use_is_no_answer() {
        for (name, value) in [
            ("device_code", json!("")),
            ("user_code", json!("A\u{7}B")),
            ("user_code", json!("A".repeat(65))),
            ("verification_uri", json!("javascript:alert(1)")),
            ("verification_uri", json!("http://example.com/device")),
            ("verification_uri", json!(7)),
        ] {
            let mut odd = sample();
            odd[name] = value.clone();
            assert!(read(&odd, NOW).is_none(), "{name} {value}");
        }
        let mut odd = sample();
        odd["verification_uri_complete"] = json!("javascript:alert(1)");
        assert_eq!(read(&odd, NOW).expect("a device code").verification_uri_complete, None);
    }
}
