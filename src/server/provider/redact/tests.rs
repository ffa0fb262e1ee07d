use super::*;

fn clear(secret: &str, text: &str) -> String {
    let mut redactor = Redactor::default();
    redactor.hide(secret);
    redactor.clear(text, 500).unwrap_or_default()
}

#[test]
fn an_echo_is_masked_in_every_form() {
    let secret = "s3cr\"et/with+odd =chars";
    let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    for echo in [
        secret.to_owned(),
        secret.to_uppercase(),
        encoded.clone(),
        encoded.replace('+', "%20"),
        serde_json::to_string(secret).unwrap(),
        secret[3..15].to_owned(),
        format!("x{secret}y"),
    ] {
        let cleared = clear(secret, &format!("the token {echo} is unknown"));
        assert!(cleared.starts_with("the token ") && cleared.ends_with(" is unknown"), "{cleared}");
        assert!(cleared.contains(MASK), "{echo} became {cleared}");
        assert!(!cleared.contains(&echo), "{cleared}");
    }
}

/// Blanks that come back as tabs or line ends are shown as blanks, so they are searched as blanks.
#[test]
fn an_echo_with_other_blanks_is_masked() {
    assert_eq!(clear("a secret of many words", "no a\tsecret\nof many\twords"), "no [redacted]");
    let key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG\n-----END KEY-----\n";
    assert_eq!(clear(key, &format!("bad key {key}")), "bad key [redacted]");
    assert_eq!(clear(key, &format!("bad key {}", key.replace('\n', " "))), "bad key [redacted]");
}

#[test]
fn an_echo_within_an_echo_is_masked_whole() {
    let quoted = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
    let secret = r#"k "v" l "w" m&odd"#;
    assert_eq!(clear(secret, &format!("no {}", quoted(&quoted(secret)))), "no [redacted]");
}

#[test]
fn short_secrets_are_masked_whole() {
    assert_eq!(clear("abc", "xabcy"), "x[redacted]y");
}

#[test]
fn other_text_stays_and_is_cut() {
    assert_eq!(clear("secret-secret", "Refresh token\nhas expired."), "Refresh token has expired.");
    let mut redactor = Redactor::default();
    redactor.hide("");
    assert_eq!(redactor.clear(&"ä".repeat(1000), 500).unwrap().chars().count(), 500);
    assert_eq!(redactor.clear(" \n ", 500), None);
}

#[test]
fn a_secret_across_the_cut_is_masked() {
    let secret = "0123456789abcdef0123456789abcdef";
    let text = format!("{}{secret}", "x".repeat(490));
    let cleared = clear(secret, &text);
    assert!(!cleared.contains("0123"), "{cleared}");
}

#[test]
fn what_looks_like_a_token_is_cleared_and_words_are_not() {
    for token in [
        "9f8e7d6c5b4a39281706fedcba987654",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl-_",
        "1//0gabcdefghijklmnopqrstuv",
        "QWxhZGRpbjpvcGVuc2VzYW1l",
        "abcdefghijklmnopqrstuvwxyzabcdefghij",
        "a1b2c3d4e5f6a7b8",
    ] {
        for text in
            [format!("Token {token} is dead."), format!("({token})"), format!("t='{token}'")]
        {
            let clean = clear_lookalikes(&text);
            assert!(!clean.contains(token) && clean.contains(MASK), "{text}: {clean}");
        }
    }
    for words in [
        "invalid_grant",
        "The refresh_token_was_revoked_by_the_user; see https://docs.example.com/errors/invalid-grant",
        "AADSTS50173: The provided grant has expired (code 70008), 2026-01-31",
        "Ungültig: Bundesverfassungsgericht",
        "",
    ] {
        assert_eq!(clear_lookalikes(words), words);
    }
}
