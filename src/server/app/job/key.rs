//! Keys: the same sent twice makes one job. Another job sent with a key that was used is refused, for its
//! maker would take the first for it.

use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        job::{Job, NewJob},
        problem::Obstacle,
        voice,
    },
    server::{
        app::{Error, Result},
        store::{self, job::Asker},
    },
};

/// A key, and what was sent with it.
pub struct Key {
    pub id: Uuid,
    pub digest: Vec<u8>,
}

impl Key {
    /// `job`: what `new` comes to, before anything is taken from elsewhere.
    pub fn of(new: &NewJob, job: &Job) -> Result<Option<Self>> {
        let Some(id) = new.key else { return Ok(None) };
        let mut ids = new.ids.clone();
        if let Some(ids) = &mut ids {
            ids.sort_unstable();
            ids.dedup();
        }
        let sent = json!({
            "action": job.action,
            "tag": job.tag,
            "revoke": job.revoke,
            "client_scopes": job.client_scopes,
            "ids": ids,
            "filter": new.filter,
            "stragglers_of": job.stragglers_of,
        });
        let digest = Sha256::digest(serde_json::to_vec(&sent)?).to_vec();
        Ok(Some(Self { id, digest }))
    }
}

/// The job that was made with a key.
pub async fn find_made(
    conn: &mut PgConnection,
    asker: &Asker<'_>,
    key: Option<&Key>,
) -> Result<Option<Job>> {
    let Some(key) = key else { return Ok(None) };
    let Some(made) = store::job::find_by_key(conn, asker, key.id).await? else { return Ok(None) };
    if !store::job::is_of_request(conn, made.id, &key.digest).await? {
        return Err(Error::conflict(Obstacle::Changed, voice::job_key_used()));
    }
    Ok(Some(made))
}
