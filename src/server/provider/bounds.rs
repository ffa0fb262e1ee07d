//! Where a connection may lead the secrets of its client.
//!
//! What a connection fills in may stand in the addresses that the client's secret is sent to, and
//! whoever may make a connection need not be one who may say where secrets go. So the profile has to
//! bound it: in the name of a host it can hold what names hold and nothing that would end the name,
//! and what the name ends in stands fixed.

use regex_syntax::hir::{
    Class, Hir, HirKind,
    literal::{ExtractKind, Extractor},
};

use crate::domain::provider::{FieldError, FilledBy, Profile, Variable};

/// What is wrong with the variables that connections fill in.
pub(super) fn check(profile: &Profile) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (at, variable) in profile.variables.iter().enumerate().filter(|(_, each)| is_free(each)) {
        let wrong = profile
            .endpoints
            .iter()
            .find_map(|(name, template)| Some((name, wrong(profile, variable, template)?)));
        if let Some((name, why)) = wrong {
            let place =
                format!("a connection fills it in, and it stands in the host of endpoints.{name}");
            errors.push(FieldError::new(
                format!("variables[{at}].pattern"),
                format!("{place}: {why}"),
            ));
        }
    }
    errors
}

/// Whether a connection may fill in more than a few known values.
fn is_free(variable: &Variable) -> bool {
    variable.filled_by == FilledBy::Connection && variable.choices.is_empty()
}

/// Why `variable` must not stand where it stands in this template.
fn wrong(profile: &Profile, variable: &Variable, template: &str) -> Option<&'static str> {
    let name = format!("{{{}}}", variable.name);
    let mut after = authority(template).split(&name).skip(1).peekable();
    after.peek()?;
    let Some(pattern) = &variable.pattern else {
        return Some("it needs a pattern or choices");
    };
    // One that can't be read is told of where patterns are.
    let hir = regex_syntax::parse(pattern).ok()?;
    if !stays_inside(&hir) {
        return Some("its pattern must allow letters, digits, '.', '_' and '-' only");
    }
    let held =
        after.all(|rest| ends_fixed(profile, rest) || (is_end(rest) && pattern_ends_fixed(&hir)));
    (!held)
        .then_some("a fixed domain must follow it (.example.com), or its pattern must end in one")
}

/// The part of a template that becomes host and port. What begins with a variable has the scheme in
/// that.
fn authority(template: &str) -> &str {
    let rest = template.split_once("://").map_or(template, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    &rest[..end]
}

/// Whether nothing that the pattern allows leads out of a host's name.
fn stays_inside(hir: &Hir) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let range_fits =
        |from: u32, to: u32| to < 128 && (from..=to).all(|each| u8::try_from(each).is_ok_and(fits));
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => literal.0.iter().copied().all(fits),
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().all(|range| range_fits(range.start().into(), range.end().into()))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().all(|range| range_fits(range.start().into(), range.end().into()))
        }
        HirKind::Repetition(repetition) => stays_inside(&repetition.sub),
        HirKind::Capture(capture) => stays_inside(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(stays_inside),
    }
}

/// Whether what follows in a template is a domain that no connection has a say in.
fn ends_fixed(profile: &Profile, rest: &str) -> bool {
    let Some(domain) = rest.strip_prefix('.') else { return false };
    let mut names = domain.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0));
    let by_others = names.clone().next().is_some();
    names.all(|name| profile.variable(name).is_none_or(|variable| !is_free(variable)))
        && (by_others || is_domain(domain.split(':').next().unwrap_or_default()))
}

/// Whether nothing but a port follows.
fn is_end(rest: &str) -> bool {
    rest.is_empty()
        || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether all that the pattern allows ends in a domain that is written out in it.
fn pattern_ends_fixed(hir: &Hir) -> bool {
    let ends = Extractor::new().kind(ExtractKind::Suffix).extract(hir);
    let ends = ends.literals().filter(|ends| !ends.is_empty());
    ends.is_some_and(|ends| {
        ends.iter().all(|end| {
            let text = std::str::from_utf8(end.as_bytes()).unwrap_or_default();
            // Of what is not the whole, the first label may be a part.
            let domain = if end.is_exact() {
                Some(text)
            } else {
                text.split_once('.').map(|(_, rest)| rest)
            };
            domain.is_some_and(is_domain)
        })
    })
}

/// Two labels at least: below one alone anybody may have a name.
fn is_domain(text: &str) -> bool {
    text.split('.').count() > 1 && text.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::provider::Choice, server::provider::profile};

    fn shop(pattern: Option<&str>, token: &str) -> Profile {
        let mut profile = Profile::new("shops", "Shops");
        profile.endpoints.authorization = Some("https://shops.example/authorize".into());
        profile.endpoints.token = Some(token.into());
        profile.variables = vec![
            Variable {
                name: "shop".into(),
                label: "Shop".into(),
                pattern: pattern.map(Into::into),
                filled_by: FilledBy::Connection,
                ..Variable::default()
            },
            Variable { name: "site".into(), label: "Site".into(), ..Variable::default() },
            Variable {
                name: "region".into(),
                label: "Region".into(),
                choices: vec![Choice { value: "shops.example".into(), label: "All".into() }],
                filled_by: FilledBy::Connection,
                ..Variable::default()
            },
        ];
        profile
    }

    fn fields(profile: &Profile) -> Vec<String> {
        match profile::check(profile) {
            Ok(()) => Vec::new(),
            Err(crate::server::provider::Error::Invalid(errors)) => {
                errors.into_iter().map(|error| error.field).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_name_below_a_fixed_domain_is_bounded() {
        for (pattern, token) in [
            ("[a-z0-9-]+", "https://{shop}.shops.example/token"),
            ("[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "https://{shop}.shops.example:8443/token"),
            ("^(?:a|b[0-9]{2})$", "https://api-{shop}.eu.shops.example?x=1"),
            ("[a-z]+", "https://{shop}.{site}/token"),
            ("[a-z]+", "https://{shop}.{region}/token"),
            (r"[a-z-]+\.shops\.example", "https://{shop}/token"),
            (r"(login|test)\.shops\.example|[a-z]+--[a-z]+\.my\.shops\.example", "https://{shop}"),
            (r"[a-z-]+\.shops\.example", "https://{shop}:8443/token"),
            // Outside a host it is the pattern's own affair.
            ("[!-~]+", "https://shops.example/{shop}/token"),
            ("[!-~]+", "https://shops.example?shop={shop}"),
            ("[!-~]+", "{site}/{shop}/token"),
        ] {
            assert_eq!(fields(&shop(Some(pattern), token)), [""; 0], "{pattern} in {token}");
        }
        assert_eq!(fields(&shop(None, "https://{region}/token")), [""; 0]);
        assert_eq!(fields(&shop(None, "https://shops.example/{shop}/token")), [""; 0]);
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        let below = "https://{shop}.shops.example/token";
        for (pattern, token) in [
            (None, below),
            (Some(".+"), below),
            (Some("[!-~]+"), below),
            (Some("[^ ]+"), below),
            (Some(r"\w+"), below),
            (Some("[a-z/]+"), below),
            (Some("[a-z]+@?"), below),
            (Some("a|b:1"), below),
            (Some("(x(y#z)?)+"), below),
            (Some("[a-z]+\\\\"), below),
            (Some("[a-z%]+"), below),
            (Some("[a-z]+"), "https://{shop}/token"),
            (Some("[a-z]+"), "https://{shop}.example/token"),
            (Some("[a-z]+"), "https://{shop}shops.example/token"),
            (Some("[a-z]+"), "https://shops.example.{shop}/token"),
            (Some("[a-z]+"), "https://{shop}.shops.example.{shop}/token"),
            (Some("[a-z]+"), "https://{shop}{region}/token"),
            (Some("[a-z]+"), "{shop}/token"),
            (Some("[a-z]+"), "{site}{shop}/token"),
            (Some(r"[a-z.]+"), "https://{shop}:8443/token"),
            (Some(r"[a-z]+\.example"), "https://{shop}/token"),
            (Some(r"shops\.example|[a-z.]+"), "https://{shop}/token"),
            (Some(r"shops\.example[a-z]*"), "https://{shop}/token"),
            (Some(r"(shops\.example)?"), "https://{shop}/token"),
        ] {
            let found = fields(&shop(pattern, token));
            assert_eq!(found, ["variables[0].pattern"], "{pattern:?} in {token}");
        }
    }

    /// The pattern is put into a group, and must not lead out of it.
    #[test]
    fn a_pattern_is_one_by_itself() {
        let found = fields(&shop(Some("a)|(?:.*"), "https://shops.example/token"));
        assert_eq!(found, ["variables[0].pattern"]);
    }

    #[test]
    fn what_a_client_alone_fills_is_free() {
        let mut profile = shop(None, "https://{site}/token");
        profile.variables[0].filled_by = FilledBy::Client;
        profile.endpoints.revocation = Some("https://{shop}/revoke".into());
        assert_eq!(fields(&profile), [""; 0]);
    }
}
