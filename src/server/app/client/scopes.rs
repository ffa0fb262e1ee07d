//! The scopes that a client asks for (RFC 6749 section 3.3).

use crate::{
    domain::provider::Profile,
    server::app::{Error, Result},
};

const MOST: usize = 500;
const LONGEST: usize = 1000;

/// Refuses what no provider could take for the scopes that were meant.
pub(in crate::server::app) fn check(profile: &Profile, scopes: &[String]) -> Result<()> {
    let wrong = |message: String| Err(Error::invalid("scopes", message));
    if scopes.len() > MOST {
        return wrong(format!("can be at most {MOST}"));
    }
    let separator = profile.authorization.scope_separator.trim();
    for scope in scopes {
        let shown: String = scope.chars().filter(|c| !c.is_control()).take(60).collect();
        if scope.is_empty() || scope.len() > LONGEST {
            return wrong(format!("must have 1 to {LONGEST} characters each"));
        }
        if scope.starts_with(',') || scope.ends_with(',') {
            return wrong(format!(
                "are separated by blanks alone; \u{201c}{shown}\u{201d} has a comma"
            ));
        }
        if !separator.is_empty() && scope.contains(separator) {
            return wrong(format!(
                "are separated by blanks here; Regrant puts the \u{201c}{separator}\u{201d} of \
                 {} between them",
                profile.name
            ));
        }
        let fits = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        if !scope.chars().all(fits) {
            return wrong(format!(
                "have letters, digits and signs only, no blanks and no quotes; \
                 \u{201c}{shown}\u{201d} is no scope"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_is_one_that_a_provider_can_read() {
        let mut blank = Profile::new("a", "A");
        blank.authorization.scope_separator = " ".into();
        let mut comma = blank.clone();
        comma.authorization.scope_separator = ",".into();
        let check = |profile: &Profile, scope: &str| check(profile, &[scope.into()]).is_ok();
        let good = ["read", "https://example.com/auth/a.b", "repo:status", "a,b", "~!*'()"];
        for scope in good {
            assert!(check(&blank, scope), "{scope}");
        }
        for scope in ["", "read,", "a b", "\"a\"", "a\\b", "é", "a\n"] {
            assert!(!check(&blank, scope), "{scope}");
            assert!(!check(&comma, scope), "{scope}");
        }
        assert!(!check(&comma, "a,b"));
    }
}
