//! The languages that people outside the house are spoken to in.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::access::Unknown;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Language {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "de")]
    German,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag (RFC 5646).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What fits an `Accept-Language` best (RFC 9110 section 12.5.4); English if nothing does.
    pub fn accepted(header: &str) -> Self {
        let mut best = (0.0, Self::default());
        for part in header.split(',').take(32) {
            let mut pieces = part.split(';');
            let tag = pieces.next().unwrap_or_default().trim();
            let primary = tag.split('-').next().unwrap_or_default();
            let weight = pieces
                .find_map(|piece| piece.trim().strip_prefix("q=")?.trim().parse::<f32>().ok())
                .unwrap_or(1.0);
            if let Ok(language) = primary.to_ascii_lowercase().parse()
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }
}

impl FromStr for Language {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|language| language.tag() == value)
            .ok_or_else(|| Unknown { noun: "language", value: value.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, English, German};

    #[test]
    fn the_language_that_is_liked_best_is_taken() {
        for (header, taken) in [
            ("", English),
            ("de", German),
            ("de-AT,de;q=0.9,en;q=0.8", German),
            ("en-GB,en;q=0.9,de;q=0.8", English),
            ("fr-FR, de;q=0.5, en;q=0.3", German),
            ("fr", English),
            ("DE;q=0, en;q=0.1", English),
            ("en;q=0.2,de;q=0.7", German),
            ("de;q=nonsense", German),
            ("*", English),
        ] {
            assert_eq!(Language::accepted(header), taken, "{header}");
        }
    }
}
