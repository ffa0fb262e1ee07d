//! Whether a profile makes sense, told field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{GrantType, IdentityOrigin, Profile, Renewal, SCHEMA_VERSION, WithoutExpiry, template};

mod request;
mod response;

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

/// What stands in addresses where a slug could: no provider may have these.
const RESERVED: [&str; 3] = ["discover", "new", "schema"];

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
        } else if RESERVED.contains(&profile.slug.as_str()) {
            self.fail("slug", "is a word of Regrant's own; choose another");
        }
        if profile.name.trim().is_empty() || profile.name.chars().count() > 100 {
            self.fail("name", "1 to 100 characters");
        }
        if profile.category.as_deref().is_some_and(|category| !is_slug(category)) {
            self.fail("category", "one word of lower-case letters, digits and '-'");
        }
        for (at, keyword) in profile.keywords.iter().enumerate() {
            if keyword.trim().is_empty() || keyword.chars().count() > 40 {
                self.fail(format!("keywords[{at}]"), "1 to 40 characters");
            }
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
            (GrantType::DeviceCode, "endpoints.token", endpoints.token.is_none()),
            (GrantType::TokenExchange, "endpoints.token", endpoints.token.is_none()),
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
        } else if has_user(text) {
            self.fail(field, "must hold no user name or password: it is shown and logged");
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
        if lifetimes.without_expiry == WithoutExpiry::Endless && lifetimes.access_seconds.is_some()
        {
            self.fail(
                "lifetimes.without_expiry",
                "cannot be endless beside lifetimes.access_seconds",
            );
        }
        for (field, count) in [
            ("policy.concurrency", policy.concurrency),
            ("policy.requests_per_minute", policy.requests_per_minute),
        ] {
            if count == Some(0) {
                self.fail(field, "must be at least 1");
            }
        }
        let incident = &policy.incident;
        for (field, value, least, most) in [
            ("share_percent", incident.share_percent.into(), 1, 100),
            ("count", incident.count.into(), 1, u64::from(u32::MAX)),
            ("window_seconds", incident.window_seconds, 60, 86_400),
            ("canary_seconds", incident.canary_seconds, 10, 86_400),
            ("confirm_seconds", incident.confirm_seconds, 0, 30 * 86_400),
        ] {
            if !(least..=most).contains(&value) {
                self.fail(
                    format!("policy.incident.{field}"),
                    format!("must be from {least} to {most}"),
                );
            }
        }
    }
}

pub(super) fn is_web_address(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    clean
        && (text.strip_prefix("https://").is_some_and(|r| !r.is_empty()) || is_loopback_http(text))
}

/// Whether somebody's name stands before the host (RFC 3986 section 3.2.1).
fn has_user(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@')
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
