//! Requests to the token endpoint and its neighbours, as the profile wants them.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use url::{Url, form_urlencoded};

use super::{Error, Registration, assertion, redact::Redactor};
use crate::{
    domain::provider::{AuthenticationMethod, Call, Encoding, FieldError, Method, Place},
    server::clock::Rng,
};

/// A request that is ready to be sent.
pub(super) struct Prepared {
    pub method: reqwest::Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Knows every secret that is in this request.
    pub redactor: Redactor,
    /// The signed assertion that proves the client, if that is how it does.
    pub assertion: Option<SecretString>,
}

impl Prepared {
    pub fn into_request(self) -> (reqwest::Request, Redactor) {
        let mut request = reqwest::Request::new(self.method, self.url);
        *request.headers_mut() = self.headers;
        if !self.body.is_empty() {
            *request.body_mut() = Some(self.body.into());
        }
        (request, self.redactor)
    }
}

/// A standard parameter's value.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    Plain(&'a str),
    Secret(&'a SecretString),
}

/// Builds the request for `call` at `endpoint` with the call's own parameters; the client's proof,
/// its scopes and all that the profile adds come of themselves.
pub(super) fn build(
    registration: &Registration<'_>,
    call: Call,
    endpoint: Url,
    given: &[(&'static str, Given<'_>)],
    now: OffsetDateTime,
    rng: &dyn Rng,
) -> Result<Prepared, Error> {
    let dialect = &registration.profile.request;
    let over = dialect.for_call(call);
    let mut draft = Draft {
        registration,
        call,
        url: endpoint,
        headers: HeaderMap::new(),
        query: Vec::new(),
        body: Vec::new(),
        redactor: Redactor::default(),
        assertion: None,
    };
    draft.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));

    for (name, value) in given {
        match value {
            Given::Plain(value) => draft.standard(name, value)?,
            Given::Secret(value) => {
                draft.redactor.hide(value.expose_secret());
                draft.standard(name, value.expose_secret())?;
            }
        }
    }
    let sends = matches!(call, Call::ClientCredentials | Call::Device | Call::TokenExchange);
    if over.send_scope.unwrap_or(sends)
        && let Some(scope) = registration.scope()
    {
        draft.standard("scope", &scope)?;
    }
    draft.authenticate(now, rng)?;
    for (name, template) in dialect.extra(call) {
        if let Some(value) = registration.fill(template)? {
            draft.body.push((name.into(), value));
        }
    }
    for (name, template) in dialect.query(call) {
        if let Some(value) = registration.fill(template)? {
            draft.query.push((name.into(), value));
        }
    }

    let method = over.method.unwrap_or_default();
    if method == Method::Get {
        let body = std::mem::take(&mut draft.body);
        draft.query.extend(body);
    }
    if !draft.query.is_empty() {
        draft.url.query_pairs_mut().extend_pairs(&draft.query);
    }
    let body = match method {
        Method::Get => Vec::new(),
        _ => {
            let (kind, body) = encode(dialect.encoding(call), &draft.body, rng);
            draft.headers.insert(CONTENT_TYPE, header_value("Content-Type", &kind)?);
            body
        }
    };
    for (name, template) in dialect.headers(call) {
        if let Some(value) = registration.fill(template)? {
            draft.header(name, &value)?;
        }
    }
    Ok(Prepared {
        method: wire(method),
        url: draft.url,
        headers: draft.headers,
        body,
        redactor: draft.redactor,
        assertion: draft.assertion,
    })
}

pub(super) fn wire(method: Method) -> reqwest::Method {
    match method {
        Method::Post => reqwest::Method::POST,
        Method::Get => reqwest::Method::GET,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

struct Draft<'a> {
    registration: &'a Registration<'a>,
    call: Call,
    url: Url,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    body: Vec<(String, String)>,
    redactor: Redactor,
    assertion: Option<SecretString>,
}

impl Draft<'_> {
    /// Puts a standard parameter where the profile wants it.
    fn standard(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let Some(parameter) = self.registration.profile.request.parameter(self.call, name) else {
            self.body.push((name.into(), value.into()));
            return Ok(());
        };
        let name = parameter.name.as_deref().unwrap_or(name);
        let value = parameter.value.as_deref().unwrap_or(value);
        match parameter.place {
            Place::Body => self.body.push((name.into(), value.into())),
            Place::Query => self.query.push((name.into(), value.into())),
            Place::Header => self.header(name, value)?,
            Place::Omit => {}
        }
        Ok(())
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit(name))?;
        self.headers.insert(header, header_value(name, value)?);
        Ok(())
    }

    fn authenticate(&mut self, now: OffsetDateTime, rng: &dyn Rng) -> Result<(), Error> {
        use AuthenticationMethod as Method;
        let registration = self.registration;
        let authentication = registration.profile.request.authentication(self.call);
        let Some(secret) = registration.client_secret else {
            return match authentication.method {
                // A client without a secret is a public one: it says who it is and proves nothing.
                Method::None | Method::Post | Method::Basic | Method::BasicRaw => {
                    self.standard("client_id", registration.client_id)
                }
                Method::PrivateKeyJwt | Method::ClientSecretJwt | Method::Headers => {
                    Err(Error::Credentials(
                        "the client has no secret, and this provider needs one".into(),
                    ))
                }
            };
        };
        let plain = secret.expose_secret();
        self.redactor.hide(plain);
        match authentication.method {
            Method::None => self.standard("client_id", registration.client_id),
            Method::Post => {
                self.standard("client_id", registration.client_id)?;
                self.standard("client_secret", plain)
            }
            Method::Basic => {
                let encode = |text: &str| -> String {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect()
                };
                self.basic(&encode(registration.client_id), &encode(plain))
            }
            Method::BasicRaw => self.basic(registration.client_id, plain),
            Method::Headers => {
                for (name, template) in &authentication.headers {
                    if let Some(value) = registration.fill_with(template, Some(plain))? {
                        self.header(name, &value)?;
                    }
                }
                Ok(())
            }
            Method::PrivateKeyJwt | Method::ClientSecretJwt => {
                let endpoint = self.url.to_string();
                let signed =
                    assertion::sign(registration, authentication, secret, &endpoint, now, rng)?;
                self.redactor.hide(signed.expose_secret());
                self.standard("client_id", registration.client_id)?;
                self.standard("client_assertion_type", assertion::TYPE)?;
                self.standard("client_assertion", signed.expose_secret())?;
                self.assertion = Some(signed);
                Ok(())
            }
        }
    }

    fn basic(&mut self, id: &str, secret: &str) -> Result<(), Error> {
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        self.redactor.hide(&credentials);
        let value = header_value("Authorization", &format!("Basic {credentials}"))?;
        self.headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}

/// A header's value. Marked as a secret: most are, and the mark costs nothing.
fn header_value(name: &str, value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| unfit(name))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unfit(header: &str) -> Error {
    Error::Invalid(vec![FieldError::new(
        format!("request.headers.{header}"),
        "has a name or a value that no header can have",
    )])
}

/// The body and its content type.
fn encode(encoding: Encoding, parameters: &[(String, String)], rng: &dyn Rng) -> (String, Vec<u8>) {
    match encoding {
        Encoding::Form => {
            let body =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
            ("application/x-www-form-urlencoded".into(), body.into_bytes())
        }
        Encoding::Json => {
            let object: serde_json::Map<_, _> = parameters
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect();
            ("application/json".into(), serde_json::Value::Object(object).to_string().into_bytes())
        }
        Encoding::Multipart => multipart(parameters, rng),
    }
}

/// RFC 7578. The boundary is random, so that no value holds it.
fn multipart(parameters: &[(String, String)], rng: &dyn Rng) -> (String, Vec<u8>) {
    let mut random = [0; 16];
    rng.fill(&mut random);
    let boundary = format!("regrant-{:032x}", u128::from_be_bytes(random));
    let mut body = String::new();
    for (name, value) in parameters {
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        body.push_str("--");
        body.push_str(&boundary);
        body.push_str("\r\nContent-Disposition: form-data; name=\"");
        body.push_str(&name);
        body.push_str("\"\r\n\r\n");
        body.push_str(value);
        body.push_str("\r\n");
    }
    body.push_str("--");
    body.push_str(&boundary);
    body.push_str("--\r\n");
    (format!("multipart/form-data; boundary={boundary}"), body.into_bytes())
}

#[cfg(test)]
mod tests;
