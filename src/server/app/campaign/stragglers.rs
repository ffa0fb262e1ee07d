//! The customers of a job who are not done: to look at, and to take away with their links.

use std::collections::{BTreeMap, HashMap};

use futures::Stream;
use secrecy::ExposeSecret;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::Permission,
        campaign::Straggler,
        page::{Page, Paging},
        relink::Stage,
        voice,
    },
    server::{
        app::{
            Actor, App, Error, Result, audit,
            export::{self, BATCH, Format, Row, moment},
            job, keys, relink,
        },
        store::{self, job::straggler},
    },
};

/// In the order of the job; all of them, or those at a stage. `opens`: with their links, for whoever could
/// make them.
pub async fn list(
    app: &App,
    actor: &Actor,
    id: Uuid,
    stage: Option<Stage>,
    paging: &Paging,
    opens: bool,
) -> Result<Page<Straggler>> {
    actor.require(Permission::ConnectionsRead)?;
    let after = match paging.cursor.as_deref() {
        Some(cursor) => {
            cursor.parse().map_err(|_| Error::invalid("cursor", "is not one of ours"))?
        }
        None => 0,
    };
    let limit = paging.limit();
    let mut conn = app.pool().acquire().await?;
    job::load(&mut conn, id).await?;
    let found =
        straggler::list(&mut conn, id, stage, after, i64::from(limit) + 1, app.now()).await?;
    let opens = opens && actor.allows(Permission::ConnectionsRelink);
    let seen = see(app, &mut conn, opens, found).await?;
    Ok(audit::page(seen, limit, |straggler| straggler.number.to_string()))
}

/// All of them, piece by piece.
pub async fn export(
    app: &App,
    actor: &Actor,
    id: Uuid,
    format: Format,
) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<>> {
    actor.require(Permission::ConnectionsRead)?;
    job::note_export(app, actor, id, "stragglers").await?;
    let (app, actor) = (app.clone(), actor.clone());
    export::file(format, move |after: Option<i64>| {
        let (app, actor) = (app.clone(), actor.clone());
        async move {
            let mut conn = app.pool().acquire().await?;
            let after = after.unwrap_or_default();
            let found = straggler::list(&mut conn, id, None, after, BATCH, app.now()).await?;
            let next = export::rest(&found, |last| last.number);
            let opens = actor.allows(Permission::ConnectionsRelink);
            Ok((see(&app, &mut conn, opens, found).await?, next))
        }
    })
}

/// With how far they are, and their links if it opens them.
pub(super) async fn see(
    app: &App,
    conn: &mut PgConnection,
    opens: bool,
    found: Vec<straggler::Straggler>,
) -> Result<Vec<Straggler>> {
    let ids: Vec<Uuid> = found.iter().map(|one| one.relink_id).collect();
    let relinks = store::relink::list_of(conn, &ids).await?;
    let mut relinks: HashMap<Uuid, _> =
        relinks.into_iter().map(|listed| (listed.relink.id, listed)).collect();
    let mut names = BTreeMap::new();
    let mut seen = Vec::with_capacity(found.len());
    for one in found {
        // Its connection was deleted in between.
        let Some(listed) = relinks.remove(&one.relink_id) else { continue };
        let entry = relink::entry(app, conn, &mut names, listed).await?;
        let link = match (&one.sealed_link, one.job_id.zip(one.job_number)) {
            (Some(sealed), Some((job, number))) if opens && !entry.stage.is_over() => {
                let place = job::link_place(job, number);
                let link = keys::open_text(app, conn, place, sealed).await?;
                Some(link.expose_secret().to_owned())
            }
            _ => None,
        };
        let say = voice::relink(&entry.relink, None, &entry.service, app.now()).say.to_owned();
        seen.push(Straggler { number: one.number, entry, say, link });
    }
    Ok(seen)
}

impl Row for Straggler {
    const HEADING: &'static [&'static str] = &[
        "number",
        "connection_id",
        "connection",
        "account",
        "client",
        "stage",
        "link",
        "expires_at",
        "external_id",
    ];

    fn cells(&self) -> Vec<String> {
        let relink = &self.entry.relink;
        vec![
            self.number.to_string(),
            relink.connection_id.to_string(),
            self.entry.connection.clone(),
            self.entry.account.clone().unwrap_or_default(),
            self.entry.client.clone(),
            self.entry.stage.as_str().to_owned(),
            self.link.clone().unwrap_or_default(),
            moment(Some(relink.expires_at)),
            self.entry.external_id.clone().unwrap_or_default(),
        ]
    }
}
