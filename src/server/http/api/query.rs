//! Query strings. A parameter that is not known is refused, so that a misspelt filter does not
//! quietly list everything.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use super::{json::NUL, problem::Problem};
use crate::server::app::explain::explain;

/// What a query string says.
pub struct Query<T>(pub T);

/// Parameters of two kinds in one query string.
pub struct Both<A, B>(pub A, pub B);

/// Something that is read from the parameters it names.
pub trait Parameters: Sized {
    fn names() -> Vec<String>;
    fn read(pairs: &[(String, String)]) -> Result<Self, Problem>;
}

impl<T: IntoParams + DeserializeOwned> Parameters for T {
    fn names() -> Vec<String> {
        let parameters = T::into_params(|| Some(ParameterIn::Query));
        parameters.into_iter().map(|parameter| parameter.name).collect()
    }

    fn read(pairs: &[(String, String)]) -> Result<Self, Problem> {
        // The names are worked out from the document; without parameters nobody needs them.
        let known = if pairs.is_empty() { Vec::new() } else { Self::names() };
        let own: Vec<_> = pairs.iter().filter(|(name, _)| known.contains(name)).collect();
        // Written out and read again, because only the reader of the written form takes a text for
        // a number or a time.
        let text = serde_urlencoded::to_string(own)
            .map_err(|_| Problem::invalid("", "the query can't be read"))?;
        let reader =
            serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(reader).map_err(|error| {
            let (field, message) = explain(error.path(), &error.inner().to_string());
            Problem::invalid(field, message)
        })
    }
}

impl<A: Parameters, B: Parameters> Parameters for Both<A, B> {
    fn names() -> Vec<String> {
        [A::names(), B::names()].concat()
    }

    fn read(pairs: &[(String, String)]) -> Result<Self, Problem> {
        Ok(Self(A::read(pairs)?, B::read(pairs)?))
    }
}

impl<S: Send + Sync, T: Parameters> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        if pairs.is_empty() {
            return T::read(&pairs).map(Self);
        }
        let known = T::names();
        for (at, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(name) {
                return Err(Problem::invalid(name, "is no parameter that is known here"));
            }
            if pairs.iter().take(at).any(|(before, _)| before == name) {
                return Err(Problem::invalid(name, "stands there more than once"));
            }
            if value.contains('\0') {
                return Err(Problem::invalid(name, NUL));
            }
        }
        T::read(&pairs).map(Self)
    }
}
