//! The site: stylesheet, script, WASM and the files of `public/`.
//!
//! `cargo xtask build` makes it in `target/site`, under names that carry a hash of the content, so
//! that browsers may keep it for ever. A release carries it inside the binary, which then runs
//! wherever it is copied; a debug build reads it from disk. Either way it is in memory, packed
//! beforehand, and no request reaches a file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, io};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Ties this file to the site that the build tool made, so that another site makes a new binary.
#[cfg(feature = "embed-site")]
const _: Option<&str> = option_env!("REGRANT_SITE_DIGEST");
#[cfg(feature = "embed-site")]
static EMBEDDED: include_dir::Dir<'_> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/target/site");

const MANIFEST: &str = "site.json";
/// Where everything with a hash in its name lies.
const HASHED: &str = "/pkg/";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the site in {} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the site's list of names cannot be read: {0}")]
    Manifest(#[from] serde_json::Error),
}

/// Where a page finds its parts: paths on this site.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Names {
    pub css: String,
    pub js: String,
    pub wasm: String,
}

/// The site in memory.
#[derive(Debug, Default)]
pub struct Site {
    names: Option<Names>,
    files: BTreeMap<String, Asset>,
}

#[derive(Clone, Debug, Default)]
struct Asset {
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
    etag: String,
}

impl Site {
    /// The site inside the binary, else the one beside it. `LEPTOS_SITE_ROOT` names another.
    /// Without any the site is empty, and pages come without style or script.
    pub fn load() -> Result<Self, Error> {
        if let Some(root) = env::var_os("LEPTOS_SITE_ROOT") {
            return Self::read(Path::new(&root));
        }
        #[cfg(feature = "embed-site")]
        return Self::embedded();
        #[cfg(not(feature = "embed-site"))]
        beside_executable().map_or_else(|| Ok(Self::default()), |root| Self::read(&root))
    }

    /// The site in a folder on disk.
    pub fn read(root: &Path) -> Result<Self, Error> {
        let mut files = Vec::new();
        collect(root, root, &mut files)
            .map_err(|source| Error::Unreadable { path: root.to_owned(), source })?;
        Self::assemble(files)
    }

    #[cfg(feature = "embed-site")]
    fn embedded() -> Result<Self, Error> {
        fn collect(dir: &'static include_dir::Dir<'_>, into: &mut Vec<(String, Bytes)>) {
            for file in dir.files() {
                let path = file.path().to_string_lossy().into_owned();
                into.push((path, Bytes::from_static(file.contents())));
            }
            dir.dirs().for_each(|dir| collect(dir, into));
        }
        let mut files = Vec::new();
        collect(&EMBEDDED, &mut files);
        Self::assemble(files)
    }

    fn assemble(mut files: Vec<(String, Bytes)>) -> Result<Self, Error> {
        // A packed file comes after the plain one it belongs to.
        files.sort();
        let mut site = Self::default();
        for (path, content) in files {
            let path = format!("/{path}");
            if path.strip_prefix('/') == Some(MANIFEST) {
                site.names = Some(serde_json::from_slice(&content)?);
                continue;
            }
            let packed = path.rsplit_once('.').and_then(|(plain, ending)| {
                let asset = site.files.get_mut(plain)?;
                match ending {
                    "br" => Some(&mut asset.brotli),
                    "gz" => Some(&mut asset.gzip),
                    _ => None,
                }
            });
            if let Some(packed) = packed {
                *packed = Some(content);
            } else {
                let etag = etag(&content);
                site.files.insert(path, Asset { plain: content, etag, ..Asset::default() });
            }
        }
        Ok(site)
    }

    /// Where the page's parts are. `None` when there is no site.
    pub fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// One route for each file, so that nothing else can be asked for.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.files.iter().fold(Router::new(), |router, (path, asset)| {
            let hashed = path.starts_with(HASHED) && path.matches('.').count() > 1;
            let asset = Arc::new(Served {
                asset: asset.clone(),
                content_type: content_type(path),
                cache: if hashed {
                    HeaderValue::from_static("public, max-age=31536000, immutable")
                } else {
                    HeaderValue::from_static("no-cache")
                },
            });
            router.route(path, get(move |headers: HeaderMap| async move { asset.answer(&headers) }))
        })
    }
}

#[derive(Debug)]
struct Served {
    asset: Asset,
    content_type: HeaderValue,
    cache: HeaderValue,
}

impl Served {
    fn answer(&self, request: &HeaderMap) -> Response {
        let accepted = |coding| accepts(request, coding);
        let (content, coding) = match &self.asset {
            Asset { brotli: Some(packed), .. } if accepted("br") => (packed, Some("br")),
            Asset { gzip: Some(packed), .. } if accepted("gzip") => (packed, Some("gzip")),
            Asset { plain, .. } => (plain, None),
        };
        // A tag stands for one exact sequence of bytes (RFC 9110 section 8.8.3.3).
        let tag = format!("\"{}{}\"", self.asset.etag, coding.unwrap_or_default());
        let known = request.get_all(header::IF_NONE_MATCH).iter().any(|value| {
            value.to_str().is_ok_and(|tags| {
                tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
            })
        });
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Body::from(content.clone()).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, self.cache.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        if !known {
            headers.insert(header::CONTENT_TYPE, self.content_type.clone());
            if let Some(coding) = coding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
        }
        response
    }
}

/// Whether the request takes this coding by name (RFC 9110 section 12.5.3).
fn accepts(request: &HeaderMap, coding: &str) -> bool {
    request
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
            let refused = parts
                .filter_map(|parameter| parameter.split_once('='))
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
                .any(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0));
            named && !refused
        })
}

fn content_type(path: &str) -> HeaderValue {
    HeaderValue::from_static(match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    })
}

fn etag(content: &[u8]) -> String {
    Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn collect(root: &Path, dir: &Path, into: &mut Vec<(String, Bytes)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, into)?;
        } else if let Ok(name) = path.strip_prefix(root) {
            into.push((name.to_string_lossy().into_owned(), fs::read(&path)?.into()));
        }
    }
    Ok(())
}

/// `target/site`, seen from `target/debug/regrant` and from the tests in `target/debug/deps`; or a
/// folder `site` beside a binary that was copied.
#[cfg(not(feature = "embed-site"))]
fn beside_executable() -> Option<PathBuf> {
    let executable = env::current_exe().ok()?;
    let sites = executable.ancestors().skip(1).take(3).map(|folder| folder.join("site"));
    sites.into_iter().find(|site| site.join(MANIFEST).is_file())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    fn site() -> Site {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("pkg")).unwrap();
        for (name, content) in [
            ("pkg/regrant.12ab.wasm", "plain wasm"),
            ("pkg/regrant.12ab.wasm.br", "brotli wasm"),
            ("pkg/regrant.12ab.wasm.gz", "gzip wasm"),
            ("favicon.svg", "<svg/>"),
            (
                "site.json",
                r#"{"js":"/pkg/j.js","wasm":"/pkg/regrant.12ab.wasm","css":"/pkg/c.css"}"#,
            ),
        ] {
            fs::write(dir.path().join(name), content).unwrap();
        }
        Site::read(dir.path()).unwrap()
    }

    async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let router: Router = site().routes();
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1000).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn the_names_come_from_the_list() {
        assert_eq!(site().names().unwrap().wasm, "/pkg/regrant.12ab.wasm");
    }

    #[tokio::test]
    async fn a_packed_file_goes_to_those_who_can_unpack_it() {
        for (accept, body, coding) in [
            ("gzip, deflate, br, zstd", "brotli wasm", Some("br")),
            ("gzip, br;q=0", "gzip wasm", Some("gzip")),
            ("deflate", "plain wasm", None),
        ] {
            let (status, headers, got) =
                ask("/pkg/regrant.12ab.wasm", &[("accept-encoding", accept)]).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(got, body);
            assert_eq!(headers.get("content-encoding").map(|v| v.to_str().unwrap()), coding);
            assert_eq!(headers["content-type"], "application/wasm");
            assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
            assert_eq!(headers["vary"], "accept-encoding");
        }
    }

    #[tokio::test]
    async fn a_file_without_a_hash_in_its_name_is_asked_about_each_time() {
        let (status, headers, _) = ask("/favicon.svg", &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["cache-control"], "no-cache");
        let tag = headers["etag"].to_str().unwrap();
        let (status, _, body) = ask("/favicon.svg", &[("if-none-match", tag)]).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        let (status, ..) = ask("/favicon.svg", &[("if-none-match", "\"other\"")]).await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test]
    async fn only_what_belongs_to_the_site_can_be_asked_for() {
        for path in ["/site.json", "/pkg/regrant.12ab.wasm.br", "/pkg/../site.json", "/pkg"] {
            assert_eq!(ask(path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
