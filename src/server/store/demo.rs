//! Emptying a demo's tables. Data keys stay, so that nothing is opened with the wrong one.

use sqlx::PgConnection;

use super::Result;

pub async fn clear(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "TRUNCATE users, setup_tokens, sessions, login_failures, api_keys, providers, clients, connections,
                  token_sets, attempts, relinks, flows, device_codes, imports, audit, client_windows,
                  suspects, incidents"
    )
    .execute(conn)
    .await?;
    Ok(())
}
