//! Queries of addresses: how they are written, and read.

use std::fmt::Write;

use leptos_router::params::ParamsMap;

use super::{AFTER, DONE};
use crate::domain::page::Paging;

pub fn paging(params: &ParamsMap) -> Paging {
    Paging { cursor: filled(params, AFTER), limit: None }
}

/// The address of the page after this one: the same filters, another cursor.
pub fn next_page(path: &str, params: &ParamsMap, cursor: &str) -> String {
    query(path, kept(params).chain([(AFTER, cursor.to_owned())]))
}

/// The address of the first page: the same filters, no cursor.
pub fn first_page(path: &str, params: &ParamsMap) -> String {
    query(path, kept(params))
}

fn kept(params: &ParamsMap) -> impl Iterator<Item = (&str, String)> {
    params
        .into_iter()
        .filter(|(key, value)| {
            !value.is_empty() && !matches!(key.as_ref(), AFTER | "__path" | "__err" | DONE)
        })
        .map(|(key, value)| (key.as_ref(), value.to_owned()))
}

/// A parameter that was given and is not empty.
pub fn filled(params: &ParamsMap, key: &str) -> Option<String> {
    params.get(key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

pub(super) fn parsed<T: std::str::FromStr>(params: &ParamsMap, key: &str) -> Option<T> {
    filled(params, key)?.parse().ok()
}

pub(super) fn query<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut address = path.to_owned();
    for (at, (key, value)) in pairs.into_iter().enumerate() {
        let joint = if at == 0 { '?' } else { '&' };
        _ = write!(address, "{joint}{key}={}", escape(&value));
    }
    address
}

/// Percent-encodes all but the unreserved characters of RFC 3986 section 2.3. Not the router's
/// own: that one writes differently on the server and in the browser.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// Reads what a form wrote (`application/x-www-form-urlencoded`); `None` if it is not that.
pub fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{super::tests::params, *};

    #[test]
    fn the_next_page_keeps_the_filters_and_drops_the_old_cursor() {
        let here = params(&[("q", "a b"), ("after", "old"), ("state", ""), ("__err", "x")]);
        assert_eq!(next_page("/connections", &here, "new"), "/connections?q=a%20b&after=new");
    }

    #[test]
    fn what_a_form_wrote_is_read_back() {
        assert_eq!(unescape("a+b%26%C3%A9%2B").as_deref(), Some("a b&é+"));
        assert_eq!(unescape("%4"), None);
        assert_eq!(unescape("%FF"), None);
    }
}
