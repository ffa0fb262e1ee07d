use serde_json::json;
use time::macros::datetime;

use super::*;
use crate::server::provider::tests::{NOW, jwt};

fn said(value: Value, form: ExpiryForm) -> Expiry {
    let sources = [ExpirySource { pointer: "/at".into(), form }];
    read(&json!({ "at": value }), &sources, NOW)
}

#[test]
fn every_form_is_read() {
    use ExpiryForm::*;
    let in_an_hour = Expiry::At(datetime!(2026-11-20 13:00:00 UTC));
    let epoch = datetime!(2026-11-20 13:00:00 UTC).unix_timestamp();
    for (value, form) in [
        (json!(3600), Seconds),
        (json!("3600"), Seconds),
        (json!(" 3600 "), Auto),
        (json!(3600.0), Auto),
        (json!(3600), Auto),
        (json!(epoch), EpochSeconds),
        (json!(epoch.to_string()), EpochSeconds),
        (json!(epoch), Auto),
        (json!(epoch * 1000), EpochMillis),
        (json!(epoch * 1000), Auto),
        (json!((epoch * 1000).to_string()), Auto),
        (json!("2026-11-20T13:00:00Z"), Date),
        (json!("2026-11-20T14:00:00+01:00"), Auto),
        (json!("2026-11-20 13:00:00"), Date),
        (json!("2026-11-20T13:00:00"), Date),
        (json!("Fri, 20 Nov 2026 13:00:00 +0000"), Auto),
        (json!(jwt(&json!({ "exp": epoch }))), Jwt),
    ] {
        assert_eq!(said(value.clone(), form), in_an_hour, "{value} as {form:?}");
    }
    let fraction = said(json!("2026-11-20T13:00:00.250"), Date);
    assert_eq!(fraction, Expiry::At(datetime!(2026-11-20 13:00:00.25 UTC)));
}

#[test]
fn nonsense_is_silence() {
    use ExpiryForm::*;
    for (value, form) in [
        (json!(null), Auto),
        (json!(true), Auto),
        (json!(-1), Seconds),
        (json!(1e300), Auto),
        (json!("NaN"), Auto),
        (json!("inf"), Auto),
        (json!("soon"), Auto),
        (json!({}), Auto),
        (json!(u64::MAX), EpochMillis),
        // Milliseconds read as seconds end in the year 58914.
        (json!(1_797_000_000_000_i64), Seconds),
        (json!(1_797_000_000_000_i64), EpochSeconds),
        // No date at all, as .NET writes it.
        (json!("0001-01-01T00:00:00Z"), Auto),
        (json!("1969-12-31T23:59:59Z"), Date),
        (json!(3600), Date),
        (json!(3600), Jwt),
        (json!("a.b.c"), Jwt),
    ] {
        assert_eq!(said(value.clone(), form), Expiry::Silent, "{value} as {form:?}");
    }
}

#[test]
fn zero_is_told_apart_and_the_first_source_that_speaks_counts() {
    assert_eq!(said(json!(0), ExpiryForm::Seconds), Expiry::Zero);
    assert_eq!(said(json!("0"), ExpiryForm::Auto), Expiry::Zero);
    let source = |pointer: &str| ExpirySource { pointer: pointer.into(), form: ExpiryForm::Auto };
    let sources = [source("/a"), source("/b"), source("/c")];
    let value = json!({ "a": "soon", "b": 60, "c": 3600 });
    assert_eq!(read(&value, &sources, NOW), Expiry::At(datetime!(2026-11-20 12:01:00 UTC)));
}

#[test]
fn an_epoch_in_the_past_is_over_unless_the_profile_says_seconds() {
    // The largest lifetime Cronofy allows itself.
    let sixty_eight_years = said(json!(2_147_483_647), ExpiryForm::Seconds);
    assert_eq!(sixty_eight_years, Expiry::At(NOW + Duration::seconds(2_147_483_647)));
    let said = said(json!(1_000_000_000), ExpiryForm::Auto);
    assert_eq!(said, Expiry::At(datetime!(2001-09-09 01:46:40 UTC)));
}
