//! Storing a batch of an import.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Job,
    read::{Batch, Placed},
};
use crate::{
    domain::connection::GrantType,
    server::{
        app::{
            Result,
            audit::{self, Subject},
            connection::{ON_ITS_WAY, changed},
            grant,
        },
        provider::account,
        store::{
            self,
            connection::{
                bulk,
                bulk::{Imported, Standing},
            },
            import::Progress,
        },
    },
};

/// Stores a batch, whole or not at all. `false`: the import is not ours any more, and nothing was
/// stored.
pub(super) async fn batch(job: &Job, batch: Batch) -> Result<bool> {
    let _turn = job.app.import_turns().take().await;
    let mut tx = job.app.begin().await?;
    let mut progress = Progress {
        read_bytes: i64::try_from(batch.ends_at).unwrap_or(i64::MAX),
        failed: batch.failed,
        problems: batch.problems,
        ..Progress::default()
    };
    let sifted = sift(job, &mut tx, batch.rows, &mut progress).await?;
    let mut taken: Vec<&Imported> = sifted.rows.iter().collect();
    if !job.dry_run && !sifted.rows.is_empty() {
        let stored = insert(job, &mut tx, &sifted).await?;
        taken.retain(|row| stored.contains(&row.id));
        progress.skipped += count(sifted.rows.len() - taken.len());
    }
    progress.imported = count(taken.len());
    tell_ends(job, &taken, &mut progress);
    progress.unverified = count(taken.iter().filter(|row| row.is_unverified).count());
    let ours = store::import::add(&mut tx, job.id, &progress, job.app.database_now()).await?;
    if ours {
        tx.commit().await?;
    }
    Ok(ours)
}

/// Counts what is over, and what nothing renews: when that ends, and what nobody knows an end of.
fn tell_ends(job: &Job, taken: &[&Imported], progress: &mut Progress) {
    let (profile, now) = (&job.caller.profile, job.app.now());
    let is_renewed =
        |row: &Imported| grant::renewable(profile, GrantType::Import, row.has_refresh_token);
    for &row in taken {
        match row.access_expires_at {
            Some(end) if end <= now => progress.expired += 1,
            _ if is_renewed(row) => {}
            None => progress.without_end += 1,
            Some(end) => {
                progress.ending += 1;
                progress.first_end_at = Some(progress.first_end_at.map_or(end, |at| at.min(end)));
                progress.last_end_at = progress.last_end_at.max(Some(end));
            }
        }
    }
}

/// What of a batch is to be stored.
struct Sifted {
    rows: Vec<Imported>,
    /// Connections with the external ids of some of them that nobody consented to: whoever gave up
    /// at the provider's page does not keep tokens out.
    abandoned: Vec<Uuid>,
    /// Fingerprints of refresh tokens that dead connections still have.
    dead: HashSet<String>,
}

/// The rows that are not here yet. Others that hold one of their refresh tokens wait until our
/// transaction ends: that is its first lock, as with a single connection (`connection/home.rs`). Nothing is
/// changed: a dry run ends here.
async fn sift(
    job: &Job,
    conn: &mut PgConnection,
    rows: Vec<Placed>,
    progress: &mut Progress,
) -> Result<Sifted> {
    let ids: Vec<String> = rows.iter().filter_map(|(_, row)| row.external_id.clone()).collect();
    let (client, now) = (job.caller.client.id, job.app.now());
    let known = bulk::known_external_ids(conn, client, &ids, now - ON_ITS_WAY, now).await?;
    let standing: HashMap<&str, Standing> =
        known.iter().map(|known| (known.external_id.as_str(), known.standing)).collect();
    let standing = |row: &Imported| standing.get(row.external_id.as_deref()?).copied();
    let mut new = Vec::with_capacity(rows.len());
    for (at, row) in rows {
        match standing(&row) {
            Some(Standing::Settled) => progress.skipped += 1,
            Some(Standing::Waiting) => {
                let message = "a connection with this external id waits for consent";
                progress.fail(at, row.external_id.as_deref(), "external_id", message);
            }
            Some(Standing::Abandoned) | None => new.push((at, row)),
        }
    }

    let prints: Vec<String> =
        new.iter().filter_map(|(_, row)| row.set.fingerprint.clone()).collect();
    store::token_set::hold_fingerprints(conn, &prints).await?;
    let homes = store::token_set::find_homes(conn, &prints).await?;
    let (dead, homes): (Vec<_>, Vec<_>) = homes.into_iter().partition(|home| home.is_dead);
    let dead = dead.into_iter().map(|home| home.fingerprint).collect();
    let spent = store::token_set::find_spent(conn, &prints).await?;
    let spent = spent.into_iter().map(|(print, _)| print);
    let homes: HashSet<String> =
        homes.into_iter().map(|home| home.fingerprint).chain(spent).collect();
    let (strays, mut new): (Vec<_>, Vec<_>) = new
        .into_iter()
        .partition(|(_, row)| row.set.fingerprint.as_ref().is_some_and(|it| homes.contains(it)));
    for (at, row) in strays {
        let message = "holds a refresh token that belongs to a connection already, or did until it was replaced there";
        progress.fail(at, row.external_id.as_deref(), job.refresh_field(at), message);
    }
    // In one order everywhere, so that two imports of the same ids don't wait for each other.
    new.sort_by(|(_, one), (_, other)| one.external_id.cmp(&other.external_id));
    let rows: Vec<_> = new.into_iter().map(|(_, row)| row).collect();
    let ids: HashSet<&str> = rows.iter().filter_map(|row| row.external_id.as_deref()).collect();
    let abandoned = known.iter().filter(|known| known.standing == Standing::Abandoned);
    let abandoned = abandoned.filter(|known| ids.contains(&*known.external_id));
    let abandoned = abandoned.map(|known| known.id).collect();
    Ok(Sifted { rows, abandoned, dead })
}

/// Inserts rows, some in place of what was abandoned, but those whose external id somebody else was
/// faster with; says which.
async fn insert(job: &Job, conn: &mut PgConnection, sifted: &Sifted) -> Result<HashSet<Uuid>> {
    let Sifted { rows, abandoned, dead } = sifted;
    let (client, now) = (&job.caller.client, job.app.now());
    if !job.caller.confirm_beside(conn).await? {
        return Err(changed());
    }
    if !abandoned.is_empty() {
        replace(job, conn, rows, abandoned).await?;
    }
    let stored = bulk::insert_imported(conn, client.id, rows, now).await?;
    let stored: HashSet<Uuid> = stored.into_iter().collect();
    let sets: Vec<_> =
        rows.iter().filter(|row| stored.contains(&row.id)).map(|row| &row.set).collect();
    take(conn, &sets, dead).await?;
    store::token_set::insert_many(conn, &sets).await?;
    if account::is_told_by_userinfo(&job.caller.profile) {
        let nameless = rows.iter().filter(|row| row.account_id.is_none());
        let nameless: Vec<_> =
            nameless.map(|row| row.id).filter(|id| stored.contains(id)).collect();
        store::account_question::insert(conn, client.id, &nameless, now).await?;
    }
    let subject = Subject::new(client.id, &client.name);
    let detail = json!({ "import": job.id, "connections": sets.len() });
    audit::record(&job.app, conn, &job.actor, "connection.import_many", subject, detail).await?;
    // Each has the beginning of its history.
    let made = rows.iter().filter(|row| stored.contains(&row.id));
    let made = made.map(|row| Subject::new(row.id, row.name())).collect();
    let detail = json!({ "client": client.name, "import": job.id });
    audit::record_many(&job.app, conn, &job.actor, "connection.import", made, &detail).await?;
    Ok(stored)
}

/// Takes the refresh tokens that are about to be stored from the dead connections which have them; what is not
/// stored, they keep.
async fn take(
    conn: &mut PgConnection,
    sets: &[&store::token_set::TokenSet],
    dead: &HashSet<String>,
) -> Result<()> {
    let prints = sets.iter().filter_map(|set| set.fingerprint.as_ref());
    let prints: Vec<String> = prints.filter(|print| dead.contains(*print)).cloned().collect();
    if prints.is_empty() {
        return Ok(());
    }
    store::token_set::take_from_dead(conn, &prints).await?;
    // One may have come alive since we looked.
    match store::token_set::find_homes(conn, &prints).await?.is_empty() {
        true => Ok(()),
        false => Err(changed()),
    }
}

/// Makes room: deletes what still is abandoned. What somebody began to consent to meanwhile stays,
/// and its row is left out.
async fn replace(
    job: &Job,
    conn: &mut PgConnection,
    rows: &[Imported],
    abandoned: &[Uuid],
) -> Result<()> {
    // The client before its connections, as everywhere: whoever changes it voids what they wait for.
    store::client::keep(conn, job.caller.client.id).await?;
    bulk::lock(conn, abandoned).await?;
    let (client, now) = (job.caller.client.id, job.app.now());
    let ids: Vec<String> = rows.iter().filter_map(|row| row.external_id.clone()).collect();
    let known = bulk::known_external_ids(conn, client, &ids, now - ON_ITS_WAY, now).await?;
    let gone: Vec<_> = known
        .into_iter()
        .filter(|known| known.standing == Standing::Abandoned && abandoned.contains(&known.id))
        .collect();
    bulk::delete(conn, &gone.iter().map(|known| known.id).collect::<Vec<_>>()).await?;
    for known in gone {
        let subject = Subject::new(known.id, &known.external_id);
        let detail = json!({ "import": job.id, "why": "nobody consented to it" });
        audit::record(&job.app, conn, &job.actor, "connection.delete", subject, detail).await?;
    }
    Ok(())
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
