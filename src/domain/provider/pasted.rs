//! What people paste for a variable's value: the whole address that they see, where a part of it is asked for.

use super::{Profile, Variable};

impl Profile {
    /// What is wrong with a variable's value, and which part of it is asked for where it is an address.
    pub fn hinted(&self, variable: &Variable, value: &str, wrong: String) -> String {
        if self.begins_url(&variable.name) || !value.contains(['.', '/']) {
            return wrong;
        }
        let part = self.addresses().find_map(|template| part(template, &variable.name, value));
        match part {
            Some(part) => format!("{wrong}. Of this address only \"{part}\" is asked for"),
            None if value.contains("://") => format!(
                "{wrong}. This is a whole address; what is asked for is only a part of one: {}",
                variable.label
            ),
            None => wrong,
        }
    }
}

/// What stands in an address where a template has the variable `name`.
fn part<'a>(template: &str, name: &str, value: &'a str) -> Option<&'a str> {
    let bare = |text: &'a str| text.split_once("://").map_or(text, |(_, rest)| rest);
    let (_, template) = template.split_once("://")?;
    let (before, after) = template.split_once(&format!("{{{name}}}"))?;
    // Up to the next variable or the next part, so that any page of the same service will do.
    let after = after.split(['/', '?', '#', '{']).next().unwrap_or_default();
    if before.contains('{') || (before.is_empty() && after.is_empty()) {
        return None;
    }
    let rest = bare(value.trim()).strip_prefix(before)?;
    let end = match after {
        "" => rest.find(['/', '?', '#']).unwrap_or(rest.len()),
        after => rest.find(after)?,
    };
    let part = rest.get(..end)?;
    (!part.is_empty() && part.len() < value.len() && !part.contains(['/', '?', '#']))
        .then_some(part)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn the_part_of_an_address_that_is_asked_for_is_found() {
        let (host, path) =
            ("https://{shop}.example.com/token", "https://example.com/t/{shop}/token");
        let last = "https://example.com/{shop}";
        for (template, value, wanted) in [
            (host, "https://acme.example.com", Some("acme")),
            (host, "acme.example.com/admin?x=1", Some("acme")),
            (host, "http://a.b.example.com/", Some("a.b")),
            (host, "https://acme.other.com", None),
            (host, "https://example.com/acme.example.com", None),
            (host, ".example.com", None),
            (path, "https://example.com/t/acme/settings", Some("acme")),
            (path, "https://example.com/t/acme", Some("acme")),
            (path, "https://example.com/", None),
            (last, "example.com/acme?x=1", Some("acme")),
            ("{shop}/token", "https://acme.example.com", None),
            ("https://{shop}", "acme.example.com", None),
            ("https://{region}.{shop}.com", "https://eu.acme.com", None),
        ] {
            assert_eq!(part(template, "shop", value), wanted, "{value} in {template}");
        }
    }
}
