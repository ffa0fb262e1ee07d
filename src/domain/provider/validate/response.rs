//! The parts of a profile that read answers.

use std::collections::BTreeSet;

use super::Check;
use crate::domain::provider::IdentityOrigin;

/// Where tokens stand by the book (RFC 6749 section 5.1, OpenID Connect Core section 3.1.3.3): secret
/// even if this profile reads them elsewhere, or not at all.
const TOKENS: [&str; 3] = ["/access_token", "/refresh_token", "/id_token"];

impl Check<'_> {
    fn pointers(&mut self, field: &str, pointers: &[String]) {
        for (at, pointer) in pointers.iter().enumerate() {
            self.pointer(&format!("{field}[{at}]"), pointer);
        }
    }

    fn pointer(&mut self, field: &str, pointer: &str) {
        if !pointer.starts_with('/') {
            self.fail(field, "must be a JSON pointer: it begins with '/'");
        } else if pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
            // RFC 6901 section 3.
            self.fail(field, "must be a JSON pointer: '~' stands there as '~0', and '/' as '~1'");
        }
    }

    /// A pointer to what is kept or shown in the clear: no token may stand there, nor within.
    fn open(&mut self, field: &str, pointer: &str) {
        let response = &self.profile.response;
        let declared = [&response.access_token, &response.refresh_token, &response.id_token];
        let is_above = |token: &str| {
            let rest = token.strip_prefix(pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let leads_there = declared.into_iter().flatten().any(|token| is_above(token))
            || TOKENS.into_iter().any(|token| is_above(token) || pointer.ends_with(token));
        if pointer.starts_with('/') && leads_there {
            self.fail(field, "a token stands there, and this is no secret");
        }
    }

    pub(super) fn response(&mut self) {
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
        for (field, pointers) in
            [("response.token_type", &response.token_type), ("response.scope", &response.scope)]
        {
            for (at, pointer) in pointers.iter().enumerate() {
                self.open(&format!("{field}[{at}]"), pointer);
            }
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
            let field = format!("response.extras[{at}].pointer");
            self.pointer(&field, &extra.pointer);
            if !extra.encrypted {
                self.open(&field, &extra.pointer);
            }
            if extra.name.is_empty() || !names.insert(extra.name.as_str()) {
                self.fail(format!("response.extras[{at}].name"), "empty, or stands twice");
            }
        }
        for (field, sources) in [
            ("response.account.id", &response.account.id),
            ("response.account.label", &response.account.label),
        ] {
            for (at, source) in sources.iter().enumerate() {
                let field = format!("{field}[{at}].pointer");
                self.pointer(&field, &source.pointer);
                if matches!(source.from, IdentityOrigin::Response | IdentityOrigin::Userinfo) {
                    self.open(&field, &source.pointer);
                }
                let name = source.pointer.trim_start_matches('/');
                if source.from == IdentityOrigin::Variable && self.profile.variable(name).is_none()
                {
                    self.fail(field, format!("{name} is not a variable of this profile"));
                }
            }
        }
    }

    pub(super) fn errors(&mut self) {
        let errors = &self.profile.errors;
        self.pointers("errors.code", &errors.code);
        self.pointers("errors.description", &errors.description);
        for (field, pointers) in
            [("errors.code", &errors.code), ("errors.description", &errors.description)]
        {
            for (at, pointer) in pointers.iter().enumerate() {
                self.open(&format!("{field}[{at}]"), pointer);
            }
        }
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
}
