//! The HTTP status of the page being rendered; of no meaning in the browser.

/// Answers with this status instead of 200.
pub fn answer_with(status: u16) {
    #[cfg(feature = "ssr")]
    if let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = status.try_into()
    {
        response.set_status(status);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = status;
}
