//! A program: an API key, and an eye on whether each answer is what the document promises.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use serde_json::Value;
use tower::ServiceExt;

use super::{Page, World};
use crate::{domain::access::Scope, tests::api::contract::Contract};

pub struct Program {
    router: Router,
    key: Option<String>,
    pub contract: Contract,
}

impl World {
    /// A program with a new key.
    pub async fn program(&self, scopes: &[Scope]) -> Program {
        let key = self.key(scopes).await;
        self.program_with(Some(&key)).await
    }

    pub async fn program_with(&self, key: Option<&str>) -> Program {
        let router = self.router();
        let contract = Contract::read(&router).await;
        Program { router, key: key.map(Into::into), contract }
    }
}

impl Program {
    pub async fn get(&self, path: &str) -> Page {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Page {
        self.call(Method::POST, path, Some(body)).await
    }

    /// POST without a body.
    pub async fn press(&self, path: &str) -> Page {
        self.call(Method::POST, path, None).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Page {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Page {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Page {
        self.call(Method::DELETE, path, None).await
    }

    /// Calls a path below `/api/v1`.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Page {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).expect("a request")).await
    }

    /// Sends any request with this program's key.
    pub async fn send(&self, mut request: Request<Body>) -> Page {
        if let Some(key) = &self.key {
            let value = format!("Bearer {key}").parse().expect("a header");
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let page = Page { status: parts.status, headers: parts.headers, text };
        self.contract.check(&method, &path, &page);
        page
    }
}

impl Page {
    /// The answer of a call that worked.
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        self.json()
    }

    /// The status and the code of a problem.
    pub fn refusal(&self) -> (u16, String) {
        let body: Value = self.json();
        (self.status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The first field that a problem names.
    pub fn field(&self) -> String {
        let body: Value = self.json();
        body["fields"][0]["field"].as_str().unwrap_or_default().to_owned()
    }
}
