//! The parts of a profile that shape requests.

use std::collections::BTreeMap;

use super::Check;
use crate::domain::provider::{
    Authentication, AuthenticationMethod, Callback, Parameter, Place, Presentation,
    RequestOverride, TokenPlace,
    request::{AUTHORIZATION_PARAMETERS, STANDARD_PARAMETERS},
};

const ASYMMETRIC: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
const SYMMETRIC: [&str; 3] = ["HS256", "HS384", "HS512"];

impl Check<'_> {
    pub(super) fn authorization(&mut self) {
        let authorization = &self.profile.authorization;
        if !(1..=3).contains(&authorization.scope_separator.chars().count()) {
            self.fail("authorization.scope_separator", "1 to 3 characters");
        }
        self.parameters("authorization", &authorization.parameters, &AUTHORIZATION_PARAMETERS);
        for (name, parameter) in &authorization.parameters {
            if matches!(parameter.place, Place::Header | Place::Query) {
                self.fail(
                    format!("authorization.parameters.{name}.place"),
                    "can't be moved: the request is an address in a browser",
                );
            }
        }
        self.callback(&authorization.callback);
        self.templates("authorization.extra", &authorization.extra, &[]);
        for name in authorization.extra.keys() {
            let omitted = authorization
                .parameters
                .get(name)
                .is_some_and(|parameter| parameter.place == Place::Omit);
            if AUTHORIZATION_PARAMETERS.contains(&name.as_str()) && !omitted {
                self.fail(
                    format!("authorization.extra.{name}"),
                    "is set by Regrant; omit it under authorization.parameters first",
                );
            }
        }
    }

    fn callback(&mut self, callback: &Callback) {
        let names = [
            ("code", &callback.code, callback.code()),
            ("state", &callback.state, callback.state()),
            ("error", &callback.error, callback.error()),
        ];
        for (at, (field, given, name)) in names.into_iter().enumerate() {
            let path = format!("authorization.callback.{field}");
            if given
                .as_deref()
                .is_some_and(|name| name.is_empty() || name.chars().any(char::is_control))
            {
                self.fail(path, "is no name for a parameter");
            } else if given.is_some()
                && names
                    .iter()
                    .enumerate()
                    .any(|(other, (.., taken))| other != at && *taken == name)
            {
                self.fail(path, "is the name of another one");
            }
        }
    }

    fn presentation(&mut self, token: &Presentation) {
        let name = token.name();
        match token.place {
            TokenPlace::Header => self.header_name("userinfo.token.name", name),
            TokenPlace::Query if name.is_empty() || name.chars().any(char::is_control) => {
                self.fail("userinfo.token.name", "is no name for a parameter");
            }
            TokenPlace::Query => {}
        }
        match (&token.scheme, token.place) {
            (Some(_), TokenPlace::Query) => {
                self.fail("userinfo.token.scheme", "belongs to a header only");
            }
            (Some(scheme), TokenPlace::Header) if !scheme.is_empty() && !is_header_name(scheme) => {
                self.fail("userinfo.token.scheme", "is one word without blanks");
            }
            _ => {}
        }
    }

    fn parameters(&mut self, path: &str, map: &BTreeMap<String, Parameter>, known: &[&str]) {
        for (name, parameter) in map {
            let field = format!("{path}.parameters.{name}");
            if !known.contains(&name.as_str()) {
                self.fail(&field, format!("is not one of {}", known.join(", ")));
            }
            match (&parameter.name, parameter.place) {
                (Some(header), Place::Header) if !is_header_name(header) => {
                    self.fail(format!("{field}.name"), "is no name for a header");
                }
                (Some(other), _) if other.is_empty() => {
                    self.fail(format!("{field}.name"), "is empty");
                }
                _ => {}
            }
        }
    }

    pub(super) fn request(&mut self) {
        let request = &self.profile.request;
        self.authentication("request.authentication", &request.authentication);
        let shared = RequestOverride {
            parameters: request.parameters.clone(),
            extra: request.extra.clone(),
            headers: request.headers.clone(),
            query: request.query.clone(),
            ..Default::default()
        };
        self.call("request", &shared);
        for (name, over) in request.overrides() {
            self.call(&format!("request.{name}"), over);
        }
        let userinfo = &self.profile.userinfo;
        self.presentation(&userinfo.token);
        self.headers("userinfo.headers", &userinfo.headers, &[]);
    }

    fn call(&mut self, path: &str, call: &RequestOverride) {
        if let Some(authentication) = &call.authentication {
            self.authentication(&format!("{path}.authentication"), authentication);
        }
        self.parameters(path, &call.parameters, &STANDARD_PARAMETERS);
        self.templates(&format!("{path}.extra"), &call.extra, &[]);
        self.templates(&format!("{path}.query"), &call.query, &[]);
        self.headers(&format!("{path}.headers"), &call.headers, &[]);
    }

    fn headers(&mut self, path: &str, headers: &BTreeMap<String, String>, also: &[&str]) {
        self.templates(path, headers, also);
        for (name, value) in headers {
            let field = format!("{path}.{name}");
            self.header_name(&field, name);
            if value.chars().any(char::is_control) {
                self.fail(&field, "has control characters");
            }
        }
    }

    fn header_name(&mut self, field: &str, name: &str) {
        let reserved = ["host", "content-length", "transfer-encoding", "connection"];
        if !is_header_name(name) {
            self.fail(field, "is no name for a header");
        } else if reserved.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
            self.fail(field, "is set by the connection itself");
        }
    }

    fn authentication(&mut self, path: &str, authentication: &Authentication) {
        use AuthenticationMethod as Method;
        let method = authentication.method;
        if method == Method::Headers && authentication.headers.is_empty() {
            self.fail(format!("{path}.headers"), "must name the headers to send");
        }
        if method != Method::Headers && !authentication.headers.is_empty() {
            self.fail(format!("{path}.headers"), "belongs to the method headers only");
        }
        self.headers(&format!("{path}.headers"), &authentication.headers, &["client_secret"]);
        if let Some(algorithm) = authentication.algorithm.as_deref() {
            let known: &[&str] = match method {
                Method::PrivateKeyJwt => &ASYMMETRIC,
                Method::ClientSecretJwt => &SYMMETRIC,
                _ => &[],
            };
            if known.is_empty() {
                self.fail(format!("{path}.algorithm"), "belongs to the signed methods only");
            } else if !known.contains(&algorithm) {
                self.fail(
                    format!("{path}.algorithm"),
                    format!("must be one of {}", known.join(", ")),
                );
            }
        }
        for (field, text) in
            [("audience", &authentication.audience), ("key_id", &authentication.key_id)]
        {
            if let Some(text) = text {
                self.template(&format!("{path}.{field}"), text, &[]);
            }
        }
    }
}

/// RFC 9110 section 5.6.2.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}
