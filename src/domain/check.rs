//! Whether a provider accepts a client's credentials, found out apart from any grant: what can be asked,
//! what an answer means, and what is found.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    provider::{AuthenticationMethod, Call, GrantType, Profile, Renewal},
    refusal::ErrorClass,
};

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub enum Finding {
    Accepted,
    Refused,
    /// It can't be told here.
    Unknown,
}

impl Finding {
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Refused, Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// What a provider can be asked, in this order: what gives nothing comes before what gives a token. A server
/// authenticates the client before it looks at anything else, so that what it says of a token which never
/// was tells how it took the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = CheckedBy))]
pub enum Way {
    /// What a made-up token is (RFC 7662 section 2.1).
    Introspection,
    /// That a made-up token be revoked (RFC 7009 section 2.1).
    Revocation,
    /// That a made-up code be redeemed (RFC 6749 section 4.1.3).
    Code,
    /// A refresh with a made-up token (RFC 6749 section 6).
    RefreshToken,
    /// A token of the client's own (RFC 6749 section 4.4).
    ClientCredentials,
}

impl Way {
    pub const ALL: [Self; 5] = [
        Self::Introspection,
        Self::Revocation,
        Self::Code,
        Self::RefreshToken,
        Self::ClientCredentials,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::Code => "code",
            Self::RefreshToken => "refresh_token",
        }
    }

    pub fn call(self) -> Call {
        match self {
            Self::ClientCredentials => Call::ClientCredentials,
            Self::Introspection => Call::Introspection,
            Self::Revocation => Call::Revocation,
            Self::Code => Call::Exchange,
            Self::RefreshToken => Call::Refresh,
        }
    }

    /// The ways that a profile has, for a client with or without a secret. A call that does not show the
    /// secret tells nothing of it; and whoever has none is not let in where tokens are looked up.
    pub fn of(profile: &Profile, has_secret: bool) -> Vec<Self> {
        let tells = |way: Self| match has_secret {
            true => {
                let method = profile.request.authentication(way.call()).method;
                method != AuthenticationMethod::None
            }
            false => matches!(way, Self::Code | Self::RefreshToken),
        };
        let endpoints = &profile.endpoints;
        let is_there = |way: Self| match way {
            Self::ClientCredentials => {
                let renews = profile.renewal == Renewal::ClientCredentials;
                profile.allows(GrantType::ClientCredentials) || renews
            }
            Self::Introspection => endpoints.introspection.is_some(),
            Self::Revocation => endpoints.revocation.is_some(),
            Self::Code => profile.allows(GrantType::AuthorizationCode),
            Self::RefreshToken => profile.renewal == Renewal::RefreshToken,
        };
        Self::ALL.into_iter().filter(|way| is_there(*way) && tells(*way)).collect()
    }
}

/// What one answer says of the credentials that it was asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Accepted,
    Refused,
    /// Neither the one nor the other.
    Unclear,
    /// No answer came, or one that puts us off: nobody is asked any further.
    Unanswered,
    /// Our request could not be made.
    Unsent,
    /// The profile has no such address after all.
    Nowhere,
}

/// What a refusal that was sent says of the client (RFC 6749 section 5.2). `invalid_client`, or what the
/// profile knows to mean the same, refuses it; a refusal of the grant comes from a server that knows who
/// asks. `unauthorized_client` is said by some of a client that they know and by others of one that they
/// don't.
pub fn weigh(class: ErrorClass, status: Option<u16>, code: Option<&str>) -> Heard {
    let is = |known: &str| code.is_some_and(|code| code.eq_ignore_ascii_case(known));
    match (class, status) {
        (ErrorClass::GrantRefused, _) => Heard::Accepted,
        (ErrorClass::ClientRefused, _) if !is("unauthorized_client") => Heard::Refused,
        (ErrorClass::RequestRefused, Some(401)) if code.is_none() => Heard::Refused,
        (ErrorClass::RateLimited, _) | (_, None | Some(408 | 425 | 500..)) => Heard::Unanswered,
        _ => Heard::Unclear,
    }
}

/// Why it can't be told. Of several reasons the last in this order is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = CheckDoubt))]
pub enum Doubt {
    /// The provider can't be asked anything that would tell.
    NoWay,
    /// The one question left might end the tokens of the client's connections.
    InUse,
    /// Where to ask is known only once a connection fills it in.
    PerConnection,
    /// The request could not be made; `said` has our own words.
    Unsent,
    /// The provider answers made-up credentials alike.
    Indifferent,
    /// The provider was asked, and the client's limits left no turn for the question that would prove it.
    NoTurn,
    /// The answer says neither.
    Unclear,
    /// No answer came, or the provider asks for a pause.
    Unanswered,
}

impl Doubt {
    pub const ALL: [Self; 8] = [
        Self::NoWay,
        Self::InUse,
        Self::PerConnection,
        Self::Unsent,
        Self::Indifferent,
        Self::NoTurn,
        Self::Unclear,
        Self::Unanswered,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoWay => "no_way",
            Self::InUse => "in_use",
            Self::PerConnection => "per_connection",
            Self::Unsent => "unsent",
            Self::Indifferent => "indifferent",
            Self::NoTurn => "no_turn",
            Self::Unclear => "unclear",
            Self::Unanswered => "unanswered",
        }
    }
}

/// A provider's words, without what was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = CheckAnswer))]
pub struct Said {
    pub status: Option<u16>,
    pub code: Option<String>,
    pub description: Option<String>,
}

/// Whether the provider accepts a client's credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CredentialCheck {
    pub finding: Finding,
    /// Whether a secret was shown; otherwise it is about the client id alone.
    pub with_secret: bool,
    /// What was asked that told it. Null: it can't be told.
    pub way: Option<Way>,
    /// Why it can't be told, if it can't.
    pub doubt: Option<Doubt>,
    /// What the provider said, where that says more than the finding.
    pub said: Option<Said>,
    #[serde(with = "time::serde::rfc3339")]
    pub checked_at: OffsetDateTime,
}

/// What is gathered from one question after the other.
#[derive(Debug, Default)]
pub struct Inquiry {
    accepted: Option<Way>,
    refused: Option<(Way, Option<Said>)>,
    doubt: Option<(Doubt, Option<Said>)>,
}

impl Inquiry {
    pub fn accept(&mut self, way: Way) {
        self.accepted = Some(way);
    }

    /// The first refusal is what is told; another question may still be answered with a yes, which no
    /// server says by chance, as it may say a no.
    pub fn refuse(&mut self, way: Way, said: Option<Said>) {
        self.refused.get_or_insert((way, said));
    }

    pub fn doubt(&mut self, doubt: Doubt, said: Option<Said>) {
        if self.doubt.as_ref().is_none_or(|(known, _)| *known < doubt) {
            self.doubt = Some((doubt, said));
        }
    }

    pub fn end(self, with_secret: bool, checked_at: OffsetDateTime) -> CredentialCheck {
        let told = |finding, (way, said): (Way, Option<Said>)| (finding, Some(way), None, said);
        let (finding, way, doubt, said) = match (self.accepted, self.refused) {
            (Some(way), _) => told(Finding::Accepted, (way, None)),
            (None, Some(refused)) => told(Finding::Refused, refused),
            (None, None) => {
                let (doubt, said) = self.doubt.unwrap_or((Doubt::NoWay, None));
                (Finding::Unknown, None, Some(doubt), said)
            }
        };
        CredentialCheck { finding, with_secret, way, doubt, said, checked_at }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::provider::{Authentication, RequestOverride};

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    #[test]
    fn a_refusal_of_the_grant_accepts_the_client_and_only_a_clear_no_refuses_it() {
        use ErrorClass::*;
        for (class, status, code, heard) in [
            (GrantRefused, Some(400), Some("invalid_grant"), Heard::Accepted),
            (ClientRefused, Some(401), Some("invalid_client"), Heard::Refused),
            // A profile's rule, or a challenge without a body.
            (ClientRefused, Some(400), Some("BAD_SECRET"), Heard::Refused),
            (ClientRefused, Some(401), None, Heard::Refused),
            (RequestRefused, Some(401), None, Heard::Refused),
            (ClientRefused, Some(400), Some("Unauthorized_Client"), Heard::Unclear),
            (RequestRefused, Some(401), Some("invalid_token"), Heard::Unclear),
            (RequestRefused, Some(400), None, Heard::Unclear),
            (RequestRefused, Some(403), Some("access_denied"), Heard::Unclear),
            (ScopeRefused, Some(400), Some("invalid_scope"), Heard::Unclear),
            (Transient, Some(404), None, Heard::Unclear),
            (AnswerLost, Some(200), None, Heard::Unclear),
            (AnswerLost, None, None, Heard::Unanswered),
            (Transient, None, None, Heard::Unanswered),
            (Transient, Some(503), None, Heard::Unanswered),
            (RateLimited, Some(429), None, Heard::Unanswered),
        ] {
            assert_eq!(weigh(class, status, code), heard, "{class:?} {status:?} {code:?}");
        }
    }

    fn profile() -> Profile {
        let mut profile = Profile::new("a", "A");
        profile.endpoints.token = Some("https://a.example/token".into());
        profile
    }

    #[test]
    fn a_profile_has_the_ways_it_names_where_the_secret_is_shown() {
        let mut one = profile();
        assert_eq!(Way::of(&one, true), [Way::Code, Way::RefreshToken]);
        one.grants.push(GrantType::ClientCredentials);
        one.endpoints.introspection = Some("https://a.example/introspect".into());
        one.endpoints.revocation = Some("https://a.example/revoke".into());
        assert_eq!(Way::of(&one, true), Way::ALL);
        assert_eq!(Way::of(&one, false), [Way::Code, Way::RefreshToken]);
        let public = Authentication { method: AuthenticationMethod::None, ..Default::default() };
        one.request.revocation =
            RequestOverride { authentication: Some(public.clone()), ..Default::default() };
        assert!(!Way::of(&one, true).contains(&Way::Revocation));
        one.request.authentication = public;
        assert_eq!(Way::of(&one, true), [], "a secret that is shown nowhere");

        let mut own = profile();
        (own.grants, own.renewal) = (Vec::new(), Renewal::ClientCredentials);
        assert_eq!(Way::of(&own, true), [Way::ClientCredentials]);
        (own.grants, own.renewal) = (vec![GrantType::DeviceCode], Renewal::None);
        assert_eq!(Way::of(&own, true), []);
    }

    #[test]
    fn a_yes_outweighs_a_no_and_a_no_outweighs_a_doubt() {
        let said = |text: &str| Some(Said { code: Some(text.into()), ..Said::default() });
        let mut inquiry = Inquiry::default();
        inquiry.doubt(Doubt::Unclear, said("odd"));
        inquiry.doubt(Doubt::InUse, None);
        inquiry.refuse(Way::Introspection, said("first"));
        inquiry.refuse(Way::Code, said("second"));
        let found = inquiry.end(true, NOW);
        assert_eq!((found.finding, found.way), (Finding::Refused, Some(Way::Introspection)));
        assert_eq!((found.doubt, found.said), (None, said("first")));

        let mut inquiry = Inquiry::default();
        inquiry.refuse(Way::Introspection, said("first"));
        inquiry.accept(Way::Code);
        let found = inquiry.end(true, NOW);
        assert_eq!(
            (found.finding, found.way, found.said),
            (Finding::Accepted, Some(Way::Code), None)
        );

        let mut inquiry = Inquiry::default();
        inquiry.doubt(Doubt::InUse, None);
        inquiry.doubt(Doubt::Unclear, said("odd"));
        inquiry.doubt(Doubt::Indifferent, None);
        let found = inquiry.end(false, NOW);
        assert_eq!((found.finding, found.doubt), (Finding::Unknown, Some(Doubt::Unclear)));
        assert_eq!((found.way, found.said, found.with_secret), (None, said("odd"), false));
        assert_eq!(Inquiry::default().end(true, NOW).doubt, Some(Doubt::NoWay));
    }

    #[test]
    fn names_are_those_of_the_interface() {
        for way in Way::ALL {
            assert_eq!(serde_json::to_value(way).unwrap(), way.as_str());
        }
        for doubt in Doubt::ALL {
            assert_eq!(serde_json::to_value(doubt).unwrap(), doubt.as_str());
        }
        for finding in Finding::ALL {
            assert_eq!(serde_json::to_value(finding).unwrap(), finding.as_str());
        }
        assert!(Doubt::ALL.is_sorted());
    }
}
