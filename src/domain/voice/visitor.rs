//! What is said to whoever opens a relink: the only texts that people outside the house read. One
//! file a language, with the same texts in each. What stands in braces is filled in.

mod de;
mod en;

use time::OffsetDateTime;

use crate::domain::{
    language::Language,
    relink::{HandedRelink, Need, Outcome},
};

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
    /// How the day of a month is written: `{day}` is its number.
    pub day: &'static str,
    pub months: [&'static str; 12],
    pub title: &'static str,
    pub title_first: &'static str,
    pub needs_consent: &'static str,
    pub needs_first: &'static str,
    pub needs_anew: &'static str,
    pub by_page: &'static str,
    pub by_code: &'static str,
    pub which_account: &'static str,
    pub which_account_help: &'static str,
    /// Where nobody knows whose it is to be.
    pub any_account: &'static str,
    pub once: &'static str,
    pub go_on: &'static str,
    pub go_on_again: &'static str,
    pub try_again: &'static str,
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
    pub replaced: Ending,
    pub revoked: Ending,
    pub not_now: Ending,
    pub unknown: Ending,
    /// Of the address by which a browser leaves for the provider.
    pub spent: Ending,
    /// Of a consent that takes long to store.
    pub being_stored: Ending,
    pub mail_subject: &'static str,
    pub mail_subject_first: &'static str,
    pub mail_greeting: &'static str,
    pub mail_house: &'static str,
    pub mail_body: &'static str,
    pub mail_body_first: &'static str,
    pub mail_body_anew: &'static str,
    pub mail_way: &'static str,
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
            Outcome::ClientRefused => self.not_now,
            Outcome::Failed => self.failed,
            Outcome::Expired => self.took_too_long,
        }
    }

    /// A day, as it is written in this language, and the time in UTC.
    pub fn moment(&self, at: OffsetDateTime) -> String {
        let at = at.to_offset(time::UtcOffset::UTC);
        let month = self.months.get(usize::from(u8::from(at.month())) - 1).copied();
        let (day, month, year) = (at.day(), month.unwrap_or_default(), at.year());
        let day = fill(self.day, &[("day", &day.to_string())]);
        format!("{day} {month} {year}, {:02}:{:02} UTC", at.hour(), at.minute())
    }
}

/// Puts values in the place of names in braces.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// A subject and a text by which a link is sent. It names who asks, so that it is not taken for a fraud.
pub fn mail(language: Language, handed: &HandedRelink) -> (String, String) {
    let texts = texts(language);
    let until = texts.moment(handed.made.expires_at);
    let values = [
        ("service", handed.service.as_str()),
        ("account", handed.account.as_deref().unwrap_or_default()),
        ("house", handed.house.as_deref().unwrap_or_default()),
        ("contact", handed.contact.as_deref().unwrap_or_default()),
        ("until", &until),
    ];
    let (subject, body) = match handed.need {
        Need::First => (texts.mail_subject_first, texts.mail_body_first),
        Need::Again => (texts.mail_subject, texts.mail_body),
        Need::Anew => (texts.mail_subject, texts.mail_body_anew),
    };
    let first = [
        handed.house.as_ref().map(|_| texts.mail_house),
        Some(body),
        Some(texts.mail_way),
        Some(if handed.account.is_some() { texts.mail_account } else { texts.any_account }),
    ];
    let first: Vec<&str> = first.into_iter().flatten().collect();
    let first = first.join(" ");
    let paragraphs = [
        Some(texts.mail_greeting),
        Some(first.as_str()),
        Some(handed.made.url.as_str()),
        Some(texts.mail_once),
        handed.contact.as_ref().map(|_| texts.help),
        handed.house.as_deref(),
    ];
    let paragraphs: Vec<String> =
        paragraphs.into_iter().flatten().map(|text| fill(text, &values)).collect();
    (fill(subject, &values), format!("{}\n", paragraphs.join("\n\n")))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::relink::CreatedRelink;

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
            texts.replaced,
            texts.revoked,
            texts.not_now,
            texts.unknown,
            texts.spent,
            texts.being_stored,
        ];
        let mut all: Vec<_> = endings.iter().flat_map(|end| [end.title, end.text]).collect();
        all.extend([
            texts.title,
            texts.title_first,
            texts.needs_consent,
            texts.needs_first,
            texts.needs_anew,
            texts.by_page,
            texts.by_code,
            texts.which_account,
            texts.which_account_help,
            texts.any_account,
            texts.once,
            texts.go_on,
            texts.go_on_again,
            texts.try_again,
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
            texts.mail_subject_first,
            texts.mail_greeting,
            texts.mail_house,
            texts.mail_body,
            texts.mail_body_first,
            texts.mail_body_anew,
            texts.mail_way,
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

    fn handed(need: Need) -> HandedRelink {
        HandedRelink {
            made: CreatedRelink {
                id: uuid::Uuid::nil(),
                url: "https://r.test/relink/x".into(),
                expires_at: datetime!(2026-03-04 12:30 UTC),
                account: Some("alice@example.com".into()),
            },
            service: "Cronofy".into(),
            account: Some("a…@example.com".into()),
            need,
            house: Some("Kontor".into()),
            contact: Some("help@kontor.test".into()),
            picture: None,
        }
    }

    #[test]
    fn a_link_is_sent_with_all_that_is_needed() {
        for language in Language::ALL {
            for need in [Need::First, Need::Again, Need::Anew] {
                let (subject, body) = mail(language, &handed(need));
                assert!(subject.contains("Cronofy"));
                for part in [
                    "https://r.test/relink/x",
                    "a…@example.com",
                    "12:30 UTC",
                    "Cronofy",
                    "Kontor",
                    "help@kontor.test",
                ] {
                    assert!(body.contains(part), "{body}");
                }
                assert!(!subject.contains('{') && !body.contains('{'), "{body}");
            }
        }
    }

    /// Only what is dead is said to have stopped working.
    #[test]
    fn a_mail_says_what_the_link_is_for() {
        let body = |need| mail(Language::English, &handed(need)).1;
        assert!(body(Need::Again).contains("stopped working"));
        for need in [Need::First, Need::Anew] {
            assert!(!body(need).contains("stopped working"), "{need:?}");
        }
        assert!(!body(Need::First).contains("again"));
        let nobody = HandedRelink { house: None, contact: None, ..handed(Need::Again) };
        assert!(!mail(Language::English, &nobody).1.contains("{"));
    }
}
