//! Text with `{name}` in it.
//!
//! A template stays the text it is; filling it is one pass and one allocation.

/// A template that can't be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("a brace is not closed or not opened")]
    Braces,
    #[error("{0:?} is not a name: lower-case letters, digits and _ only")]
    Name(String),
    #[error("no value for {{{0}}}")]
    Missing(String),
}

/// Whether `name` may stand between braces: `[a-z][a-z0-9_]*`, at most 64.
pub fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The names in `template`, in order, with repetitions.
pub fn names(template: &str) -> Result<Vec<&str>, TemplateError> {
    let mut found = Vec::new();
    walk(template, |part| {
        if let Part::Name(name) = part {
            found.push(name);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Fills `template`, asking `value` for each name.
pub fn fill<'a>(
    template: &str,
    mut value: impl FnMut(&str) -> Option<&'a str>,
) -> Result<String, TemplateError> {
    let mut text = String::with_capacity(template.len() + 32);
    walk(template, |part| {
        text.push_str(match part {
            Part::Text(part) => part,
            Part::Name(name) => value(name).ok_or_else(|| TemplateError::Missing(name.into()))?,
        });
        Ok(())
    })?;
    Ok(text)
}

enum Part<'a> {
    Text(&'a str),
    Name(&'a str),
}

fn walk<'a>(
    mut template: &'a str,
    mut each: impl FnMut(Part<'a>) -> Result<(), TemplateError>,
) -> Result<(), TemplateError> {
    while let Some(at) = template.find(['{', '}']) {
        let (text, rest) = template.split_at(at);
        let (name, rest) = rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .ok_or(TemplateError::Braces)?;
        if !is_name(name) {
            return Err(TemplateError::Name(name.into()));
        }
        each(Part::Text(text))?;
        each(Part::Name(name))?;
        template = rest;
    }
    each(Part::Text(template))
}
