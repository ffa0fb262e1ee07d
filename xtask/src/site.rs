//! The site: what the browser loads. WASM with its JavaScript, one stylesheet, and the files of
//! `public/`, in `target/site` under names that carry a hash of the content, with `site.json` to
//! say which is which.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::steps::step;
use crate::{process, style};

const NAME: &str = "regrant";
/// What rustc emits for this target. Never all features: browsers refuse the result.
const WASM_FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];
const PACKED: [&str; 9] = ["css", "html", "ico", "js", "json", "svg", "txt", "wasm", "webmanifest"];

/// Builds the site and gives the digest of all that is in it.
pub fn build(release: bool) -> Result<String> {
    let site = process::root().join("target/site");
    let fresh = process::root().join("target/site.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    let pkg = fresh.join("pkg");
    fs::create_dir_all(&pkg)?;

    let public = process::root().join("public");
    if public.is_dir() {
        copy(&public, &fresh)?;
    }
    let style = style::bundle(&process::root().join("style"))?;
    let css = hashed(&pkg, "css", style.as_bytes())?;
    let browser = browser_half(release)?;
    let wasm = hashed(&pkg, "wasm", &browser.wasm)?;
    let js = hashed(&pkg, "js", browser.js.as_bytes())?;
    for (path, text) in &browser.snippets {
        let path = pkg.join("snippets").join(path);
        fs::create_dir_all(path.parent().context("a snippet has a folder")?)?;
        fs::write(path, text)?;
    }
    if release {
        compress(&fresh)?;
    }
    let manifest = json!({ "js": js, "wasm": wasm, "css": css });
    fs::write(fresh.join("site.json"), format!("{manifest:#}\n"))?;

    let digest = digest_of(&fresh)?;
    // The same site stays as it is: a younger one would have the binary that carries it built anew.
    if site.exists() && digest_of(&site)? == digest {
        fs::remove_dir_all(&fresh)?;
        return Ok(digest);
    }
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    fs::rename(&fresh, &site)?;
    Ok(digest)
}

struct BrowserHalf {
    js: String,
    wasm: Vec<u8>,
    snippets: Vec<(String, String)>,
}

fn browser_half(release: bool) -> Result<BrowserHalf> {
    let profile = if release { "wasm-release" } else { "dev" };
    let mut cargo = process::cargo();
    cargo.args([
        "rustc",
        "--lib",
        "--crate-type",
        "cdylib",
        "--target",
        "wasm32-unknown-unknown",
        "--no-default-features",
    ]);
    cargo.args(["--features", "hydrate", "--profile", profile, "--target-dir", "target/front"]);
    // A site that a debug server serves must not depend on flags meant for the server.
    cargo.env_remove("RUSTFLAGS");
    step(&format!("Building the browser half ({profile})"), || process::check(&mut cargo))?;
    let folder = if release { "wasm-release" } else { "debug" };
    let built = process::root()
        .join("target/front/wasm32-unknown-unknown")
        .join(folder)
        .join(format!("{NAME}.wasm"));

    let mut output = Bindgen::new()
        .input_path(&built)
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(release)
        .remove_producers_section(true)
        .debug(!release)
        .generate_output()
        .context("wasm-bindgen")?;
    let js = output.js().to_owned();
    let mut snippets: Vec<(String, String)> =
        output.local_modules().iter().map(|(path, text)| (path.clone(), text.clone())).collect();
    for (krate, inline) in output.snippets() {
        for (number, text) in inline.iter().enumerate() {
            snippets.push((format!("{krate}/inline{number}.js"), text.clone()));
        }
    }
    let plain = output.wasm_mut().emit_wasm();
    let wasm = if release { optimized(&plain)? } else { plain };
    Ok(BrowserHalf { js, wasm, snippets })
}

/// The WASM made small. It takes long and gives the same for the same, so the last one is kept.
fn optimized(plain: &[u8]) -> Result<Vec<u8>> {
    let folder = process::root().join("target/front/optimized");
    let tool = process::root().join("xtask/node_modules/binaryen");
    let version = fs::read_to_string(tool.join("package.json"))
        .context("the pinned WASM optimizer is not installed: npm ci --prefix xtask")?;
    let key = digest(&[plain, version.as_bytes(), WASM_FEATURES.concat().as_bytes()]);
    let small = folder.join(format!("{key}.wasm"));
    if !small.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let (input, output) = (folder.join("input.wasm"), folder.join("output.wasm"));
        fs::write(&input, plain)?;
        let mut node = process::command("node");
        node.arg(tool.join("bin/wasm-opt")).arg("-Oz").args(WASM_FEATURES);
        node.arg(&input).arg("-o").arg(&output);
        step("Making the WASM small", || process::check(&mut node))?;
        fs::rename(&output, &small)?;
    }
    fs::read(&small).context("reading the optimized WASM")
}

fn compress(site: &Path) -> Result<()> {
    let files = files(site)?;
    let packed = files.iter().filter(|path| {
        path.extension().is_some_and(|ending| PACKED.iter().any(|known| ending == *known))
    });
    process::check(process::command("node").arg("xtask/compress.mjs").args(packed))
}

/// Writes `content` under a name that changes with it, and gives its path on the site.
fn hashed(pkg: &Path, ending: &str, content: &[u8]) -> Result<String> {
    ensure!(!content.is_empty() || ending == "css", "an empty {ending} came out of the build");
    let name = format!("{NAME}.{}.{ending}", digest(&[content]));
    fs::write(pkg.join(&name), content)?;
    Ok(format!("/pkg/{name}"))
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn digest_of(site: &Path) -> Result<String> {
    let mut parts = Vec::new();
    for path in files(site)? {
        parts.push(path.strip_prefix(site)?.to_string_lossy().into_owned().into_bytes());
        parts.push(fs::read(&path)?);
    }
    Ok(digest(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()))
}

/// Every file below `folder`, in a fixed order.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for path in files(from)? {
        let target = to.join(path.strip_prefix(from)?);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::copy(&path, &target)?;
    }
    Ok(())
}
