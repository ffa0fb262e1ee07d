//! What a body is that is not what a token endpoint sends, in words for whoever pasted it.

use serde_json::{Value, error::Category};

use super::redact::clear_lookalikes;

/// More of a page's title is not told.
const TITLE: usize = 80;

/// What data is that holds nothing by a name.
pub(super) fn of_data(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(_) => None,
        Value::Array(_) => Some("This is a JSON list; a token endpoint sends one object."),
        _ => Some("This is a single JSON value; a token endpoint sends an object with fields."),
    }
}

/// What a text is that is no data under this content type. Nothing of it is told but the title of a page.
pub(super) fn of_text(body: &str, kind: &str) -> String {
    let text = body.trim().trim_start_matches('\u{feff}').trim_start();
    if is_page(text, kind) {
        return page(text);
    }
    if text.starts_with('<') {
        return "This is XML, not JSON. Regrant reads JSON and forms.".into();
    }
    if text.starts_with("HTTP/") || text.starts_with("POST ") || text.starts_with("GET ") {
        return "This is a whole HTTP message. Paste its body alone: what comes after the empty line.".into();
    }
    let error = match serde_json::from_str::<Value>(text) {
        Err(error) if text.starts_with(['{', '[', '"']) => error,
        _ if is_form(text) => {
            return "This is a form (name=value), not JSON. Where the provider says so by its content \
                    type, give that: application/x-www-form-urlencoded."
                .into();
        }
        _ => return "This is text, not JSON.".into(),
    };
    match error.classify() {
        Category::Eof => {
            "This is JSON that ends too soon: was it cut off when it was copied?".into()
        }
        _ => format!(
            "This is not JSON: it goes wrong at line {}, column {}.",
            error.line(),
            error.column()
        ),
    }
}

fn is_page(text: &str, kind: &str) -> bool {
    let begin: String = text.chars().take(256).collect::<String>().to_ascii_lowercase();
    let tags = ["<!doctype html", "<html", "<head", "<body", "<title"];
    begin.starts_with('<') && tags.iter().any(|tag| begin.contains(tag))
        || text.starts_with('<') && kind.to_ascii_lowercase().starts_with("text/html")
}

fn page(text: &str) -> String {
    let named = title(text).map_or_else(String::new, |title| format!(", titled \"{title}\""));
    format!(
        "This is HTML, not JSON: a page for people{named}. Either the token endpoint's address is \
         another one, or something in between answered: a firewall, a proxy, a sign-in page."
    )
}

fn title(text: &str) -> Option<String> {
    let folded = text.to_ascii_lowercase();
    let begin = folded.find("<title")?;
    let begin = begin + folded.get(begin..)?.find('>')? + 1;
    let end = begin + folded.get(begin..)?.find('<')?;
    let words = text.get(begin..end)?.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = clear_lookalikes(&words).chars().take(TITLE).collect();
    (!title.is_empty()).then_some(title)
}

fn is_form(text: &str) -> bool {
    !text.contains(char::is_whitespace) && text.split('&').all(|pair| pair.contains('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_json_is_told_by_what_it_is() {
        let json = "application/json";
        for (body, kind, told) in [
            (
                "<!DOCTYPE html><html><head><title>Sign\n in</title>",
                json,
                "HTML, not JSON: a page for people, titled \"Sign in\"",
            ),
            (" \u{feff}<HTML>busy</HTML>", json, "HTML, not JSON: a page for people."),
            ("<p>busy", "text/html; charset=utf-8", "HTML, not JSON"),
            ("<?xml version=\"1.0\"?><token/>", json, "XML, not JSON"),
            ("access_token=SECRET&expires_in=60", json, "This is a form"),
            ("{\"access_token\": \"SECRET", json, "ends too soon"),
            ("{\"access_token\": \"SECRET\",\n 'x': 1}", json, "line 2, column 2"),
            ("{access_token: SECRET}", json, "line 1, column 2"),
            ("HTTP/1.1 200 OK\r\n\r\n{}", json, "whole HTTP message"),
            ("Service unavailable", json, "This is text"),
        ] {
            let said = of_text(body, kind);
            assert!(said.contains(told), "{body}: {said}");
            assert!(!said.contains("SECRET"), "{said}");
        }
        let token = "<title>Token 9f8e7d6c5b4a39281706fedcba987654</title><html>";
        assert!(!of_text(token, json).contains("9f8e7d"), "{}", of_text(token, json));
    }

    #[test]
    fn data_without_fields_is_told() {
        assert_eq!(of_data(&serde_json::json!({})), None);
        assert!(of_data(&serde_json::json!([{}])).is_some_and(|told| told.contains("list")));
        assert!(of_data(&serde_json::json!("a")).is_some_and(|told| told.contains("single")));
    }
}
