//! What became of a form that worked.
//!
//! A form posts to a server function, which sends the browser back to the page it came from. What
//! went wrong travels in the address (`__err`); so does, by this, which function did its work, and
//! the page says it, also when that is another page. Our own script is told where to go instead of being sent there: it shows the
//! page without losing what was typed, and it could not follow to another site.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use url::Url;

use crate::{
    domain::voice,
    ui::path::{self, DONE},
};

/// Says that our script sent the form and reads the answer.
pub const SENT_BY: HeaderName = HeaderName::from_static("x-sent-by");
/// Where our script goes next.
const GO_TO: HeaderName = HeaderName::from_static("x-go-to");

/// By which a function says which of the things it can do it did.
pub(super) const DID: HeaderName = HeaderName::from_static("x-did");

/// Names the function in the address that a form without problems leads back to.
pub async fn mark(request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/rpc/") {
        return next.run(request).await;
    }
    let mut function = request.uri().path().to_owned();
    let page = address(request.headers(), header::REFERER);
    let scripted = request.headers().contains_key(SENT_BY);
    let mut response = next.run(request).await;
    if let Some(did) = response.headers_mut().remove(DID) {
        function = path::done(did.to_str().unwrap_or_default());
    }
    if response.status() != StatusCode::FOUND {
        return response;
    }
    if let Some(page) = page
        && let Some(target) = leads_to(&page, response.headers())
        && let Some(marked) = marked(&page, target, &function)
        && let Ok(value) = HeaderValue::from_str(marked.as_str())
    {
        response.headers_mut().insert(header::LOCATION, value);
    }
    if scripted && let Some(to) = response.headers_mut().remove(header::LOCATION) {
        response.headers_mut().insert(GO_TO, to);
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}

/// `None` where the function leads somewhere else than back, and nothing is said there.
fn marked(page: &Url, mut target: Url, function: &str) -> Option<Url> {
    let told = path::was_done(function).and_then(voice::done).is_some();
    if page.origin() != target.origin() || (page.path() != target.path() && !told) {
        return None;
    }
    let pairs: Vec<(String, String)> =
        target.query_pairs().into_owned().filter(|(name, _)| name != DONE).collect();
    let failed = pairs.iter().any(|(name, _)| name == "__err");
    target.set_query(None);
    if !pairs.is_empty() {
        target.query_pairs_mut().extend_pairs(pairs);
    }
    if !failed {
        target.query_pairs_mut().append_pair(DONE, function);
    }
    Some(target)
}

/// Where the browser is sent from a page. A function that sends it back by itself has its own words there.
fn leads_to(page: &Url, headers: &HeaderMap) -> Option<Url> {
    let to = headers.get(header::LOCATION)?.to_str().ok()?;
    let elsewhere = || page.join(to).ok().filter(|to| to.path() != page.path());
    Url::parse(to).ok().or_else(elsewhere)
}

fn address(headers: &HeaderMap, name: HeaderName) -> Option<Url> {
    Url::parse(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(page: &str, target: &str) -> Option<String> {
        let [page, target] = [page, target].map(|text| Url::parse(text).unwrap());
        marked(&page, target, "/rpc/user/update").map(String::from)
    }

    #[test]
    fn the_way_back_names_what_worked() {
        let page = "https://r.test/users?role=admin";
        let done = "https://r.test/users?role=admin&__done=%2Frpc%2Fuser%2Fupdate";
        assert_eq!(back(page, page).as_deref(), Some(done));
        assert_eq!(back(done, done).as_deref(), Some(done), "once is enough");
    }

    #[test]
    fn what_failed_is_not_done_and_forgets_what_was() {
        let page = "https://r.test/users?__done=%2Frpc%2Fuser%2Fadd";
        let failed = "https://r.test/users?__done=%2Frpc%2Fuser%2Fadd&__path=p&__err=e";
        assert_eq!(back(page, failed).as_deref(), Some("https://r.test/users?__path=p&__err=e"));
    }

    #[test]
    fn a_way_to_elsewhere_is_left_alone() {
        assert_eq!(back("https://r.test/users", "https://r.test/clients"), None);
        assert_eq!(back("https://r.test/users", "https://other.test/users"), None);
    }

    #[test]
    fn what_is_gone_is_said_where_one_gets_to() {
        let [page, target] = ["https://r.test/clients/1", "https://r.test/clients"];
        let [page, target] = [page, target].map(|text| Url::parse(text).unwrap());
        let there = marked(&page, target, "/rpc/client/delete").map(String::from);
        let done = "https://r.test/clients?__done=%2Frpc%2Fclient%2Fdelete";
        assert_eq!(there.as_deref(), Some(done));
    }
}
