//! How the house shows itself to people outside of it, on the page behind a relink.

use serde::{Deserialize, Serialize};

/// A logo has no more bytes than this.
pub const LOGO_LIMIT: usize = 100 * 1024;
/// A name or a contact has no more characters than this.
pub const TEXT_LIMIT: usize = 80;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Brand {
    /// Who asks; `Regrant` unless said.
    pub name: String,
    /// The colour of the page's button, as `#rrggbb`.
    pub color: Option<String>,
    /// Who helps: an e-mail address, a telephone number, an address of a page, or a name.
    pub contact: Option<String>,
    pub has_logo: bool,
    /// Another one whenever something was changed.
    pub version: String,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: "Regrant".into(),
            color: None,
            contact: None,
            has_logo: false,
            version: "0".into(),
        }
    }
}

/// What can be said of the house. What is absent or empty is as it is without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NewBrand {
    pub name: String,
    /// As `#rrggbb`.
    pub color: Option<String>,
    pub contact: Option<String>,
}

/// A colour of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

const WHITE: Color = Color([255; 3]);
const BLACK: Color = Color([0; 3]);

impl Color {
    /// Reads `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    pub fn text(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// The ink that is read best on it. One of the two always has 4.5 : 1 (WCAG 1.4.3).
    pub fn ink(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// How well one is read on the other, from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

/// Where a contact leads, if it is more than a name.
pub fn contact_link(contact: &str) -> Option<String> {
    let plain = |text: &str| !text.contains(char::is_whitespace);
    if contact.starts_with("https://") && plain(contact) {
        return Some(contact.to_owned());
    }
    let number = |c: char| c.is_ascii_digit() || "+ -/()".contains(c);
    if contact.chars().all(number) && contact.chars().filter(char::is_ascii_digit).count() > 4 {
        let digits: String = contact.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        return Some(format!("tel:{digits}"));
    }
    let (name, host) = contact.split_once('@')?;
    let safe = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    let address =
        !name.is_empty() && host.contains('.') && (name.to_owned() + host).chars().all(safe);
    address.then(|| format!("mailto:{contact}"))
}

/// Whether a contact is meant as an address that browsers know by its scheme, and is none that
/// [`contact_link`] leads to: nobody could use it. A name may have a colon with a blank behind it.
pub fn is_odd_contact(contact: &str) -> bool {
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
    };
    contact_link(contact).is_none()
        && contact.split_once(':').is_some_and(|(scheme, rest)| {
            is_scheme(scheme) && !rest.is_empty() && !rest.starts_with(char::is_whitespace)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_readable_on_every_color() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let color = Color([red, green, blue]);
                    assert!(color.contrast(color.ink()) >= 4.5, "{color:?}");
                }
            }
        }
        assert_eq!(
            Color::parse("#FFcc00").map(|color| color.ink().text()).as_deref(),
            Some("#000000")
        );
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
    }

    #[test]
    fn only_colors_are_read() {
        for wrong in ["", "#fff", "red", "#12345g", "#1234567", "#12é45", "#12345;", "+12345"] {
            assert_eq!(Color::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Color::parse("#0a141e"), Some(Color([10, 20, 30])));
    }

    #[test]
    fn a_contact_is_no_address_that_leads_nowhere() {
        for odd in
            ["javascript:alert(1)", "http://example.com", "mailto:help@example.com", "tel:123"]
        {
            assert!(is_odd_contact(odd), "{odd}");
        }
        for fine in
            ["help@example.com", "+49 30 123456", "https://example.com/help", "Help: ask Bob"]
        {
            assert!(!is_odd_contact(fine), "{fine}");
        }
    }

    #[test]
    fn a_contact_leads_only_where_it_says() {
        for (contact, link) in [
            ("help@example.com", Some("mailto:help@example.com")),
            ("+49 (30) 123-456", Some("tel:+4930123456")),
            ("https://example.com/help", Some("https://example.com/help")),
            ("javascript:alert(1)@x.y", None),
            ("your account manager", None),
            ("http://example.com", None),
            ("help@example.com?bcc=eve", None),
            ("1234", None),
        ] {
            assert_eq!(contact_link(contact).as_deref(), link, "{contact}");
        }
    }
}
