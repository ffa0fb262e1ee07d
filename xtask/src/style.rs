//! The stylesheet: `style/main.css` with its imports put in their place, so that the order of the
//! parts is written in CSS, where the browser's tools and editors understand it too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::site;

/// All of `folder` as one stylesheet.
pub fn bundle(folder: &Path) -> Result<String> {
    let main = folder.join("main.css");
    if !main.exists() {
        return Ok(String::new());
    }
    let mut seen = BTreeSet::new();
    let css = inline(&main, &mut seen)?;
    for path in site::files(folder)? {
        let is_css = path.extension().is_some_and(|ending| ending == "css");
        ensure!(!is_css || seen.contains(&path), "{} is imported by nothing", path.display());
    }
    Ok(squeeze(&css))
}

/// `@import "file.css";` and `@import "file.css" layer(name);`, each alone on its line.
fn inline(path: &Path, seen: &mut BTreeSet<PathBuf>) -> Result<String> {
    ensure!(seen.insert(path.to_owned()), "{} is imported twice", path.display());
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut css = String::with_capacity(text.len());
    for line in text.lines() {
        let Some(import) = line.trim().strip_prefix("@import ") else {
            css.push_str(line);
            css.push('\n');
            continue;
        };
        let mut parts = import.trim_end_matches(';').splitn(3, '"').skip(1);
        let (Some(file), Some(condition)) = (parts.next(), parts.next()) else {
            bail!("{}: cannot read `{line}`", path.display());
        };
        let inner = inline(&path.with_file_name("").join(file.trim_start_matches("./")), seen)?;
        match condition.trim() {
            "" => css.push_str(&inner),
            layer if layer.starts_with("layer(") && layer.ends_with(')') => {
                let name = &layer["layer(".len()..layer.len() - 1];
                css.push_str(&format!("@layer {name} {{\n{inner}}}\n"));
            }
            other => bail!("{}: `{other}` is not understood after @import", path.display()),
        }
    }
    Ok(css)
}

/// Without comments and indentation; compression does the rest.
fn squeeze(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut chars = css.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '/') if chars.peek() == Some(&'*') => {
                chars.next();
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            (None, '\n') => {
                while chars.peek().is_some_and(|next| next.is_whitespace()) {
                    chars.next();
                }
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                out.push(c);
            }
            (Some(_), '\\') => {
                out.push(c);
                out.extend(chars.next());
            }
            (Some(open), _) if open == c => {
                quote = None;
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}
