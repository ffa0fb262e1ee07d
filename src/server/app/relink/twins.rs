//! Other connections of an account: whoever gave consent may have been connected already.

use uuid::Uuid;

use crate::{
    domain::{
        connection::{ConnectionFilter, State},
        page::Paging,
        relink::{Twin, Twins},
    },
    server::app::{Actor, App, Result, connection},
};

/// Among so many that hold the account's id in their name they are looked for,
const LOOKED_AT: u32 = 50;
/// and so many are shown.
const SHOWN: usize = 5;

/// The other connections of the same client that the connection's account has, but for what is disconnected.
/// `None`: there are none, or nobody knows whose account it is.
pub async fn twins(app: &App, actor: &Actor, connection_id: Uuid) -> Result<Option<Twins>> {
    let connection = connection::get(app, actor, connection_id).await?;
    let Some(owner) = connection.account_id.clone() else { return Ok(None) };
    let filter = ConnectionFilter {
        client: Some(connection.client_id),
        owner: Some(owner),
        ..ConnectionFilter::default()
    };
    let paging = Paging { cursor: None, limit: Some(LOOKED_AT) };
    let found = connection::list(app, actor, &filter, &paging).await?;
    let others = found.page.items.into_iter().filter(|one| {
        one.account_id == connection.account_id
            && one.id != connection.id
            && one.state != State::Disconnected
    });
    let others: Vec<Twin> = others
        .take(SHOWN)
        .map(|one| Twin {
            id: one.id,
            name: one.name().to_owned(),
            standing: one.standing(found.as_of),
        })
        .collect();
    let account = connection.account().unwrap_or_default().to_owned();
    Ok((!others.is_empty()).then_some(Twins { account, others }))
}
