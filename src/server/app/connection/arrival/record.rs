//! An arrival as it is written down. Its tokens are sealed by themselves, so that nothing here ever holds
//! one in the clear, and the whole is sealed once more.

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Arrival, Purpose};
use crate::server::{
    app::{App, client::Made, grant::Extras, refresh::replay as journal},
    journal::Entry,
    provider::{Account, Grant},
    secret::seal::Place,
};

/// No outcome of a refresh has one: those are as old as the journal.
const KIND: &str = "arrival";
/// The form that is written.
const FORM: u32 = 1;
/// It belongs to no generation yet, and no refresh to this one.
const GENERATION: i64 = 0;

/// A grant is written down once more when it is known whose it is. The journal tells the two apart as it does
/// generations.
pub(super) fn revision(arrival: &Arrival) -> i64 {
    GENERATION + i64::from(arrival.given.account.is_some())
}

#[derive(Serialize, Deserialize)]
struct Written {
    kind: String,
    form: u32,
    made: Made,
    is_known: bool,
    purpose: Purpose,
    given: Sealed,
}

/// What says which kind of record it is.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
    #[serde(default)]
    form: u32,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    access_token: Vec<u8>,
    refresh_token: Option<Vec<u8>>,
    id_token: Option<Vec<u8>>,
    extras: Vec<u8>,
    token_type: String,
    scopes: Option<Vec<String>>,
    access_expires_at: Option<OffsetDateTime>,
    refresh_expires_at: Option<OffsetDateTime>,
    /// Its id and its label.
    account: Option<(String, Option<String>)>,
    obtained_at: OffsetDateTime,
}

fn place(row: Uuid, column: &'static str) -> Place {
    Place { table: "journal", column, row, generation: GENERATION }
}

pub(super) fn write(app: &App, arrival: &Arrival) -> anyhow::Result<Entry> {
    let written = Written {
        kind: KIND.into(),
        form: FORM,
        made: arrival.made.clone(),
        is_known: arrival.is_known,
        purpose: arrival.purpose.clone(),
        given: seal(app, arrival.id, &arrival.given)?,
    };
    journal::seal(app, arrival.id, revision(arrival), &written)
}

fn seal(app: &App, id: Uuid, given: &Grant) -> anyhow::Result<Sealed> {
    let seal = |column, plain: &[u8]| app.keyring().seal(app.rng(), place(id, column), plain);
    let text = |column, token: &SecretString| seal(column, token.expose_secret().as_bytes());
    let extras = zeroize::Zeroizing::new(serde_json::to_vec(&given.extras)?);
    Ok(Sealed {
        access_token: text("access_token", &given.access_token)?,
        refresh_token: given
            .refresh_token
            .as_ref()
            .map(|it| text("refresh_token", it))
            .transpose()?,
        id_token: given.id_token.as_ref().map(|it| text("id_token", it)).transpose()?,
        extras: seal("extras", &extras)?,
        token_type: given.token_type.clone(),
        scopes: given.scopes.clone(),
        access_expires_at: given.access_expires_at,
        refresh_expires_at: given.refresh_expires_at,
        account: given.account.clone().map(|account| (account.id, account.label)),
        obtained_at: given.obtained_at,
    })
}

/// The arrival that a record holds. `None`: it holds something else.
pub(in crate::server::app) fn read(
    app: &App,
    id: Uuid,
    plain: &[u8],
) -> anyhow::Result<Option<Arrival>> {
    let Kind { kind, form } = serde_json::from_slice(plain).context("a record has no form")?;
    let Some(kind) = kind else { return Ok(None) };
    anyhow::ensure!(
        kind == KIND && form == FORM,
        "a record of the kind {kind} in form {form} was written by a newer Regrant"
    );
    let Written { made, is_known, purpose, given, .. } = serde_json::from_slice(plain)?;
    let given = open(app, id, given)?;
    Ok(Some(Arrival { id, given, made, is_known, purpose }))
}

fn open(app: &App, id: Uuid, sealed: Sealed) -> anyhow::Result<Grant> {
    let text = |column, sealed: &[u8]| app.keyring().open_text(place(id, column), sealed);
    let extras: Extras =
        serde_json::from_slice(&app.keyring().open(place(id, "extras"), &sealed.extras)?)?;
    Ok(Grant {
        access_token: text("access_token", &sealed.access_token)?,
        refresh_token: sealed.refresh_token.map(|it| text("refresh_token", &it)).transpose()?,
        id_token: sealed.id_token.map(|it| text("id_token", &it)).transpose()?,
        token_type: sealed.token_type,
        scopes: sealed.scopes,
        access_expires_at: sealed.access_expires_at,
        refresh_expires_at: sealed.refresh_expires_at,
        account: sealed.account.map(|(id, label)| Account { id, label }),
        extras,
        obtained_at: sealed.obtained_at,
    })
}
