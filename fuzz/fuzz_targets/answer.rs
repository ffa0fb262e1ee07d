//! Whatever a token endpoint answers: never a panic, never a lost token set, never a secret that
//! was sent in the refusal.

#![no_main]

use std::{collections::HashSet, sync::LazyLock};

use libfuzzer_sys::{Corpus, fuzz_target};
use rooms::{
    cases,
    domain::provider::Pkce,
    input::{Input, forms},
    server::provider::{
        Grant, Refusal,
        probe::{Asked, CLIENT_SECRET, CODE, CODE_VERIFIER, Case, NOW, REFRESH_TOKEN},
    },
};
use secrecy::ExposeSecret;
use serde_json::Value;

/// Stretches shorter than this give nothing away.
const WINDOW: usize = 8;

struct Ready {
    case: Case,
    /// After a code, after a refresh token.
    asked: [Asked; 2],
    /// The stretches that no refusal of theirs may hold.
    hidden: [HashSet<Vec<u8>>; 2],
}

static READY: LazyLock<Vec<Ready>> = LazyLock::new(|| {
    let ready = cases().into_iter().filter_map(|case| {
        let asked = [case.ask(false).ok()?, case.ask(true).ok()?];
        let hidden =
            [hidden(&asked[0], &sent(&case, false)), hidden(&asked[1], &sent(&case, true))];
        Some(Ready { case, asked, hidden })
    });
    let ready: Vec<_> = ready.collect();
    assert!(ready.len() > 60, "{} presets can be asked", ready.len());
    ready
});

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some(input) = Input::read(data) else { return Corpus::Reject };
    let ready = &READY[input.case % READY.len()];
    let headers: Vec<(&[u8], &[u8])> =
        input.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
    let asked = &ready.asked[usize::from(input.refresh)];
    let found = ready.case.read(asked, input.status, &headers, &input.body);
    holds_the_tokens(&ready.case, &input, found.as_ref().ok());
    match &found {
        Ok(grant) => makes_sense(grant),
        Err(refusal) => {
            gives_nothing_away(refusal, &ready.hidden[usize::from(input.refresh)]);
        }
    }
    Corpus::Keep
});

/// A body that is JSON with a string where the access token stands gives a grant of exactly it.
fn holds_the_tokens(case: &Case, input: &Input, grant: Option<&Grant>) {
    if !(200..300).contains(&input.status) {
        assert!(grant.is_none(), "tokens under {}", input.status);
        return;
    }
    let Ok(value) = serde_json::from_slice::<Value>(&input.body) else { return };
    let first = |pointers: &[String]| {
        let texts = pointers.iter().filter_map(|pointer| value.pointer(pointer)?.as_str());
        texts.into_iter().find(|text| !text.is_empty()).map(str::to_owned)
    };
    let response = &case.profile.response;
    let access = grant.map(|grant| grant.access_token.expose_secret().to_owned());
    assert_eq!(access, first(&response.access_token), "the access token");
    if let Some(grant) = grant {
        let refresh = grant.refresh_token.as_ref().map(|token| token.expose_secret().to_owned());
        assert_eq!(refresh, first(&response.refresh_token), "the refresh token");
    }
}

/// What PostgreSQL would refuse costs a token set as surely as a panic does.
fn makes_sense(grant: &Grant) {
    let texts = grant.scopes.iter().flatten().chain([&grant.token_type]);
    let account = grant.account.iter();
    let texts = texts.chain(account.clone().map(|account| &account.id));
    for text in texts.chain(account.filter_map(|account| account.label.as_ref())) {
        assert!(!text.contains('\0'), "a NUL in {text:?}");
    }
    assert_eq!(grant.obtained_at, NOW);
    for at in [grant.access_expires_at, grant.refresh_expires_at].into_iter().flatten() {
        assert!((0..=9999).contains(&at.year()), "{at}");
        assert!(at.unix_timestamp() >= 0, "{at}");
    }
}

/// The secrets that are in a request.
fn sent(case: &Case, refresh: bool) -> Vec<&'static str> {
    match refresh {
        true => vec![CLIENT_SECRET, REFRESH_TOKEN],
        false if case.profile.authorization.pkce == Pkce::Off => vec![CLIENT_SECRET, CODE],
        false => vec![CLIENT_SECRET, CODE, CODE_VERIFIER],
    }
}

/// The stretches of `secrets`, in every form in which a server may give them back, and of the
/// credentials by which the request proves the client.
fn hidden(asked: &Asked, secrets: &[&str]) -> HashSet<Vec<u8>> {
    let wire = String::from_utf8_lossy(&asked.wire);
    let basic = wire.lines().filter_map(|line| line.strip_prefix("Basic ")).map(str::to_owned);
    let all = secrets.iter().flat_map(|secret| forms(secret)).chain(basic);
    let stretches = |text: String| -> Vec<Vec<u8>> {
        text.to_ascii_lowercase().as_bytes().windows(WINDOW).map(<[u8]>::to_vec).collect()
    };
    all.flat_map(stretches).collect()
}

fn gives_nothing_away(refusal: &Refusal, hidden: &HashSet<Vec<u8>>) {
    assert!(refusal.sent && refusal.status.is_some());
    let (code, description) = (refusal.code.as_deref(), refusal.description.as_deref());
    assert!(code.is_none_or(|text| text.chars().count() <= 100), "{code:?}");
    assert!(description.is_none_or(|text| text.chars().count() <= 500), "{description:?}");
    if let Some(wait) = refusal.retry_after {
        assert!(wait >= time::Duration::ZERO && wait <= time::Duration::days(30), "{wait}");
    }
    for shown in [code, description].into_iter().flatten() {
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let shown = shown.to_ascii_lowercase();
        for stretch in shown.as_bytes().windows(WINDOW) {
            let text = String::from_utf8_lossy(stretch);
            assert!(!hidden.contains(stretch), "{text:?} in {shown:?}");
        }
    }
}
