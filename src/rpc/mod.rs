//! What the browser can ask of the server. Each function says who asks, calls one use case, and
//! translates the answer; the rules are in `server::app`.
//!
//! All of them are POST under `/rpc`, which the router guards against other origins.

pub mod api_key;
pub mod audit;
pub mod brand;
pub mod campaign;
pub mod client;
pub mod connection;
pub mod dry_run;
pub mod import;
pub mod incident;
pub mod job;
pub mod overview;
pub mod provider;
pub mod rehearsal;
pub mod relink;
pub mod saved_filter;
pub mod session;
pub mod user;

use leptos::{
    prelude::{FromServerFnError, ServerFnErrorErr},
    server_fn::codec::JsonEncoding,
};

use crate::domain::problem::{Code, Problem};

/// What every function here answers.
pub type Answer<T> = Result<T, Problem>;

impl FromServerFnError for Problem {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let (code, message) = match error {
            ServerFnErrorErr::Request(_) => {
                (Code::Internal, "Regrant can't be reached just now. Try again in a moment.".into())
            }
            ServerFnErrorErr::Args(what)
            | ServerFnErrorErr::MissingArg(what)
            | ServerFnErrorErr::Deserialization(what) => {
                (Code::Invalid, format!("The form could not be read: {what}"))
            }
            _ => (Code::Internal, "Something went wrong in Regrant. Try again.".into()),
        };
        Problem { code, message, fields: Vec::new(), request_id: None }
    }
}

/// Empty text means that nothing was entered.
#[cfg(feature = "ssr")]
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Words separated by blanks or commas, as people type scopes and tags.
#[cfg(feature = "ssr")]
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split([' ', ',', '\n', '\r', '\t'])
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect()
}
