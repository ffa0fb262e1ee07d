//! Which connections to list, and in what order.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Reason, Standing, StateName};
use crate::domain::access::Unknown;

/// Which connections to list. Empty fields ask for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "ssr", derive(utoipa::IntoParams, utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", into_params(parameter_in = Query))]
pub struct ConnectionFilter {
    /// How it stands all in all, in the words of the overview's counts: the trouble of its client over its
    /// own state.
    pub standing: Option<Standing>,
    /// Its own state, whatever its client's is.
    pub state: Option<StateName>,
    /// Why only a person can bring it back.
    pub reason: Option<Reason>,
    /// The client's id.
    pub client: Option<Uuid>,
    /// The provider's slug.
    pub provider: Option<String>,
    /// Part of the label, the account or the external id, in any case; of one or two letters: how a
    /// word in them begins.
    pub q: Option<String>,
    /// The whole external id, as it was given. Each client may have one connection with it.
    pub external_id: Option<String>,
    /// Part of the label.
    pub label: Option<String>,
    /// Part of the name or the id of the account, whose owner gave consent.
    pub owner: Option<String>,
    /// One of the tags.
    pub tag: Option<String>,
    /// The access token ends then or later.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_after: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_before: Option<OffsetDateTime>,
    /// The refresh token ends then or later.
    #[serde(with = "time::serde::rfc3339::option")]
    pub refresh_expires_after: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub refresh_expires_before: Option<OffsetDateTime>,
    /// A human is needed then or later.
    #[serde(with = "time::serde::rfc3339::option")]
    pub needs_human_after: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub needs_human_before: Option<OffsetDateTime>,
    /// Only those whose owners were asked for less than their client asks for today. What was granted is
    /// no measure: providers rename scopes and keep quiet about some.
    #[cfg_attr(feature = "ssr", param(required = false))]
    pub drift: bool,
    /// `unknown`: only what works while nothing renews it and no end of it is known, so that it can be over before
    /// anybody is told. Not what is at providers whose access tokens have no end.
    pub end: Option<End>,
    /// Only those that came to need a person then or later, and do so still.
    #[serde(with = "time::serde::rfc3339::option")]
    pub dead_since: Option<OffsetDateTime>,
    /// The import of many that brought it, by its id.
    pub import: Option<Uuid>,
    pub sort: Option<Sort>,
}

/// What is known of a connection's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConnectionEnd))]
pub enum End {
    /// It works, nothing renews it, and nobody knows when it is over.
    Unknown,
}

impl End {
    pub const ALL: [Self; 1] = [Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for End {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|end| end.as_str() == value)
            .ok_or_else(|| Unknown { noun: "end", value: value.into() })
    }
}

/// The order of a list of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", schema(as = ConnectionSort))]
pub enum Sort {
    /// What was made last comes first.
    #[default]
    Newest,
    /// What needs a human soonest comes first.
    NeedsHumanBy,
    /// What the access token of expires first comes first.
    Expires,
    /// What the refresh token of expires first comes first.
    RefreshExpires,
    /// What was refreshed last comes first.
    Refreshed,
    /// By label.
    Label,
}

/// A filter, or nothing. serde takes a list for a struct, field by field: an empty one would be the filter that lets
/// everything through.
pub fn filter_or_none<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<ConnectionFilter>, D::Error> {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Option<ConnectionFilter>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a map")
        }

        fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
            from.deserialize_map(self)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            ConnectionFilter::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }

    from.deserialize_option(Object)
}

impl ConnectionFilter {
    /// Whether it leaves anything out.
    pub fn narrows(&self) -> bool {
        Self { sort: None, ..self.clone() } != Self::default()
    }
}

impl Sort {
    pub const ALL: [Self; 6] = [
        Self::Newest,
        Self::NeedsHumanBy,
        Self::Expires,
        Self::RefreshExpires,
        Self::Refreshed,
        Self::Label,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::NeedsHumanBy => "needs_human_by",
            Self::Expires => "expires",
            Self::RefreshExpires => "refresh_expires",
            Self::Refreshed => "refreshed",
            Self::Label => "label",
        }
    }
}

impl std::str::FromStr for Sort {
    type Err = Unknown;
    fn from_str(value: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|sort| sort.as_str() == value)
            .ok_or_else(|| Unknown { noun: "order", value: value.into() })
    }
}
