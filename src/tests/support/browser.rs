//! A browser: a cookie jar, an address, and the headers that tell where a request comes from.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use futures::{FutureExt, StreamExt, stream::BoxStream};
use serde::de::DeserializeOwned;
use tower::ServiceExt;
use url::Url;

use crate::domain::problem::Problem;

/// How long something is waited for that is about to be said.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// An answer, read to its end.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Page {
    /// What a server function or the API answered.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text))
    }

    /// What a server function refused with.
    pub fn problem(&self) -> Problem {
        assert_ne!(self.status, StatusCode::OK, "{}", self.text);
        self.json()
    }

    /// Where the browser is sent.
    pub fn location(&self) -> String {
        let location = self.headers.get(header::LOCATION);
        let location = location.unwrap_or_else(|| panic!("{}: {}", self.status, self.text));
        location.to_str().expect("an address").to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Clone)]
pub struct Browser {
    router: Router,
    origin: Url,
    pub cookies: BTreeMap<String, String>,
    /// The last `Set-Cookie`, as it was sent.
    pub set_cookie: Option<String>,
    pub address: IpAddr,
    /// All that it was answered, cookies apart.
    pub transcript: Vec<String>,
}

impl Browser {
    pub fn new(router: Router, origin: Url) -> Self {
        Self {
            router,
            origin,
            cookies: BTreeMap::new(),
            set_cookie: None,
            address: Ipv4Addr::new(192, 0, 2, 1).into(),
            transcript: Vec::new(),
        }
    }

    /// Opens an address: a path, or a URL of ours.
    pub async fn get(&mut self, address: &str) -> Page {
        let request = Request::get(self.path(address))
            .header("sec-fetch-site", "none")
            .header(header::ACCEPT, "text/html,application/xhtml+xml");
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Looks at a page again, as our script does by itself.
    pub async fn look(&mut self, address: &str) -> Page {
        let request = Request::get(self.path(address))
            .header("sec-fetch-site", "same-origin")
            .header(header::ACCEPT, "text/html")
            .header("x-look", "1");
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Presses the button of the page behind a relink.
    pub async fn begin_relink(&mut self, token: &str) -> Page {
        let request = Request::post(format!("/relink/{token}/begin"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Calls a server function as our script does.
    pub async fn call(&mut self, function: &str, form: &[(&str, &str)]) -> Page {
        self.post(function, form, "application/json").await
    }

    /// Sends a form as a browser without script does.
    pub async fn submit(&mut self, function: &str, form: &[(&str, &str)]) -> Page {
        self.post(function, form, "text/html,application/xhtml+xml").await
    }

    /// [`Browser::submit`], from a page of ours, to which the form leads back.
    pub async fn submit_on(&mut self, page: &str, function: &str, form: &[(&str, &str)]) -> Page {
        let from = format!("{}{page}", self.origin.as_str().trim_end_matches('/'));
        let request = Request::post(format!("/rpc/{function}"))
            .header("sec-fetch-site", "same-origin")
            .header(header::REFERER, from)
            .header(header::ACCEPT, "text/html,application/xhtml+xml");
        self.send(form_of(request, form)).await
    }

    async fn post(&mut self, function: &str, form: &[(&str, &str)], accept: &str) -> Page {
        let request = Request::post(format!("/rpc/{function}"))
            .header("sec-fetch-site", "same-origin")
            .header(header::ACCEPT, accept);
        self.send(form_of(request, form)).await
    }

    /// Begins to hear what is said to pages that are open; of one connection too, where `of` is its id.
    pub async fn listen(&mut self, of: &str) -> Ear {
        let address = if of.is_empty() { "/live".to_owned() } else { format!("/live?of={of}") };
        let request = Request::get(address).body(Body::empty()).expect("a request");
        let answer = self.ask(request).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        let mut ear = Ear(Box::pin(answer.into_body().into_data_stream()));
        assert_eq!(ear.next().await.as_deref(), Some("retry: 300\n\n"), "how soon to come again");
        ear
    }

    /// Sends any request, with this browser's cookies, from its address.
    pub async fn send(&mut self, request: Request<Body>) -> Page {
        let response = self.ask(request).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str().expect("a cookie"));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let told = parts.headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
        let told: Vec<_> = told.map(|(name, value)| format!("{name}: {value:?}")).collect();
        self.transcript.push(format!("{} {} {text}", parts.status, told.join(", ")));
        Page { status: parts.status, headers: parts.headers, text }
    }

    async fn ask(&self, mut request: Request<Body>) -> Response {
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let cookies = cookies.join("; ").parse().expect("cookies");
            request.headers_mut().insert(header::COOKIE, cookies);
        }
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.address, 4711)));
        self.router.clone().oneshot(request).await.expect("infallible")
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, rest) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').expect("a name and a value");
        if value.is_empty() || rest.to_ascii_lowercase().contains("max-age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        self.set_cookie = Some(cookie.to_owned());
    }

    fn path(&self, address: &str) -> String {
        let ours = self.origin.as_str().trim_end_matches('/');
        address.strip_prefix(ours).unwrap_or(address).to_owned()
    }
}

/// What is said to one page.
pub struct Ear(BoxStream<'static, Result<Bytes, axum::Error>>);

impl Ear {
    /// What is said next, as it is sent; `None`: there will be no more.
    pub async fn next(&mut self) -> Option<String> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("in time");
        next.map(|said| String::from_utf8_lossy(&said.expect("an event")).into_owned())
    }

    /// Whether nothing is said that was not heard.
    pub fn is_silent(&mut self) -> bool {
        self.0.next().now_or_never().is_none()
    }
}

/// A form as the body of a request.
pub fn form_of(request: axum::http::request::Builder, form: &[(&str, &str)]) -> Request<Body> {
    let body = serde_urlencoded::to_string(form).expect("pairs of text");
    request
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .expect("a request")
}
