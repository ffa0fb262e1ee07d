//! Refusals in the form of RFC 9457, and the one place where internal errors are logged.
//!
//! A problem travels in the response's extensions until [`complete`], which knows the request's id,
//! writes it out. So a fallback, a panic and a use case end in the same form.

use std::any::Any;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use time::Duration;
use utoipa::ToSchema;

use crate::{
    domain::{
        access::{Permission, Scope},
        connection::Reason,
        problem::{self, FieldProblem, Obstacle},
    },
    server::app,
};

pub const CONTENT_TYPE: &str = "application/problem+json";

/// A stable name for the kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemCode)]
pub enum Code {
    /// The body is not JSON.
    Malformed,
    /// The API key is missing, unknown or revoked.
    Unauthenticated,
    /// The API key's scopes do not allow this.
    Forbidden,
    /// There is no such thing, or no such path.
    NotFound,
    /// The path is right and the method is not; `Allow` says which are.
    MethodNotAllowed,
    /// It can't be done in the present state; `reason` says why, and `detail` also what to do.
    Conflict,
    /// Only a person can bring the connection back; `reason` says why.
    ReauthRequired,
    /// The body is too large.
    TooLarge,
    /// The body is not declared as `application/json`, or as what this call takes.
    UnsupportedMediaType,
    /// `fields` says what is wrong.
    Invalid,
    /// Too many tries; `Retry-After` says how long to wait.
    RateLimited,
    /// Our own fault; the log has more under `request_id`.
    Internal,
    /// The provider gives no usable answer at present.
    ProviderUnavailable,
    /// Our database gives no answer at present, or we have too much to do at once; nothing is lost by
    /// trying again.
    Unavailable,
}

impl Code {
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::ReauthRequired,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::RateLimited,
        Self::Internal,
        Self::ProviderUnavailable,
        Self::Unavailable,
    ];

    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict | Self::ReauthRequired => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ProviderUnavailable | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<problem::Code> for Code {
    fn from(code: problem::Code) -> Self {
        match code {
            problem::Code::Unauthenticated => Self::Unauthenticated,
            problem::Code::Forbidden => Self::Forbidden,
            problem::Code::NotFound => Self::NotFound,
            problem::Code::Conflict => Self::Conflict,
            problem::Code::Invalid => Self::Invalid,
            problem::Code::ReauthRequired => Self::ReauthRequired,
            problem::Code::ProviderUnavailable => Self::ProviderUnavailable,
            problem::Code::RateLimited => Self::RateLimited,
            problem::Code::Unavailable => Self::Unavailable,
            problem::Code::Internal => Self::Internal,
        }
    }
}

/// What tells the problems of one code apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ProblemReason)]
pub enum Why {
    Dead(Reason),
    Conflict(Obstacle),
}

/// How soon a caller may try again when the database does not answer.
const DATABASE_WAIT: Duration = Duration::seconds(2);

/// How soon, when there is too much to do.
const BUSY_WAIT: Duration = Duration::seconds(30);

/// What a caller is told when something did not work (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells the kinds apart.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// A sentence for people: what happened and what to do.
    detail: String,
    code: Code,
    /// Which fields are wrong, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    fields: Vec<FieldProblem>,
    /// With the code `reauth_required`: why a person is needed. With `conflict`: why it can't be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Why>,
    /// By which the server's log can be searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    retry_after: Option<Duration>,
    /// What the API key would need.
    #[serde(skip)]
    #[schema(ignore)]
    scope: Option<Scope>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            fields: Vec::new(),
            reason: None,
            request_id: None,
            retry_after: None,
            scope: None,
        }
    }

    /// One field that is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        app::Error::Invalid(vec![FieldProblem::new(field, message)]).into()
    }

    pub fn no_route() -> Self {
        Self::new(Code::NotFound, "There is nothing at this path. See /api/v1/openapi.json.")
    }

    pub fn wrong_method() -> Self {
        Self::new(Code::MethodNotAllowed, "This path does not take this method.")
    }
}

/// What an API key lacks.
fn lacking(scope: Option<Scope>) -> String {
    match scope {
        Some(scope) => format!("This API key lacks the scope `{scope}`, which this needs."),
        None => "This is for people who are signed in; no API key can do it.".into(),
    }
}

impl From<app::Error> for Problem {
    fn from(error: app::Error) -> Self {
        let told = error.problem();
        let detail = match &error {
            app::Error::Unauthenticated => {
                "Send a valid API key: `Authorization: Bearer rgk_…`.".into()
            }
            app::Error::Forbidden(needs) => lacking(needs.map(Permission::scope)),
            app::Error::Internal(_) => {
                tracing::error!(error = format!("{error:#}"), "an API call failed");
                told.message
            }
            _ => told.message,
        };
        let mut problem = Self::new(told.code.into(), detail);
        problem.fields = told.fields;
        match error {
            app::Error::Forbidden(needs) => problem.scope = needs.map(Permission::scope),
            app::Error::ReauthRequired(reason) => problem.reason = Some(Why::Dead(reason)),
            app::Error::Conflict(it) => problem.reason = Some(Why::Conflict(it.obstacle)),
            app::Error::RateLimited(wait) => problem.retry_after = Some(wait),
            app::Error::Busy(_) => problem.retry_after = Some(BUSY_WAIT),
            app::Error::Internal(_) if problem.code == Code::Unavailable => {
                problem.retry_after = Some(DATABASE_WAIT);
            }
            app::Error::ProviderUnavailable { retry_after, .. } => {
                problem.retry_after = retry_after;
            }
            _ => {}
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        match self.code {
            Code::Unauthenticated => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // RFC 6750 section 3.1.
            Code::Forbidden => {
                let needs =
                    self.scope.map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
                let challenge = format!("Bearer error=\"insufficient_scope\"{needs}");
                if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                    headers.insert(header::WWW_AUTHENTICATE, challenge);
                }
            }
            _ => {}
        }
        if let Some(wait) = self.retry_after {
            // Rounded up, so that whoever waits so long does not come too early.
            let seconds = wait.as_seconds_f64().ceil().max(1.0) as u64;
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes problems out, with the id of the request they belong to.
pub async fn complete(request: Request, next: Next) -> Response {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    let id = id.map(ToOwned::to_owned);
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else { return response };
    problem.request_id = id;
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

/// What a handler that panicked answers. The panic itself is written by the panic hook.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::from(app::Error::Internal(anyhow::anyhow!("a handler panicked"))).into_response()
}
