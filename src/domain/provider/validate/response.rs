//! The parts of a profile that read answers.

use std::collections::BTreeSet;

use super::Check;
use crate::domain::provider::IdentityOrigin;

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
                let field = format!("{field}[{at}].pointer");
                self.pointer(&field, &source.pointer);
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
