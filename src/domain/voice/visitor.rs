//! What is said to whoever opens a relink: the only texts that people outside the house read. One
//! file a language, with the same texts in each. What stands in braces is filled in.

mod de;
mod en;

use time::OffsetDateTime;

use crate::domain::{language::Language, relink::Outcome};

/// A page that says how something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    pub title: &'static str,
    pub text: &'static str,
    /// Whether things are well now.
    pub well: bool,
}

/// All texts of one language.
pub struct Texts {
    /// The language's own name.
    pub language: &'static str,
    pub months: [&'static str; 12],
    pub title: &'static str,
    pub needs_consent: &'static str,
    pub by_page: &'static str,
    pub by_code: &'static str,
    pub which_account: &'static str,
    pub which_account_help: &'static str,
    pub once: &'static str,
    pub go_on: &'static str,
    pub go_on_again: &'static str,
    pub get_code: &'static str,
    pub get_code_again: &'static str,
    pub code_where: &'static str,
    pub code_or: &'static str,
    pub code_until: &'static str,
    pub code_reload: &'static str,
    pub on_the_way: &'static str,
    pub go_now: &'static str,
    pub help: &'static str,
    pub done: Ending,
    pub wrong_account: Ending,
    pub denied: Ending,
    pub missing_scope: Ending,
    pub already_connected: Ending,
    pub failed: Ending,
    pub took_too_long: Ending,
    pub used: Ending,
    pub expired: Ending,
    pub unknown: Ending,
    /// Of the address by which a browser leaves for the provider.
    pub spent: Ending,
    /// Of a consent that takes long to store.
    pub being_stored: Ending,
    pub mail_subject: &'static str,
    pub mail_greeting: &'static str,
    pub mail_body: &'static str,
    pub mail_account: &'static str,
    pub mail_once: &'static str,
}

pub fn texts(language: Language) -> &'static Texts {
    match language {
        Language::English => &en::TEXTS,
        Language::German => &de::TEXTS,
    }
}

impl Texts {
    pub fn outcome(&self, outcome: Outcome) -> Ending {
        match outcome {
            Outcome::Done => self.done,
            Outcome::WrongAccount => self.wrong_account,
            Outcome::Denied => self.denied,
            Outcome::MissingScope => self.missing_scope,
            Outcome::AlreadyConnected => self.already_connected,
            Outcome::Failed => self.failed,
            Outcome::Expired => self.took_too_long,
        }
    }

    /// A day, as it is written in this language, and the time in UTC.
    pub fn moment(&self, at: OffsetDateTime) -> String {
        let at = at.to_offset(time::UtcOffset::UTC);
        let month = self.months.get(usize::from(u8::from(at.month())) - 1).copied();
        let (day, month, year) = (at.day(), month.unwrap_or_default(), at.year());
        format!("{day} {month} {year}, {:02}:{:02} UTC", at.hour(), at.minute())
    }
}

/// Puts values in the place of names in braces.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// A subject and a text by which a link is sent.
pub fn mail(
    language: Language,
    service: &str,
    account: Option<&str>,
    url: &str,
    expires_at: OffsetDateTime,
) -> (String, String) {
    let texts = texts(language);
    let until = texts.moment(expires_at);
    let values =
        [("service", service), ("account", account.unwrap_or_default()), ("until", &until)];
    let account = account.map(|_| format!(" {}", fill(texts.mail_account, &values)));
    let body = format!(
        "{}\n\n{}{}\n\n{url}\n\n{}\n",
        texts.mail_greeting,
        fill(texts.mail_body, &values),
        account.unwrap_or_default(),
        fill(texts.mail_once, &values),
    );
    (fill(texts.mail_subject, &values), body)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// All texts of a language that a page shows, by place.
    fn all(texts: &Texts) -> Vec<&'static str> {
        let endings = [
            texts.done,
            texts.wrong_account,
            texts.denied,
            texts.missing_scope,
            texts.already_connected,
            texts.failed,
            texts.took_too_long,
            texts.used,
            texts.expired,
            texts.unknown,
            texts.spent,
            texts.being_stored,
        ];
        let mut all: Vec<_> = endings.iter().flat_map(|end| [end.title, end.text]).collect();
        all.extend([
            texts.title,
            texts.needs_consent,
            texts.by_page,
            texts.by_code,
            texts.which_account,
            texts.which_account_help,
            texts.once,
            texts.go_on,
            texts.go_on_again,
            texts.get_code,
            texts.get_code_again,
            texts.code_where,
            texts.code_or,
            texts.code_until,
            texts.code_reload,
            texts.on_the_way,
            texts.go_now,
            texts.help,
            texts.mail_subject,
            texts.mail_greeting,
            texts.mail_body,
            texts.mail_account,
            texts.mail_once,
        ]);
        all
    }

    fn names(text: &str) -> Vec<String> {
        let mut names: Vec<_> = text
            .split('{')
            .skip(1)
            .map(|rest| rest.split('}').next().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn every_language_says_the_same_things() {
        let english = all(texts(Language::English));
        for language in Language::ALL {
            let own = all(texts(language));
            for (one, other) in english.iter().zip(&own) {
                assert!(!other.is_empty(), "{language:?} has nothing for {one}");
                assert_eq!(names(one), names(other), "{one} and {other}");
                for jargon in ["OAuth", "token", "scope", "invalid_", "grant"] {
                    assert!(!other.contains(jargon), "{other}");
                }
            }
            if language != Language::English {
                assert!(english.iter().zip(&own).all(|(one, other)| one != other));
            }
        }
    }

    #[test]
    fn a_link_is_sent_with_all_that_is_needed() {
        let at = datetime!(2026-03-04 12:30 UTC);
        for language in Language::ALL {
            let (subject, body) =
                mail(language, "Cronofy", Some("a…@example.com"), "https://r.test/relink/x", at);
            assert!(subject.contains("Cronofy"));
            for part in ["https://r.test/relink/x", "a…@example.com", "12:30 UTC", "Cronofy"] {
                assert!(body.contains(part), "{body}");
            }
            assert!(!subject.contains('{') && !body.contains('{'), "{body}");
        }
    }
}
