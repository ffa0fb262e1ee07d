//! Why a file was refused, where no script showed it.

use leptos::{prelude::*, server_fn::error::ServerFnUrlError};
use leptos_router::hooks::use_query_map;

use crate::{domain::problem::Problem, ui::components::notice::said};

/// What became of the file that the form at this address sent before.
pub fn refused(form: &str) -> Option<AnyView> {
    let params = use_query_map().get_untracked();
    let error = params.get_str("__err").filter(|_| params.get_str("__path") == Some(form))?;
    let problem = ServerFnUrlError::<Problem>::decode_err(error);
    Some(view! { <div role="status">{said(false, problem.message)}</div> }.into_any())
}
