//! The browser's door. Ids are those of nothing: whoever may not act must be told so before they
//! learn what exists.

use std::collections::BTreeSet;

use leptos::server_fn::axum::server_fn_paths;
use sqlx::PgPool;

use crate::{
    domain::{
        access::{
            Role::{self, Admin, Auditor, Support},
            Scope,
        },
        problem::Code,
    },
    tests::support::{PASSWORD, Page, World},
};

type Roles = &'static [Option<Role>];
const ANYONE: Roles = &[None, Some(Auditor), Some(Support), Some(Admin)];
const SIGNED_IN: Roles = &[Some(Auditor), Some(Support), Some(Admin)];
const STAFF: Roles = &[Some(Support), Some(Admin)];
const READERS: Roles = &[Some(Auditor), Some(Admin)];
const ADMINS: Roles = &[Some(Admin)];

const NIL: &str = "00000000-0000-0000-0000-000000000000";
const ID: (&str, &str) = ("id", NIL);
const TOKEN: (&str, &str) = ("token", "nonsense");
const SLUG: (&str, &str) = ("slug", "nothing-such");
const LABEL: (&str, &str) = ("label", "a");
const CLIENT: (&str, &str) = ("client_id", NIL);
const NAME: (&str, &str) = ("name", "a");
const OAUTH_ID: (&str, &str) = ("oauth_client_id", "a");
const EMAIL: (&str, &str) = ("email", "new@people.test");
const WRONG: (&str, &str) = ("password", "wrong");

type Row = (&'static str, Roles, &'static [(&'static str, &'static str)]);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("api_key/create", ADMINS, &[NAME, ("scopes[0]", "audit:read")]),
    ("api_key/list", READERS, &[]),
    ("api_key/made", ANYONE, &[]),
    ("api_key/revoke", ADMINS, &[ID]),
    ("audit/list", READERS, &[]),
    ("brand/drop_logo", ADMINS, &[]),
    ("brand/get", ANYONE, &[]),
    ("brand/update", ADMINS, &[NAME]),
    ("client/check", ADMINS, &[ID]),
    ("client/checked", ANYONE, &[ID]),
    ("client/create", ADMINS, &[("provider", "nothing-such"), NAME, OAUTH_ID]),
    ("client/delete", ADMINS, &[ID]),
    ("client/get", SIGNED_IN, &[ID]),
    ("client/list", SIGNED_IN, &[]),
    ("client/names", SIGNED_IN, &[]),
    ("client/redirect_uri", ANYONE, &[]),
    ("client/replace_secret", ADMINS, &[ID, ("client_secret", "a")]),
    ("client/set_disabled", ADMINS, &[ID, ("disabled", "true")]),
    ("client/update", ADMINS, &[ID, NAME, OAUTH_ID]),
    ("dry_run/last", ANYONE, &[("client", NIL)]),
    ("dry_run/read", ADMINS, &[("client", NIL), ("body", "{}"), ("answers", "exchange")]),
    ("dry_run/requests", ADMINS, &[("client", NIL)]),
    ("import/get", SIGNED_IN, &[ID]),
    ("import/list", SIGNED_IN, &[("client", NIL)]),
    ("incident/condemn", ADMINS, &[ID]),
    ("incident/resume", ADMINS, &[ID]),
    ("connection/attempts", SIGNED_IN, &[ID]),
    ("connection/connect", ADMINS, &[CLIENT, LABEL]),
    ("connection/connect_device", ADMINS, &[CLIENT, LABEL]),
    ("connection/disconnect", ADMINS, &[ID, ("revoke", "true")]),
    ("connection/exchange", ADMINS, &[CLIENT, LABEL, ("subject_token", "a"), ("subject_token_type", "urn:a:b")]),
    ("connection/get", SIGNED_IN, &[ID]),
    ("connection/grant_client_credentials", ADMINS, &[CLIENT, LABEL]),
    ("connection/import", ADMINS, &[CLIENT, LABEL, ("token_response", "{}")]),
    ("connection/introspect", STAFF, &[ID]),
    ("connection/list", SIGNED_IN, &[]),
    ("connection/made_relink", ANYONE, &[ID]),
    ("connection/pause", ADMINS, &[ID]),
    ("connection/resume", ADMINS, &[ID]),
    ("connection/reauthorize", ADMINS, &[ID]),
    ("connection/reauthorize_device", ADMINS, &[ID]),
    ("connection/refresh", STAFF, &[ID]),
    ("connection/relink", STAFF, &[ID]),
    ("connection/reveal", ADMINS, &[ID, WRONG]),
    ("connection/revealed", ADMINS, &[ID]),
    ("connection/update", ADMINS, &[ID, LABEL]),
    ("overview/get", SIGNED_IN, &[]),
    ("campaign/create", STAFF, &[("ids", NIL)]),
    ("campaign/list", SIGNED_IN, &[]),
    ("campaign/progress", SIGNED_IN, &[ID]),
    ("campaign/reasons", SIGNED_IN, &[]),
    ("job/create", STAFF, &[("action", "refresh"), ("ids", NIL)]),
    ("job/failed", SIGNED_IN, &[ID]),
    ("job/get", SIGNED_IN, &[ID]),
    ("job/list", SIGNED_IN, &[]),
    ("job/outcomes", SIGNED_IN, &[ID]),
    ("job/preview", STAFF, &[("new[action]", "refresh"), ("new[ids][0]", NIL)]),
    ("job/stop", STAFF, &[ID]),
    ("provider/delete", ADMINS, &[SLUG]),
    ("provider/discover", ADMINS, &[("issuer", "ftp://nonsense")]),
    ("provider/edit", SIGNED_IN, &[]),
    ("provider/get", SIGNED_IN, &[SLUG]),
    ("provider/list", SIGNED_IN, &[]),
    ("rehearsal/drop", ADMINS, &[ID]),
    ("rehearsal/prospects", SIGNED_IN, &[ID]),
    ("rehearsal/set", ADMINS, &[ID, ("client_secret", "a")]),
    ("relink/create", STAFF, &[ID]),
    ("relink/detail", SIGNED_IN, &[ID]),
    ("relink/get", ANYONE, &[TOKEN]),
    ("relink/handed", ANYONE, &[ID]),
    ("relink/list", SIGNED_IN, &[]),
    ("relink/others", SIGNED_IN, &[ID]),
    ("relink/revoke", STAFF, &[ID]),
    ("saved_filter/create", SIGNED_IN, &[NAME, ("filter", "{}")]),
    ("saved_filter/delete", SIGNED_IN, &[ID]),
    ("saved_filter/list", SIGNED_IN, &[]),
    ("session/change_password", SIGNED_IN, &[("current", "wrong"), ("new", PASSWORD)]),
    ("session/current", ANYONE, &[]),
    ("session/login", ANYONE, &[EMAIL, WRONG]),
    ("session/setup_link", ANYONE, &[TOKEN]),
    ("session/setup", ANYONE, &[TOKEN, EMAIL, ("password", PASSWORD)]),
    ("user/create", ADMINS, &[EMAIL, ("role", "support"), ("password", "short")]),
    ("user/get", READERS, &[ID]),
    ("user/list", READERS, &[]),
    ("user/set_disabled", ADMINS, &[ID, ("disabled", "true")]),
    ("user/set_password", ADMINS, &[ID, WRONG, ("own", "wrong")]),
    ("user/set_role", ADMINS, &[ID, ("role", "admin")]),
    // The last, since it ends the session.
    ("session/logout", ANYONE, &[]),
];

fn refusal(page: &Page) -> Option<Code> {
    let code = (page.status != 200).then(|| page.problem().code);
    code.filter(|code| matches!(code, Code::Unauthenticated | Code::Forbidden))
}

#[test]
fn every_server_function_has_its_row() {
    let functions: BTreeSet<_> = server_fn_paths().map(|(path, _)| path.to_owned()).collect();
    let rows: BTreeSet<_> = TABLE.iter().map(|(name, ..)| format!("/rpc/{name}")).collect();
    assert_eq!(functions, rows);
    assert_eq!(rows.len(), TABLE.len(), "each once");
    assert!(server_fn_paths().all(|(_, method)| method == "POST"));
}

#[sqlx::test]
async fn each_role_may_do_what_its_row_says(pool: PgPool) {
    let world = World::new(pool).await;
    for role in ANYONE {
        let mut browser = match role {
            Some(role) => world.sign_in(*role).await,
            None => world.browser(),
        };
        for (function, allowed, form) in TABLE {
            let refused = refusal(&browser.call(function, form).await);
            let wanted = match (allowed.contains(role), role) {
                (true, _) => None,
                (false, None) => Some(Code::Unauthenticated),
                (false, Some(_)) => Some(Code::Forbidden),
            };
            assert_eq!(refused, wanted, "{function} as {role:?}");
        }
    }
}

/// A key opens the API and nothing else.
#[sqlx::test]
async fn a_key_is_nobody_here(pool: PgPool) {
    let world = World::new(pool).await;
    let key = world.key(&[Scope::Admin]).await;
    for (function, allowed, form) in TABLE.iter().filter(|(_, roles, _)| *roles != ANYONE) {
        let request = axum::http::Request::post(format!("/rpc/{function}"))
            .header("sec-fetch-site", "same-origin")
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {key}"));
        let request = crate::tests::support::form_of(request, form);
        let answer = world.browser().send(request).await;
        assert_eq!(refusal(&answer), Some(Code::Unauthenticated), "{function} {allowed:?}");
    }
}
