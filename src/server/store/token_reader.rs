//! Who read which connection's token: one row for each of them, counted up.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, Result};
use crate::domain::token_reader::TokenReader;

struct TokenReaderRow {
    kind: String,
    id: Uuid,
    name: String,
    first_at: OffsetDateTime,
    last_at: OffsetDateTime,
    reads: i64,
}

impl TryFrom<TokenReaderRow> for TokenReader {
    type Error = Error;
    fn try_from(row: TokenReaderRow) -> Result<Self> {
        Ok(Self {
            kind: row.kind.parse()?,
            id: row.id,
            name: row.name,
            first_at: row.first_at,
            last_at: row.last_at,
            reads: row.reads,
        })
    }
}

/// Adds reads to those known. What a connection lost is gone with it.
pub async fn add(conn: &mut PgConnection, reads: &[(Uuid, TokenReader)]) -> Result<()> {
    fn column<T>(
        reads: &[(Uuid, TokenReader)],
        value: impl Fn(&(Uuid, TokenReader)) -> T,
    ) -> Vec<T> {
        reads.iter().map(value).collect()
    }
    sqlx::query!(
        "INSERT INTO token_readers AS r (connection_id, reader_id, kind, name, first_at, last_at, reads)
         SELECT u.*
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                     $7::bigint[])
              AS u (connection_id, reader_id, kind, name, first_at, last_at, reads)
         JOIN connections n ON n.id = u.connection_id
         ORDER BY u.connection_id, u.reader_id
         ON CONFLICT (connection_id, reader_id) DO UPDATE
         SET name = CASE WHEN excluded.last_at < r.last_at THEN r.name ELSE excluded.name END,
             first_at = least(r.first_at, excluded.first_at),
             last_at = greatest(r.last_at, excluded.last_at),
             reads = r.reads + excluded.reads",
        &column(reads, |(connection_id, _)| *connection_id),
        &column(reads, |(_, reader)| reader.id),
        &column(reads, |(_, reader)| reader.kind.as_str().to_owned()),
        &column(reads, |(_, reader)| reader.name.clone()),
        &column(reads, |(_, reader)| reader.first_at),
        &column(reads, |(_, reader)| reader.last_at),
        &column(reads, |(_, reader)| reader.reads)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The readers of a connection's token, whoever read it last first.
pub async fn list(
    conn: &mut PgConnection,
    connection_id: Uuid,
    limit: i64,
) -> Result<Vec<TokenReader>> {
    sqlx::query_as!(
        TokenReaderRow,
        "SELECT kind, reader_id AS id, name, first_at, last_at, reads
         FROM token_readers WHERE connection_id = $1 ORDER BY last_at DESC, reader_id LIMIT $2",
        connection_id,
        limit
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}
