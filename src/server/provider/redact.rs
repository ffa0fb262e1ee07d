//! Keeps what we sent out of what we report.
//!
//! Providers echo: a refused token, a whole request, a part of either, encoded as it arrived. So a
//! text is cleared not only of each secret but of every stretch of eight characters that a secret
//! has too, in any encoding it was sent in and whatever its case.

use std::collections::HashSet;

use url::form_urlencoded;
use zeroize::Zeroizing;

/// Stretches shorter than this give nothing away.
const WINDOW: usize = 8;

const MASK: &str = "[redacted]";

/// The secrets of one request.
#[derive(Default)]
pub(in crate::server) struct Redactor(Vec<Zeroizing<String>>);

impl Redactor {
    pub fn hide(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.0.push(Zeroizing::new(secret.to_owned()));
        }
    }

    /// `text` without secrets and control characters, at most `limit` characters long; nothing if
    /// nothing is left.
    pub fn clear(&self, text: &str, limit: usize) -> Option<String> {
        // What is cut here anyway need not be searched.
        let end = text.floor_char_boundary(limit.saturating_mul(8).saturating_add(4096));
        // First of all: a secret whose blanks came back as tabs would pass, and then be mended.
        let text = blank(&text[..end]);
        let marks = self.marks(&text);
        let mut clean = String::new();
        let mut masked = false;
        for (at, c) in text.char_indices() {
            if marks.get(at).copied().unwrap_or_default() {
                if !masked {
                    clean.push_str(MASK);
                }
                masked = true;
                continue;
            }
            masked = false;
            clean.push(c);
        }
        let clean: String = clean.trim().chars().take(limit).collect();
        (!clean.is_empty()).then_some(clean)
    }

    /// Which bytes of `text` belong to a secret.
    fn marks(&self, text: &str) -> Vec<bool> {
        let folded = Zeroizing::new(text.to_ascii_lowercase());
        let bytes = folded.as_bytes();
        let mut marks = vec![false; bytes.len()];
        for secret in &self.0 {
            for form in forms(secret) {
                let form = form.as_bytes();
                let width = form.len().min(WINDOW);
                if width == 0 || bytes.len() < width {
                    continue;
                }
                let stretches: HashSet<&[u8]> = form.windows(width).collect();
                for (at, window) in bytes.windows(width).enumerate() {
                    if stretches.contains(window) {
                        marks[at..at + width].fill(true);
                    }
                }
            }
        }
        // A character is hidden whole.
        for (at, c) in text.char_indices() {
            let whole = at..at + c.len_utf8();
            if marks[whole.clone()].contains(&true) {
                marks[whole].fill(true);
            }
        }
        marks
    }
}

/// No word or code of a provider's is so long, and few tokens are shorter.
const LOOKALIKE: usize = 16;
/// Nor is any word so long, whatever it is made of.
const NO_WORD: usize = 32;

/// `text` without what looks like a token, for where nobody knows which tokens there are. What looks
/// like one: [`LOOKALIKE`] or more of the characters that a bearer token is made of (RFC 6750 section
/// 2.1), with a digit among them or a capital after a small letter, as chance has it and words do not;
/// or a stretch of letters longer than any word. A trace id is taken for one too: whoever reads this
/// has the whole text.
pub(in crate::server) fn clear_lookalikes(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let mut clean = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        clean.push_str(if is_lookalike(run) { MASK } else { run });
        let next = after.find(is_part).unwrap_or(after.len());
        let (between, after) = after.split_at(next);
        clean.push_str(between);
        rest = after;
    }
    clean
}

fn is_lookalike(run: &str) -> bool {
    let bytes = run.as_bytes();
    let is_mixed = || {
        bytes.iter().any(u8::is_ascii_digit)
            || bytes.windows(2).any(|pair| {
                matches!(pair, [one, two] if one.is_ascii_lowercase() && two.is_ascii_uppercase())
            })
    };
    let has_no_word =
        || bytes.split(|byte| !byte.is_ascii_alphanumeric()).any(|part| part.len() >= NO_WORD);
    bytes.len() >= LOOKALIKE && (is_mixed() || has_no_word())
}

/// The forms in which a secret may come back.
fn forms(secret: &str) -> [Zeroizing<String>; 5] {
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    let json = in_json(secret);
    // As a JSON request is quoted where nobody reads JSON.
    let quoted = in_json(&json);
    [secret, &form, &percent, &json, &quoted].map(|text| {
        let mut text = Zeroizing::new(blank(text));
        text.make_ascii_lowercase();
        text
    })
}

/// As a text stands between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.trim_start_matches('"').trim_end_matches('"').to_owned()
}

/// Control characters become blanks: a key in PEM has line ends, and what is shown has none.
fn blank(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
