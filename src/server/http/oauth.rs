//! The browser's way to the provider and back.

use axum::{
    Extension, Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use tower_sessions::Session;

use super::{relink, router::Web, session};
use crate::{
    domain::voice::visitor,
    server::app::{
        self, Actor, App,
        connection::flow::{self, Callback, Landing, Outcome},
    },
    ui::path,
};

pub fn routes() -> Router<Web> {
    Router::new().route("/oauth/start/{token}", get(start)).route("/oauth/callback", get(callback))
}

/// Begins a flow: binds it to this browser and goes to the provider.
async fn start(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Response {
    let begun = async {
        if !flow::is_open(&app, &token).await? {
            return Err(app::Error::NotFound("authorization in progress; begin again"));
        }
        let browser = session::browser(&app, &session)
            .await
            .map_err(|error| app::Error::Internal(error.into()))?;
        flow::begin(&app, &token, &browser).await
    };
    match begun.await {
        Ok(url) => private(leave(&headers, &url)),
        Err(error) => {
            if matches!(error, app::Error::Internal(_)) {
                tracing::error!(error = format!("{error:#}"), "a flow could not begin");
            }
            let kind = match error {
                app::Error::NotFound(_) => path::SPENT,
                _ => Outcome::Failed.as_str(),
            };
            private(Redirect::to(&path::outcome(kind)).into_response())
        }
    }
}

/// Leaves for the provider. When a form of ours led here, a redirect would be held against the
/// page's `form-action`, so a page in between goes on by itself.
fn leave(headers: &HeaderMap, url: &str) -> Response {
    let from_our_page = headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    if !from_our_page {
        return Redirect::to(url).into_response();
    }
    let url = escape(url);
    let language = relink::preferred(headers);
    let (tag, texts) = (language.tag(), visitor::texts(language));
    let (on_the_way, go_now) = (texts.on_the_way, texts.go_now);
    Html(format!(
        "<!DOCTYPE html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"0;url={url}\">\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\"><title>{on_the_way}</title></head>\
         <body><p>{on_the_way} <a href=\"{url}\">{go_now}</a></p></body></html>"
    ))
    .into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The one redirect URI. Answers with a redirect to an address without the code.
async fn callback(
    State(app): State<App>,
    session: Session,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let done = async {
        // Only read here: a browser that began nothing is given no session.
        let browser = session::known_browser(&session)
            .await
            .map_err(|error| app::Error::Internal(error.into()))?;
        let Some(browser) = browser else {
            return Ok(Landing::lost(Outcome::Expired));
        };
        let callback = Callback::parse(query.as_deref().unwrap_or_default());
        flow::complete(&app, &browser, callback).await
    };
    let landing = done.await.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "a callback failed");
        Landing::lost(Outcome::Failed)
    });
    let again = match relink::left_by(&headers) {
        Some(token) => back_to(&app, landing, token).await,
        _ => None,
    };
    private(again.unwrap_or_else(|| land(landing, &actor)))
}

/// To the page behind the link by which this browser left: there is the way to try again.
async fn back_to(app: &App, landing: Landing, token: String) -> Option<Response> {
    let outcome = landing.outcome.filter(|outcome| *outcome != Outcome::Done)?;
    let is_it = app::relink::is_for(app, &token, landing.relink_id?).await;
    let is_it = is_it.inspect_err(|error| tracing::error!(%error, "a relink can't be looked up"));
    is_it.ok()?.then(|| Redirect::to(&path::relink_again(&token, outcome)).into_response())
}

fn land(landing: Landing, actor: &Actor) -> Response {
    let outcome = landing.outcome.map_or(path::BEING_STORED, Outcome::as_str);
    match landing.connection_id {
        Some(id) if matches!(actor, Actor::User { .. }) => {
            Redirect::to(&match (landing.outcome, landing.home) {
                (Some(Outcome::Done), _) => format!("/connections/{id}?connected=1"),
                (_, Some(home)) => format!("/connections/{id}?problem={outcome}&home={home}"),
                (_, None) => format!("/connections/{id}?problem={outcome}"),
            })
        }
        _ => Redirect::to(&path::outcome(outcome)),
    }
    .into_response()
}

/// Nothing of this exchange is to be kept or told on.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::access::Role;

    fn goes_to(landing: Landing, actor: &Actor) -> String {
        let response = land(landing, actor);
        response.headers()[header::LOCATION].to_str().expect("an address").to_owned()
    }

    /// Neither that it worked nor that it failed is known.
    #[test]
    fn what_is_not_stored_yet_is_not_said_to_have_failed() {
        let id = Uuid::from_u128(7);
        let user = Actor::User { id, email: "a@example.com".into(), role: Role::Admin };
        let landing =
            Landing { outcome: None, connection_id: Some(id), relink_id: None, home: None };
        assert_eq!(goes_to(landing, &user), format!("/connections/{id}?problem=being_stored"));
        assert_eq!(goes_to(landing, &Actor::Anonymous), "/relink/outcome/being_stored");
    }
}
