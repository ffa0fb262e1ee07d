//! Whether a profile makes sense, told field by field, and whether a variable's value is one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Authentication, AuthenticationMethod, GrantType, IdentityOrigin, Parameter, Place, Profile,
    Renewal, RequestOverride, SCHEMA_VERSION, Variable,
    request::{AUTHORIZATION_PARAMETERS, STANDARD_PARAMETERS},
    template,
};

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// The field's path: `endpoints.token`, `variables[2].default`.
    pub field: String,
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The names every template may use besides the profile's variables.
pub const BUILT_IN: [&str; 2] = ["client_id", "redirect_uri"];

const ASYMMETRIC: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
const SYMMETRIC: [&str; 3] = ["HS256", "HS384", "HS512"];

/// A hundred years: what lives longer is a mistake.
const LONGEST_SECONDS: u64 = 100 * 366 * 86_400;

/// Whether `text` may name a provider: `[a-z0-9-]{1,64}`.
pub fn is_slug(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl Profile {
    /// Everything that is wrong with this profile; nothing when it can be used. What takes a
    /// regular expression to see is left to the server.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut check = Check { profile: self, errors: Vec::new() };
        check.head();
        check.variables();
        check.endpoints();
        check.authorization();
        check.request();
        check.response();
        check.errors();
        check.limits();
        check.errors
    }

    /// What is wrong with `values` as this profile's variables, but for patterns, which the server
    /// checks. `connection` says whether the connection's variables are among them.
    pub fn validate_variables(
        &self,
        values: &BTreeMap<String, String>,
        connection: bool,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut fail = |name: &str, message: String| {
            errors.push(FieldError::new(format!("variables.{name}"), message));
        };
        for name in values.keys().filter(|name| self.variable(name).is_none()) {
            fail(name, format!("{} has no such variable", self.name));
        }
        for variable in &self.variables {
            if !connection && variable.filled_by == super::FilledBy::Connection {
                continue;
            }
            let value = variable.value(values);
            match value {
                None if variable.optional => {}
                None => fail(&variable.name, format!("{} is needed", variable.label)),
                Some(value) => {
                    if let Err(message) = self.check_value(variable, value) {
                        fail(&variable.name, message);
                    }
                }
            }
        }
        errors
    }

    fn check_value(&self, variable: &Variable, value: &str) -> Result<(), String> {
        if value.len() > 2048 || value.chars().any(char::is_control) {
            return Err("too long, or with control characters".into());
        }
        if !variable.choices.is_empty() {
            if variable.choices.iter().any(|choice| choice.value == value) {
                return Ok(());
            }
            let known: Vec<_> = variable.choices.iter().map(|c| c.value.as_str()).collect();
            return Err(format!("must be one of {}", known.join(", ")));
        }
        if variable.pattern.is_some() {
            return Ok(());
        }
        if self.begins_url(&variable.name) {
            return match is_web_address(value) {
                true => Ok(()),
                false => Err("must be an absolute https URL".into()),
            };
        }
        if value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return Ok(());
        }
        Err("may hold letters, digits, '.', '_' and '-' only".into())
    }

    /// Whether some URL of this profile begins with the variable `name`.
    fn begins_url(&self, name: &str) -> bool {
        self.endpoints.iter().map(|(_, template)| template).chain(self.issuer.as_deref()).any(
            |template| {
                template
                    .strip_prefix('{')
                    .and_then(|rest| rest.split_once('}'))
                    .is_some_and(|(first, _)| first == name)
            },
        )
    }
}

impl Variable {
    /// The variable's value: what was filled in, else the default; nothing when both are empty.
    pub fn value<'a>(&'a self, values: &'a BTreeMap<String, String>) -> Option<&'a str> {
        values
            .get(&self.name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .or(self.default.as_deref())
            .filter(|value| !value.is_empty())
    }
}

struct Check<'a> {
    profile: &'a Profile,
    errors: Vec<FieldError>,
}

impl Check<'_> {
    fn fail(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    fn head(&mut self) {
        let profile = self.profile;
        if profile.schema_version != SCHEMA_VERSION {
            self.fail(
                "schema_version",
                format!(
                    "{} is unknown; this Regrant reads {SCHEMA_VERSION}",
                    profile.schema_version
                ),
            );
        }
        if !is_slug(&profile.slug) {
            self.fail("slug", "1 to 64 lower-case letters, digits and '-'");
        }
        if profile.name.trim().is_empty() || profile.name.chars().count() > 100 {
            self.fail("name", "1 to 100 characters");
        }
        if profile.category.as_deref().is_some_and(|category| !is_slug(category)) {
            self.fail("category", "one word of lower-case letters, digits and '-'");
        }
        let links = [
            ("links.docs", &profile.links.docs),
            ("links.register_client", &profile.links.register_client),
        ];
        for (field, link) in links {
            if link.as_deref().is_some_and(|link| !is_web_address(link)) {
                self.fail(field, "must be an absolute https URL");
            }
        }
        let mut seen = BTreeSet::new();
        for (at, grant) in profile.grants.iter().enumerate() {
            if !seen.insert(*grant as u8) {
                self.fail(format!("grants[{at}]"), "stands twice");
            }
        }
        if profile.renewal == Renewal::ClientCredentials
            && !profile.allows(GrantType::ClientCredentials)
        {
            self.fail("renewal", "needs client_credentials among the grants");
        }
    }

    fn variables(&mut self) {
        let profile = self.profile;
        let mut names = BTreeSet::new();
        for (at, variable) in profile.variables.iter().enumerate() {
            let path = |field: &str| format!("variables[{at}].{field}");
            if !template::is_name(&variable.name) {
                self.fail(path("name"), "a lower-case letter, then such letters, digits and '_'");
            } else if BUILT_IN.contains(&variable.name.as_str()) || variable.name == "client_secret"
            {
                self.fail(path("name"), "is built in and can't be a variable");
            } else if !names.insert(variable.name.as_str()) {
                self.fail(path("name"), "stands twice");
            }
            if variable.label.trim().is_empty() {
                self.fail(path("label"), "must say what to fill in");
            }
            let mut values = BTreeSet::new();
            for (nth, choice) in variable.choices.iter().enumerate() {
                if choice.value.is_empty() || !values.insert(choice.value.as_str()) {
                    self.fail(path(&format!("choices[{nth}].value")), "empty, or stands twice");
                }
            }
            if let Some(default) = variable.default.as_deref().filter(|text| !text.is_empty())
                && let Err(message) = profile.check_value(variable, default)
            {
                self.fail(path("default"), message);
            }
        }
    }

    fn endpoints(&mut self) {
        let profile = self.profile;
        for (name, template) in profile.endpoints.iter() {
            self.address(&format!("endpoints.{name}"), template);
        }
        if let Some(issuer) = &profile.issuer {
            self.address("issuer", issuer);
        }
        let endpoints = &profile.endpoints;
        let needed = [
            (
                GrantType::AuthorizationCode,
                "endpoints.authorization",
                endpoints.authorization.is_none(),
            ),
            (GrantType::AuthorizationCode, "endpoints.token", endpoints.token.is_none()),
            (GrantType::ClientCredentials, "endpoints.token", endpoints.token.is_none()),
            (
                GrantType::DeviceCode,
                "endpoints.device_authorization",
                endpoints.device_authorization.is_none(),
            ),
        ];
        for (grant, field, missing) in needed {
            if missing && profile.allows(grant) && !self.errors.iter().any(|e| e.field == field) {
                self.fail(field, "is needed by the grants this profile names");
            }
        }
        if profile.renewal == Renewal::RefreshToken
            && endpoints.token.is_none()
            && endpoints.refresh.is_none()
            && !self.errors.iter().any(|error| error.field == "endpoints.token")
        {
            self.fail("endpoints.token", "is needed to refresh, unless endpoints.refresh is given");
        }
        for (at, source) in
            profile.response.account.id.iter().chain(&profile.response.account.label).enumerate()
        {
            if source.from == IdentityOrigin::Userinfo && endpoints.userinfo.is_none() {
                self.fail(
                    "endpoints.userinfo",
                    format!("is needed by the account's identity (source {})", at + 1),
                );
                break;
            }
        }
    }

    /// An absolute URL that is https from its first character on, or begins with a variable.
    fn address(&mut self, field: &str, text: &str) {
        self.template(field, text, &[]);
        let begins_well =
            text.starts_with("https://") || text.starts_with('{') || is_loopback_http(text);
        if !begins_well || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.fail(field, "must be an absolute https URL (http on loopback only)");
        } else if text.contains('#') {
            self.fail(field, "must have no fragment");
        }
    }

    fn template(&mut self, field: &str, text: &str, also: &[&str]) {
        match template::names(text) {
            Err(error) => self.fail(field, error.to_string()),
            Ok(names) => {
                for name in names {
                    let known = self.profile.variable(name).is_some()
                        || BUILT_IN.contains(&name)
                        || also.contains(&name);
                    if !known {
                        self.fail(field, format!("{{{name}}} is not a variable of this profile"));
                    }
                }
            }
        }
    }

    fn templates(&mut self, path: &str, map: &BTreeMap<String, String>, also: &[&str]) {
        for (name, text) in map {
            let field = format!("{path}.{name}");
            if name.is_empty() || name.chars().any(char::is_control) {
                self.fail(&field, "is no name for a parameter");
            }
            self.template(&field, text, also);
        }
    }

    fn authorization(&mut self) {
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

    fn request(&mut self) {
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
            let reserved = ["host", "content-length", "transfer-encoding", "connection"];
            if !is_header_name(name) {
                self.fail(&field, "is no name for a header");
            } else if reserved.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
                self.fail(&field, "is set by the connection itself");
            }
            if value.chars().any(char::is_control) {
                self.fail(&field, "has control characters");
            }
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

    fn pointers(&mut self, field: &str, pointers: &[String]) {
        for (at, pointer) in pointers.iter().enumerate() {
            self.pointer(&format!("{field}[{at}]"), pointer);
        }
    }

    fn pointer(&mut self, field: &str, pointer: &str) {
        if !pointer.starts_with('/') {
            self.fail(field, "must be a JSON pointer: it begins with '/'");
        }
    }

    fn response(&mut self) {
        let response = &self.profile.response;
        if response.access_token.is_empty() {
            self.fail("response.access_token", "must say where the access token stands");
        }
        let lists = [
            ("response.access_token", &response.access_token),
            ("response.refresh_token", &response.refresh_token),
            ("response.id_token", &response.id_token),
            ("response.token_type", &response.token_type),
            ("response.scope", &response.scope),
        ];
        for (field, pointers) in lists {
            self.pointers(field, pointers);
        }
        for (field, sources) in [
            ("response.expiry", &response.expiry),
            ("response.refresh_expiry", &response.refresh_expiry),
        ] {
            for (at, source) in sources.iter().enumerate() {
                self.pointer(&format!("{field}[{at}].pointer"), &source.pointer);
            }
        }
        let mut names = BTreeSet::new();
        for (at, extra) in response.extras.iter().enumerate() {
            self.pointer(&format!("response.extras[{at}].pointer"), &extra.pointer);
            if extra.name.is_empty() || !names.insert(extra.name.as_str()) {
                self.fail(format!("response.extras[{at}].name"), "empty, or stands twice");
            }
        }
        for (field, sources) in [
            ("response.account.id", &response.account.id),
            ("response.account.label", &response.account.label),
        ] {
            for (at, source) in sources.iter().enumerate() {
                self.pointer(&format!("{field}[{at}].pointer"), &source.pointer);
            }
        }
    }

    fn errors(&mut self) {
        let errors = &self.profile.errors;
        self.pointers("errors.code", &errors.code);
        self.pointers("errors.description", &errors.description);
        for (at, rule) in errors.rules.iter().enumerate() {
            let path = |field: &str| format!("errors.rules[{at}]{field}");
            if rule.status.is_none()
                && rule.code.is_none()
                && rule.pointer.is_none()
                && rule.text.is_none()
            {
                self.fail(path(""), "needs a status, a code, a pointer or a text");
            }
            if rule.status.is_some_and(|status| !(200..600).contains(&status)) {
                self.fail(path(".status"), "must be a status from 200 to 599");
            }
            if rule.equals.is_some() && rule.pointer.is_none() {
                self.fail(path(".equals"), "needs a pointer");
            }
            if rule.text.as_deref() == Some("") {
                self.fail(path(".text"), "is empty and would fit everything");
            }
            if let Some(pointer) = &rule.pointer {
                self.pointer(&path(".pointer"), pointer);
            }
        }
    }

    fn limits(&mut self) {
        let (lifetimes, policy) = (&self.profile.lifetimes, &self.profile.policy);
        let durations = [
            ("lifetimes.access_seconds", lifetimes.access_seconds, 1),
            ("lifetimes.refresh_seconds", lifetimes.refresh_seconds, 1),
            ("lifetimes.refresh_idle_seconds", lifetimes.refresh_idle_seconds, 1),
            ("policy.grace_seconds", policy.grace_seconds, 0),
            ("policy.margin_seconds", policy.margin_seconds, 0),
        ];
        for (field, seconds, least) in durations {
            if seconds.is_some_and(|seconds| !(least..=LONGEST_SECONDS).contains(&seconds)) {
                self.fail(field, format!("must be from {least} to {LONGEST_SECONDS} seconds"));
            }
        }
        if let (Some(margin), Some(access)) = (policy.margin_seconds, lifetimes.access_seconds)
            && margin >= access
        {
            self.fail("policy.margin_seconds", "must be shorter than lifetimes.access_seconds");
        }
        for (field, count) in [
            ("policy.concurrency", policy.concurrency),
            ("policy.requests_per_minute", policy.requests_per_minute),
        ] {
            if count == Some(0) {
                self.fail(field, "must be at least 1");
            }
        }
    }
}

/// RFC 9110 section 5.6.2.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn is_web_address(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    clean
        && (text.strip_prefix("https://").is_some_and(|r| !r.is_empty()) || is_loopback_http(text))
}

fn is_loopback_http(text: &str) -> bool {
    text.strip_prefix("http://").is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix("[::1]") {
            Some(_) => "[::1]",
            None => authority.split(':').next().unwrap_or_default(),
        };
        host == "[::1]" || host == "localhost" || host == "127.0.0.1"
    })
}
