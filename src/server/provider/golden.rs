//! What each preset says to its service and reads from it, held against a file that a person has
//! checked with the service's documentation.
//!
//! A golden file has two halves. The first is written by hand: where the facts come from, values
//! for variables that have no default, and what the documentation shows the service answering. The
//! second is what Regrant makes of it; `UPDATE_GOLDEN=1 cargo xtask test golden` writes it anew,
//! and the difference is there to be read before it is committed.
//!
//! The presets are read from the folder, so that a new one needs no new build to be tried.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

use super::{
    Account, Catalog, Error, Grant, account, authorize, classify,
    dialect::Prepared,
    guard::Answer,
    jwt, profile,
    redact::Redactor,
    response::{self, Origin, Seen},
    revoke,
    tests::Owned,
    token::{self, Intent},
};
use crate::{
    domain::provider::{GrantType, Profile, Renewal, RevokedBy},
    server::clock::Rng,
};

const NOW: OffsetDateTime = datetime!(2026-01-01 00:00:00 UTC);

/// Where the hand-written half ends.
const DERIVED: &str = "=== what follows is derived";

/// Stands between two scopes, whatever separates them on the wire.
const SHOWN_SEPARATOR: &str = ", ";

/// Gives the same byte for ever.
struct FixedRng;

impl Rng for FixedRng {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x42);
    }
}

fn room(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/provider").join(name)
}

fn slugs(folder: &Path, extension: &str) -> BTreeSet<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_preset_matches_its_golden_file() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let catalog = Catalog::load(Some(&room("catalog"))).unwrap();
    let (presets, files) = (slugs(&room("catalog"), "toml"), slugs(&room("golden"), "txt"));
    let mut complaints: Vec<String> = files
        .difference(&presets)
        .map(|slug| format!("golden/{slug}.txt is of no preset"))
        .collect();
    for slug in &presets {
        let path = room("golden").join(format!("{slug}.txt"));
        let Ok(text) = fs::read_to_string(&path) else {
            complaints.push(format!(
                "golden/{slug}.txt is missing: begin it with `# <where the sample is from>` and \
                 `--- sample response`, then run with UPDATE_GOLDEN=1"
            ));
            continue;
        };
        let by_hand = text.split(DERIVED).next().unwrap_or_default().trim_end();
        let fresh = match Golden::read(by_hand)
            .and_then(|golden| derive(catalog.find(slug).unwrap(), &golden))
        {
            Ok(derived) => format!("{by_hand}\n\n{DERIVED}\n{derived}"),
            Err(why) => {
                complaints.push(format!("golden/{slug}.txt: {why}"));
                continue;
            }
        };
        if update {
            fs::write(&path, &fresh).unwrap();
        } else if text != fresh {
            complaints.push(format!("golden/{slug}.txt is stale:\n{}", difference(&text, &fresh)));
        }
    }
    assert!(
        complaints.is_empty(),
        "{}\n\nIf the new text is right, UPDATE_GOLDEN=1 writes it.",
        complaints.join("\n\n")
    );
}

/// The macro that embeds the folder is not run again when a file is added to it.
#[test]
fn the_binary_holds_what_the_folder_holds() {
    let embedded: BTreeSet<_> =
        Catalog::load(None).unwrap().iter().map(|profile| profile.slug.clone()).collect();
    assert_eq!(
        embedded,
        slugs(&room("catalog"), "toml"),
        "the build is older than the folder: touch src/server/provider/catalog/mod.rs"
    );
}

/// The categories there are. A new one is worth a thought: people filter by them.
const CATEGORIES: [&str; 26] = [
    "accounting",
    "ads",
    "calendar",
    "chat",
    "code",
    "commerce",
    "compliance",
    "crm",
    "data",
    "design",
    "developer",
    "documents",
    "generic",
    "health",
    "hr",
    "identity",
    "marketing",
    "media",
    "meetings",
    "other",
    "payments",
    "productivity",
    "storage",
    "suite",
    "support",
    "ticketing",
];

#[test]
fn every_preset_says_where_its_facts_are_and_how_to_register() {
    // Their documents are not on the web, or they are for any server.
    let without =
        ["apiax", "cronofy", "eventix", "generic-oauth2", "generic-oidc", "partner-api", "wetix"];
    for profile in Catalog::load(Some(&room("catalog"))).unwrap().iter() {
        let slug = profile.slug.as_str();
        let category = profile.category.as_deref().unwrap_or_default();
        assert!(CATEGORIES.contains(&category), "{slug}: {category:?}");
        if without.contains(&slug) {
            continue;
        }
        assert!(profile.links.docs.is_some(), "{slug} has no links.docs");
        assert!(profile.links.register_client.is_some(), "{slug} has no links.register_client");
        assert!(profile.notes.is_some(), "{slug} has no notes");
    }
}

/// The hand-written half of a file.
#[derive(Debug, Default)]
struct Golden {
    /// `client_id` is the one input that may be set: an id token in a sample names its own.
    client_id: Option<String>,
    variables: BTreeMap<String, String>,
    response: Option<Value>,
    userinfo: Option<Value>,
    /// Each with its status.
    refusals: Vec<(u16, String)>,
}

impl Golden {
    fn read(text: &str) -> Result<Self, String> {
        let mut golden = Self::default();
        let mut placeholders = Vec::new();
        let mut sections = text.split("\n--- ");
        if !sections.next().is_some_and(|head| head.starts_with("# ")) {
            return Err("must begin with a comment that says where the sample is from".into());
        }
        for section in sections {
            let (title, body) = section.split_once('\n').unwrap_or((section, ""));
            match title.trim() {
                "client id" => golden.client_id = Some(body.trim().into()),
                "variables" => golden.variables.extend(pairs(body)?),
                "placeholders" => placeholders = pairs(body)?,
                "sample response" => golden.response = Some(json(body, &placeholders)?),
                "sample userinfo" => golden.userinfo = Some(json(body, &placeholders)?),
                "sample refusals" => golden.refusals = refusals(body)?,
                other => return Err(format!("{other:?} is no section")),
            }
        }
        Ok(golden)
    }
}

fn lines(body: &str) -> impl Iterator<Item = &str> {
    body.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn pairs(body: &str) -> Result<Vec<(String, String)>, String> {
    lines(body)
        .map(|line| {
            let (name, value) = line.split_once('=').ok_or(format!("{line:?} is no pair"))?;
            Ok((name.trim().into(), value.trim().into()))
        })
        .collect()
}

/// A sample, with what the document leaves out put in. A form is a sample too.
fn json(body: &str, placeholders: &[(String, String)]) -> Result<Value, String> {
    let text = placeholders
        .iter()
        .fold(body.trim().to_owned(), |text, (name, value)| text.replace(name, value));
    match text.starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| format!("the sample: {error}")),
        false => response::body(text.as_bytes(), None).ok_or("the sample is no data".into()),
    }
}

fn refusals(body: &str) -> Result<Vec<(u16, String)>, String> {
    lines(body)
        .map(|line| {
            let (status, body) = line.split_once(' ').unwrap_or((line, ""));
            let status = status.parse().map_err(|_| format!("{line:?} begins with no status"))?;
            Ok((status, body.to_owned()))
        })
        .collect()
}

/// The second half.
fn derive(profile: &Profile, golden: &Golden) -> Result<String, String> {
    let mut owned = Owned::new(profile.clone());
    owned.client_id = golden.client_id.clone().unwrap_or_else(|| "the-client-id".into());
    owned.secret = Some(SecretString::from("the-client-secret"));
    owned.scopes.clone_from(&profile.authorization.default_scopes);
    owned.variables.clone_from(&golden.variables);
    for variable in &profile.variables {
        if variable.default.as_deref().is_none_or(str::is_empty)
            && let Some(first) = variable.choices.first()
        {
            owned.variables.entry(variable.name.clone()).or_insert_with(|| first.value.clone());
        }
    }
    profile::check_variables(profile, &owned.variables, true).map_err(|e| e.to_string())?;

    let mut out = String::new();
    requests(&owned, &mut out);
    reading(&owned, golden, &mut out)?;
    Ok(out)
}

fn section(out: &mut String, title: &str, body: &str) {
    let _ = writeln!(out, "--- {title}\n{}\n", body.trim_end());
}

fn requests(owned: &Owned, out: &mut String) {
    let registration = owned.registration();
    let profile = registration.profile;
    let code = SecretString::from("the-code");
    let refresh_token = SecretString::from("the-refresh-token");
    let access_token = SecretString::from("the-access-token");
    // RFC 7636 appendix B.
    let code_verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let prepare =
        |intent| shown(token::prepare(&registration, intent, NOW, &FixedRng).and_then(wire));

    if profile.allows(GrantType::AuthorizationCode) {
        let request = authorize::Request {
            state: "the-state",
            code_verifier: &code_verifier,
            nonce: Some("the-nonce"),
            login_hint: None,
        };
        let url = authorize::url(&registration, &request);
        section(out, "authorize", &shown(url.map(|url| format!("GET {url}"))));
        let intent = Intent::Exchange { code: &code, code_verifier: &code_verifier };
        section(out, "exchange", &prepare(intent));
    }
    if profile.allows(GrantType::ClientCredentials) {
        section(out, "client credentials", &prepare(Intent::ClientCredentials));
    }
    if profile.renewal == Renewal::RefreshToken {
        section(out, "refresh", &prepare(Intent::Refresh { refresh_token: &refresh_token }));
    }
    let revocation = profile.endpoints.revocation.as_deref();
    if let Ok(endpoint) = registration.endpoint("revocation", revocation) {
        let revoke = |hint, token| {
            let request = revoke::prepare(&registration, &endpoint, hint, token, NOW, &FixedRng);
            shown(request.and_then(wire))
        };
        let by = profile.policy.revoked_by;
        if by != RevokedBy::AccessToken {
            section(out, "revoke the refresh token", &revoke("refresh_token", &refresh_token));
        }
        if by != RevokedBy::RefreshToken {
            section(out, "revoke the access token", &revoke("access_token", &access_token));
        }
    }
    if profile.endpoints.userinfo.is_some() {
        match account::prepare(&registration, &access_token) {
            Err(Error::NoEndpoint(_)) => {}
            request => section(out, "userinfo", &shown(request.map(sent))),
        }
    }
}

fn wire(prepared: Prepared) -> Result<String, Error> {
    Ok(sent(prepared.into_request().0))
}

fn shown(request: Result<String, Error>) -> String {
    request.unwrap_or_else(|error| format!("none: {error}"))
}

/// A request as it goes out: method and address, headers in order, body.
fn sent(request: reqwest::Request) -> String {
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(body).replace('\r', "");
    format!("{} {}\n{}\n\n{body}", request.method(), request.url(), headers.join("\n"))
}

fn reading(owned: &Owned, golden: &Golden, out: &mut String) -> Result<(), String> {
    let registration = owned.registration();
    let sample = golden.response.as_ref().ok_or("has no sample response")?;
    let issuer = registration.issuer().map_err(|error| error.to_string())?;
    let expected = jwt::Expected {
        issuer: issuer.as_deref(),
        client_id: registration.client_id,
        nonce: None,
        now: OffsetDateTime::UNIX_EPOCH,
    };
    let (grant, verdict) =
        response::grant(&registration, sample, Origin::Beginning, NOW, &expected)
            .ok_or("the sample response holds no access token")?;
    section(out, "read from the sample response", &told(&grant, verdict));

    if let Some(userinfo) = &golden.userinfo {
        let seen = Seen { userinfo: Some(userinfo), ..Seen::default() };
        let account = seen.account(&registration);
        let label = seen.label(&registration);
        let mut text = String::new();
        let _ = writeln!(text, "account: {}", account_text(account.as_ref()));
        if account.is_none() {
            let _ = writeln!(text, "label: {}", label.as_deref().unwrap_or("none"));
        }
        section(out, "read from the sample userinfo", &text);
    }

    let mut text = String::new();
    for (status, body) in &golden.refusals {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        let answer = Answer { status: *status, headers, body: body.clone().into_bytes() };
        let value = response::body(&answer.body, Some("application/json"));
        if value.as_ref().is_some_and(|value| {
            (200..300).contains(status)
                && response::grant(&registration, value, Origin::Refresh, NOW, &expected).is_some()
        }) {
            return Err(format!("{status} {body} is read as tokens"));
        }
        let errors = &registration.profile.errors;
        let hidden = Redactor::default();
        let refusal = classify::refusal(errors, &answer, value.as_ref(), false, &hidden, NOW);
        let _ = writeln!(
            text,
            "{status} {} -> {}{}",
            refusal.code.as_deref().unwrap_or("without a code"),
            refusal.class.as_str(),
            refusal.description.map(|text| format!(" ({text})")).unwrap_or_default()
        );
    }
    if !text.is_empty() {
        section(out, "read from the sample refusals", &text);
    }
    // One line ends the file.
    out.truncate(out.trim_end().len());
    out.push('\n');
    Ok(())
}

fn told(grant: &Grant, verdict: Result<(), &str>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name}: {value}");
    };
    let secret = |token: Option<&SecretString>| {
        token.map_or_else(|| "none".into(), |token| token.expose_secret().to_owned())
    };
    line("access token", secret(Some(&grant.access_token)));
    line("refresh token", secret(grant.refresh_token.as_ref()));
    if grant.id_token.is_some() {
        line("id token", verdict.map_or_else(|why| format!("unfit: {why}"), |()| "fits".into()));
    }
    line("token type", grant.token_type.clone());
    line(
        "scopes",
        grant.scopes.as_ref().map_or_else(|| "not said".into(), |all| all.join(SHOWN_SEPARATOR)),
    );
    line("access token expires", moment(grant.access_expires_at));
    line("refresh token expires", moment(grant.refresh_expires_at));
    line("account", account_text(grant.account.as_ref()));
    for (name, value) in &grant.extras {
        line(&format!("extra {name}"), value.to_string());
    }
    text
}

fn account_text(account: Option<&Account>) -> String {
    match account {
        None => "not said".into(),
        Some(Account { id, label: None }) => id.clone(),
        Some(Account { id, label: Some(label) }) => format!("{id} ({label})"),
    }
}

fn moment(at: Option<OffsetDateTime>) -> String {
    let Some(at) = at else { return "not said".into() };
    let seconds = (at - NOW).whole_seconds();
    let day = 86_400;
    let span = match seconds {
        _ if seconds >= day && seconds % day == 0 => format!("{} days", seconds / day),
        _ if seconds >= 3_600 && seconds % 3_600 == 0 => format!("{} hours", seconds / 3_600),
        _ if seconds >= 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    };
    format!("{}, {span} from now", at.format(&Rfc3339).unwrap())
}

/// The lines between what two texts have in common at both ends.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let head = old.iter().zip(&new).take_while(same).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(same).count();
    let mut text = format!("@@ line {} @@\n", head + 1);
    for line in old[head.saturating_sub(2)..head].iter() {
        let _ = writeln!(text, "  {line}");
    }
    for line in &old[head..old.len() - tail] {
        let _ = writeln!(text, "- {line}");
    }
    for line in &new[head..new.len() - tail] {
        let _ = writeln!(text, "+ {line}");
    }
    for line in new[new.len() - tail..].iter().take(2) {
        let _ = writeln!(text, "  {line}");
    }
    text
}

#[test]
fn a_difference_is_told_by_its_lines() {
    assert_eq!(
        difference("a\nb\nc\nd\ne\n", "a\nb\nx\nd\ne\n"),
        "@@ line 3 @@\n  a\n  b\n- c\n+ x\n  d\n  e\n"
    );
}
