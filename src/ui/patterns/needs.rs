//! What needs a person, as on the board: a row to each connection, and one to many where one cause
//! explains them, with what is to be done about all of them.

use leptos::prelude::*;
use time::OffsetDateTime;

use super::{
    board::{self, framed},
    load::May,
};
use crate::{
    domain::{
        access::Permission, connection::Connection, job::Action, overview::NeedsHumanGroup,
        provider::AccessTokens, voice,
    },
    ui::{
        components::{badge::StandingBadge, head::link, lifeline, moment::Ago},
        path,
    },
};

/// All of them, the soonest first.
pub fn needs(
    connections: Vec<Connection>,
    groups: Vec<NeedsHumanGroup>,
    as_of: OffsetDateTime,
    may: &May,
) -> AnyView {
    // Each has a moment at which a person is needed, whether its access token has an end or not.
    let ones = connections.into_iter().map(|one| {
        (
            one.needs_human_by,
            view! { <li class="board-row">{board::row(one, AccessTokens::Ending, as_of)}</li> }
                .into_any(),
        )
    });
    let many = groups.into_iter().map(|group| (Some(group.first_at), row(&group, as_of, may)));
    let mut rows: Vec<(Option<OffsetDateTime>, AnyView)> = ones.chain(many).collect();
    rows.sort_by_key(|(at, _)| *at);
    framed(rows.into_iter().map(|(_, row)| row).collect(), false)
}

fn row(group: &NeedsHumanGroup, as_of: OffsetDateTime, may: &May) -> AnyView {
    let standing = group.standing();
    let relink = group.can_be_relinked() && may.allows(Permission::ConnectionsRelink);
    let action = match relink {
        true => {
            let href = path::job_new(Action::Relink, &group.filter);
            Some(link(href, "board-act", voice::RELINK_ALL))
        }
        false => group.state.is_none().then(|| {
            let remedy = voice::client_remedy(group.client_state);
            link(path::client(group.client_id), "board-act", remedy)
        }),
    };
    let about = voice::group(group, as_of);
    view! {
        <li class="board-row is-many">
            <div class="board-state">
                <StandingBadge standing/>
            </div>
            <div class="board-name">
                {link(path::connections(&group.filter), "", voice::group_name(group))} <p>{about}</p>
            </div>
            <div class="board-line">{lifeline::many(group, as_of)}</div>
            <div class="board-by">
                <span class="board-cap">"Needs a person: "</span>
                <Ago at=group.first_at as_of/>
                {action}
            </div>
        </li>
    }
    .into_any()
}
