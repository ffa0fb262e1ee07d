//! The addresses of our own pages, typed, so that a link cannot be misspelt and a filter reads back
//! what it wrote.

mod filter;
mod query;

use std::collections::BTreeMap;

use leptos_router::params::ParamsMap;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{
    audit::AuditFilter,
    client,
    connection::{ConnectionFilter, Standing},
    job::Action,
    language::Language,
    overview::Scale,
    provider::form::View,
    relink::{Outcome, RelinkShow, Stage},
};

use filter::audit_pairs;
pub use filter::{
    Unread, audit_filter, audit_unread, connection_filter, connection_unread, day, day_of,
    filter_pairs, instant,
};
use query::{escape, parsed, query};
pub use query::{filled, first_page, next_page, paging, unescape};

pub const HOME: &str = "/";
pub const LOGIN: &str = "/login";
pub const CONNECTIONS: &str = "/connections";
pub const CONNECTION_NEW: &str = "/connections/new";
pub const CONNECTION_IMPORT: &str = "/connections/import";
pub const JOBS: &str = "/jobs";
pub const JOB_NEW: &str = "/jobs/new";
pub const RELINKS: &str = "/relinks";
/// Reasons to send links to many.
pub const RELINKS_MANY: &str = "/relinks/many";
pub const CLIENTS: &str = "/clients";
/// What programs can ask for, as an OpenAPI document.
pub const API_DOCUMENT: &str = "/api/v1/openapi.json";
pub const CLIENT_NEW: &str = "/clients/new";
pub const PROVIDERS: &str = "/providers";
pub const PROVIDER_NEW: &str = "/providers/new";
pub const USERS: &str = "/users";
pub const API_KEYS: &str = "/api-keys";
pub const AUDIT: &str = "/audit";
pub const PROFILE: &str = "/profile";
pub const SETTINGS: &str = "/settings";
pub const BRAND_STYLE: &str = "/brand/style.css";
pub const BRAND_LOGO: &str = "/brand/logo";
/// Where the file of a logo is sent.
pub const UPLOAD_LOGO: &str = "/upload/brand/logo";

/// The parameter that names the job whose stragglers another is for.
pub const STRAGGLERS: &str = "stragglers";
/// The query parameter that asks for another part of a page, and the part of a job's.
const SHOW: &str = "show";
const EACH: &str = "each";
/// The query parameter that asks for the page that follows.
pub const AFTER: &str = "after";
/// The parameter that names the server function that has just done what a form asked for.
pub const DONE: &str = "__done";

/// What [`DONE`] says of an action.
pub fn done(action: &str) -> String {
    format!("/rpc/{action}")
}

/// Which action a value of [`DONE`] names.
pub fn was_done(done: &str) -> Option<&str> {
    done.strip_prefix("/rpc/")
}

/// How a profile is shown to whoever writes it.
pub const VIEW: &str = "as";
/// In which language a visitor wants to read.
pub const LANGUAGE: &str = "lang";
/// Says that a profile was just saved.
pub const SAVED: &str = "saved";
/// Says that a provider was discovered on the way here, and whether it was there before.
pub const DISCOVERED: &str = "discovered";
/// Where a provider is discovered by its issuer's address.
pub const DISCOVERY: &str = "/clients/new#discover";
/// Which provider a profile is copied from.
pub const FROM: &str = "from";

pub fn login(next: &str) -> String {
    query(LOGIN, [("next", next.to_owned())])
}

/// The overview, with a timeline of another length.
pub fn overview(over: Scale) -> String {
    query(HOME, (over != Scale::default()).then(|| ("over", over.as_str().to_owned())))
}

pub fn over(params: &ParamsMap) -> Scale {
    parsed(params, "over").unwrap_or_default()
}

pub fn connection(id: Uuid) -> String {
    format!("{CONNECTIONS}/{id}")
}

pub fn connection_new(client: Uuid) -> String {
    query(CONNECTION_NEW, [("client", client.to_string())])
}

pub fn connections_that_are(standing: Standing) -> String {
    query(CONNECTIONS, [("standing", standing.as_str().to_owned())])
}

pub fn connections_of_client(client: Uuid) -> String {
    query(CONNECTIONS, [("client", client.to_string())])
}

/// Confirming that something is done with all that a filter lets through.
pub fn job_new(action: Action, filter: &ConnectionFilter) -> String {
    let what = [("action", action.as_str().to_owned()), ("of", "all".to_owned())];
    query(JOB_NEW, what.into_iter().chain(filter_pairs(filter)))
}

pub fn job(id: Uuid) -> String {
    format!("{JOBS}/{id}")
}

/// Where the outcomes of a job come from as a file. `format`: csv or ndjson.
pub fn job_export(id: Uuid, format: &str) -> String {
    format!("/download/jobs/{id}.{format}")
}

/// Links for all that a filter lets through, under a name, to be confirmed.
pub fn campaign_new(name: &str, filter: &ConnectionFilter) -> String {
    let address = job_new(Action::Relink, filter);
    format!("{address}&name={}", escape(name))
}

/// New links for the stragglers of a job, to be confirmed.
pub fn job_new_for_stragglers(job: Uuid) -> String {
    let action = Action::Relink.as_str().to_owned();
    query(JOB_NEW, [("action", action), (STRAGGLERS, job.to_string())])
}

/// The page of a job, with its stragglers at a stage (or all of them).
pub fn job_stragglers(id: Uuid, stage: Option<Stage>) -> String {
    query(&job(id), stage.map(|stage| ("stage", stage.as_str().to_owned())))
}

/// The page of a job of relinks, with what came of each connection instead of its customers.
pub fn job_each(id: Uuid) -> String {
    query(&job(id), [(SHOW, EACH.to_owned())])
}

/// Whether it is asked for.
pub fn shows_each(params: &ParamsMap) -> bool {
    params.get_str(SHOW) == Some(EACH)
}

pub fn stage(params: &ParamsMap) -> Option<Stage> {
    parsed(params, "stage")
}

pub fn stage_unread(params: &ParamsMap) -> Option<Unread> {
    filter::unread(params, &["stage"], |_, _| stage(params).is_some())
}

/// Where the stragglers of a job come from as a file.
pub fn straggler_export(id: Uuid, format: &str) -> String {
    format!("/download/stragglers/{id}.{format}")
}

/// Where the e-mails with a job's links come from as a file.
pub fn mail_export(id: Uuid, language: Language, format: &str) -> String {
    format!("/download/mails/{}/{id}.{format}", language.tag())
}

/// Reasons to send links to many, with those who came to need a person since then.
pub fn relinks_many(since: &str) -> String {
    query(RELINKS_MANY, [("since", since.to_owned())])
}

/// The list as a filter has it.
pub fn connections(filter: &ConnectionFilter) -> String {
    query(CONNECTIONS, filter_pairs(filter))
}

/// Where the list comes from as a file. `format`: csv or ndjson.
pub fn connection_export(filter: &ConnectionFilter, format: &str) -> String {
    query(&format!("/download/connections.{format}"), filter_pairs(filter))
}

/// What needs a human before a moment, soonest first.
pub fn connections_needing_human(before: OffsetDateTime) -> String {
    query(CONNECTIONS, [("needs_human_before", day(before)), ("sort", "needs_human_by".to_owned())])
}

/// Where an admin gives somebody a new password.
pub fn user_password(id: Uuid) -> String {
    format!("{USERS}/{id}/password")
}

pub fn client(id: Uuid) -> String {
    format!("{CLIENTS}/{id}")
}

/// Where a client in trouble is mended.
pub fn client_remedy(id: Uuid, state: client::StateName) -> String {
    match state {
        client::StateName::CredentialsRejected => format!("{}#secret", client(id)),
        _ => client(id),
    }
}

/// Where the pause that a client's provider asked for is told, and ended.
pub fn client_pause(id: Uuid) -> String {
    format!("{}#pause", client(id))
}

pub fn client_import(id: Uuid) -> String {
    format!("{CLIENTS}/{id}/import")
}

/// Where the file of an import is sent.
pub fn upload_import(client: Uuid) -> String {
    format!("/upload/import/{client}")
}

/// Where the same file is sent to be tried: nothing of it is stored.
pub fn upload_trial(client: Uuid) -> String {
    format!("{}/trial", upload_import(client))
}

pub fn client_dry_run(id: Uuid) -> String {
    format!("{CLIENTS}/{id}/dry-run")
}

pub fn client_new(provider: &str) -> String {
    query(CLIENT_NEW, [("provider", provider.to_owned())])
}

/// Registering a client of a provider that was discovered just now, or again.
pub fn client_new_discovered(provider: &str, again: bool) -> String {
    let how = if again { "again" } else { "now" };
    query(CLIENT_NEW, [("provider", provider.to_owned()), (DISCOVERED, how.to_owned())])
}

pub fn provider(slug: &str) -> String {
    format!("{PROVIDERS}/{}", escape(slug))
}

/// Writing a custom provider, beginning with a copy of another.
pub fn provider_copy(slug: &str) -> String {
    query(PROVIDER_NEW, [(FROM, slug.to_owned())])
}

/// The page behind a one-time link.
pub fn relink(token: &str) -> String {
    format!("/relink/{}", escape(token))
}

/// Where the page behind a link sends its visitor on.
pub fn relink_begin(token: &str) -> String {
    format!("{}/begin", relink(token))
}

/// What [`outcome`] says of an address at which nothing begins any more.
pub const SPENT: &str = "spent";
/// What it says of a consent that is not stored yet.
pub const BEING_STORED: &str = "being_stored";

/// The page for whoever comes back to nowhere.
pub fn outcome(kind: &str) -> String {
    format!("/relink/outcome/{kind}")
}

/// The page behind a link, after a try that changed nothing.
pub fn relink_again(token: &str, outcome: Outcome) -> String {
    query(&relink(token), [("outcome", outcome.as_str().to_owned())])
}

pub fn in_language(page: &str, language: Language) -> String {
    let joint = if page.contains('?') { '&' } else { '?' };
    format!("{page}{joint}{LANGUAGE}={}", language.tag())
}

/// The house's colours; the version keeps an old one from being shown.
pub fn brand_style(version: &str) -> String {
    query(BRAND_STYLE, [("v", version.to_owned())])
}

pub fn brand_logo(version: &str) -> String {
    query(BRAND_LOGO, [("v", version.to_owned())])
}

/// The page on which one link is watched.
pub fn relink_watch(id: Uuid) -> String {
    format!("{RELINKS}/{id}")
}

pub fn relinks(show: RelinkShow) -> String {
    let show = (show != RelinkShow::default()).then(|| ("show", show.as_str().to_owned()));
    query(RELINKS, show)
}

pub fn relink_show(params: &ParamsMap) -> RelinkShow {
    parsed(params, "show").unwrap_or_default()
}

pub fn relink_show_unread(params: &ParamsMap) -> Option<Unread> {
    filter::unread(params, &["show"], |_, value| value.parse::<RelinkShow>().is_ok())
}

/// A letter that is begun in the reader's mail program (RFC 6068).
pub fn mail(subject: &str, body: &str) -> String {
    format!("mailto:?subject={}&body={}", escape(subject), escape(&body.replace('\n', "\r\n")))
}

/// The page on which a profile is written: a custom provider's, else a copy of `from`.
pub fn provider_form(slug: Option<&str>, from: Option<&str>, view: View) -> String {
    let path = match slug {
        Some(slug) => format!("{}/edit", provider(slug)),
        None => PROVIDER_NEW.to_owned(),
    };
    let from = from.map(|from| (FROM, from.to_owned()));
    let view = (view != View::default()).then(|| (VIEW, view.as_str().to_owned()));
    query(&path, from.into_iter().chain(view))
}

pub fn provider_edit(slug: &str) -> String {
    provider_form(Some(slug), None, View::Form)
}

/// Where one goes from the form without having saved anything.
pub fn provider_left(of: Option<&str>) -> String {
    of.map_or_else(|| PROVIDERS.to_owned(), provider)
}

pub fn provider_saved(slug: &str) -> String {
    query(&provider(slug), [(SAVED, "yes".to_owned())])
}

pub fn audit_of(subject: &str) -> String {
    audit(&AuditFilter { subject: Some(subject.to_owned()), ..AuditFilter::default() })
}

/// The parameter that says what a connection would fill in for one of its provider's variables.
pub fn variable(name: &str) -> String {
    format!("variables.{name}")
}

/// Reads what [`variable`] names, all of them.
pub fn variables(params: &ParamsMap) -> BTreeMap<String, String> {
    params
        .into_iter()
        .filter_map(|(key, value)| {
            let name = key.strip_prefix("variables.")?.to_owned();
            let value = value.trim().to_owned();
            (!value.is_empty()).then_some((name, value))
        })
        .collect()
}

/// The log as a filter has it.
pub fn audit(filter: &AuditFilter) -> String {
    query(AUDIT, audit_pairs(filter))
}

/// Where the log comes from as a file. `format`: csv or ndjson.
pub fn audit_export(filter: &AuditFilter, format: &str) -> String {
    query(&format!("/download/audit.{format}"), audit_pairs(filter))
}

/// Whose page it is, by the id in its path.
pub fn id(params: &ParamsMap) -> Option<Uuid> {
    parsed(params, "id")
}

/// Whether a provider was discovered on the way here; then, whether it was there before.
pub fn discovered(params: &ParamsMap) -> Option<bool> {
    filled(params, DISCOVERED).map(|how| how == "again")
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn params(pairs: &[(&str, &str)]) -> ParamsMap {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_stands_in_an_address_cannot_leave_its_place() {
        assert_eq!(login("/a?b=c&d"), "/login?next=%2Fa%3Fb%3Dc%26d");
        assert_eq!(provider("a/b"), "/providers/a%2Fb");
    }
}
