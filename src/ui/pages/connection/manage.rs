//! What can be done with a connection, and by whom.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        access::Permission,
        attempt::Attempt,
        connection::{Connection, State},
        provider::Variable,
        voice::{self, Next},
    },
    rpc::connection::{
        Disconnect, Introspect, Pause, Reauthorize, ReauthorizeDevice, Refresh, Relink, Resume,
        Reveal, Update,
    },
    ui::{
        components::{
            confirm::confirm,
            field::{Submit, Text},
            head::{link, section},
            notice::{Answered, said},
        },
        path,
        patterns::{
            action::{Doing, action_form, button_form, hidden},
            load::May,
            variables::fields,
        },
    },
};

/// The actions of the page; they outlive what they change.
#[derive(Clone, Copy)]
pub struct Doings {
    pub refresh: Doing<Refresh>,
    pub introspect: Doing<Introspect>,
    pub relink: Doing<Relink>,
    pub reauthorize: Doing<Reauthorize>,
    pub device: Doing<ReauthorizeDevice>,
    pub update: Doing<Update>,
    pub pause: Doing<Pause>,
    pub resume: Doing<Resume>,
    pub reveal: Doing<Reveal>,
    pub disconnect: Doing<Disconnect>,
}

impl Doings {
    pub fn new() -> Self {
        Self {
            refresh: Doing::new(),
            introspect: Doing::new(),
            relink: Doing::new(),
            reauthorize: Doing::new(),
            device: Doing::new(),
            update: Doing::new(),
            pause: Doing::new(),
            resume: Doing::new(),
            reveal: Doing::new(),
            disconnect: Doing::new(),
        }
    }

    /// Changes whenever the connection may have.
    pub fn versions(&self) -> [usize; 7] {
        [
            self.refresh.version.get(),
            self.device.version.get(),
            self.relink.version.get(),
            self.update.version.get(),
            self.pause.version.get(),
            self.resume.version.get(),
            self.disconnect.version.get(),
        ]
    }
}

/// What can be had of the provider: the ways in which consent can be given, and whether it can be asked how
/// the tokens are.
#[derive(Clone, Copy)]
pub struct Ways {
    pub offers_page: bool,
    pub offers_device: bool,
    pub can_be_refreshed: bool,
    pub can_be_asked: bool,
    /// Whether a code for another device waits to be typed.
    pub waits_for_code: bool,
}

/// The next action first, what else is possible beside it.
pub fn actions(
    connection: &Connection,
    provider: &str,
    as_of: OffsetDateTime,
    may: &May,
    doings: Doings,
    newest: Option<&Attempt>,
    Ways { offers_page, offers_device, can_be_refreshed, can_be_asked, waits_for_code }: Ways,
) -> AnyView {
    let id = || hidden("id", connection.id);
    let next = voice::next(connection, as_of);
    // Consent is no use while the client is refused: its answer could not be redeemed.
    let consent = (offers_page || offers_device)
        && connection.state != State::Disconnected
        && next != Next::MendClient;
    let sends = consent && may.allows(Permission::ConnectionsRelink);
    let no_relink = voice::no_relink(connection).filter(|_| sends);
    let mind = voice::unknown_account(connection).filter(|_| sends);
    let relink = (sends && no_relink.is_none()).then(|| {
        // While a code waits, typing it is what is to be done.
        let weight = if next == Next::Consent && !waits_for_code { "primary" } else { "" };
        button_form(doings.relink, id(), "Create a relink", weight)
    });
    let reauthorize =
        (consent && offers_page && may.allows(Permission::ConnectionsWrite)).then(|| {
            let label = match connection.state {
                State::Pending => format!("Give consent at {provider}"),
                _ => format!("Authorize again at {provider}"),
            };
            button_form(doings.reauthorize, id(), label, "")
        });
    let device =
        (consent && offers_device && may.allows(Permission::ConnectionsWrite)).then(|| {
            let label = match waits_for_code {
                true => "Get another code",
                false => "Use a code on another device",
            };
            button_form(doings.device, id(), label, "")
        });
    let here = (reauthorize.is_some() || device.is_some())
        .then(|| voice::unknown_account_here(connection, mind.is_some()))
        .flatten();
    let refreshable = can_be_refreshed
        && matches!(
            connection.state,
            State::Active | State::Retrying { .. } | State::InDoubt { .. }
        );
    let refresh = (refreshable && may.allows(Permission::ConnectionsRefresh))
        .then(|| button_form(doings.refresh, id(), "Refresh now", ""));
    let mend = (next == Next::MendClient && may.allows(Permission::ClientsRead))
        .then(|| link(path::client(connection.client_id), "button is-primary", "Open the client"));
    // What is asked for meanwhile is refused.
    let pause = (connection.pause_ends(as_of).is_some() && may.allows(Permission::ClientsWrite))
        .then(|| link(path::client_pause(connection.client_id), "button", voice::END_PAUSE));
    let replace = (next == Next::Replace && may.allows(Permission::ConnectionsWrite)).then(|| {
        link(path::connection_new(connection.client_id), "button is-primary", "Connect anew")
    });
    let rests = match (&connection.state, connection.paused_at) {
        (State::Disconnected, _) | (State::NeedsReauth { .. }, None) => None,
        (_, None) => Some(button_form(doings.pause, id(), "Pause", "")),
        (State::NeedsReauth { .. }, Some(_)) => {
            Some(button_form(doings.resume, id(), "Resume", ""))
        }
        (_, Some(_)) => Some(button_form(doings.resume, id(), "Resume", "primary")),
    };
    let rests = rests.filter(|_| may.allows(Permission::ConnectionsWrite));
    let ask = (can_be_asked && may.allows(Permission::ConnectionsRefresh)).then(|| {
        let label = format!("Ask {provider} how its tokens are");
        button_form(doings.introspect, id(), label, "")
    });
    let provider = provider.to_owned();
    let refreshed = doings.refresh.answer();
    let before = newest.filter(|_| doings.refresh.before).cloned();
    let told = move || {
        refreshed.get().or_else(|| before.clone()).map(|attempt| {
            let (text, well) = voice::attempt(&attempt, &provider);
            said(well, text)
        })
    };
    let first = if next == Next::Consent {
        [relink, reauthorize, device, refresh, rests]
    } else if next == Next::Resume {
        [rests, refresh, relink, reauthorize, device]
    } else {
        [refresh, relink, reauthorize, device, rests]
    };
    view! {
        <div class="actions">
            {mend} {pause} {replace} {first.into_iter().flatten().collect::<Vec<_>>()} {ask}
        </div>
        {no_relink.map(|why| view! { <p class="sub">"No relink can be made. " {why}</p> })}
        {mind.map(|mind| view! { <p class="sub">{mind}</p> })}
        {here.map(|here| view! { <p class="sub">{here}</p> })}
        <div aria-live="polite" data-kept="">{told}</div>
    }
    .into_any()
}

/// Changing what people call it, and letting go of it.
pub fn manage(connection: &Connection, variables: &[Variable], doings: Doings) -> AnyView {
    let edit = view! { <div id="edit">{edit(connection, variables, doings.update)}</div> };
    let edit = section("Edit", "", edit);
    let disconnect = (connection.state != State::Disconnected)
        .then(|| section("Disconnect", "", disconnect(connection, doings.disconnect)));
    view! { <div class="pair">{edit} {disconnect}</div> }.into_any()
}

fn edit(connection: &Connection, variables: &[Variable], update: Doing<Update>) -> AnyView {
    // Tokens belong to the address they were issued at.
    let own = (!connection.holds_tokens())
        .then(|| fields(variables, &connection.variables, update.trouble));
    let scopes = connection.can_ask_anew().then(|| {
        view! {
            <Text
                name="scopes"
                label="Scopes"
                trouble=update.trouble
                value=connection.scopes_requested.join(" ")
                help="Separated by blanks; what consent is asked for. They can be changed until the first consent. None: the client's."
            />
        }
    });
    let fields = view! {
        {hidden("id", connection.id)}
        <Text
            name="label"
            label="Label"
            trouble=update.trouble
            value=connection.label.clone()
            help="What your team calls it. Without one, the account's name is shown."
        />
        <Text
            name="external_id"
            label="External id"
            trouble=update.trouble
            value=connection.external_id.clone().unwrap_or_default()
            help="Your own key for it, such as a customer number. One of a kind per client."
        />
        <Text
            name="tags"
            label="Tags"
            trouble=update.trouble
            value=connection.tags.join(" ")
            help="Separated by blanks."
        />
        {own}
        {scopes}
        <div class="actions">
            <Submit label="Save" pending=update.pending/>
        </div>
        <Answered trouble=update.trouble/>
    };
    action_form(update, "form", fields)
}

fn disconnect(connection: &Connection, doing: Doing<Disconnect>) -> AnyView {
    let ticked = doing.trouble.or_ticked("revoke", "true", true);
    let sent = view! {
        {hidden("id", connection.id)}
        <label class="check">
            <input type="checkbox" name="revoke" value="true" checked=ticked/>
            <span>"Tell the provider too, so that the tokens stop working"</span>
        </label>
    };
    confirm(
        "Disconnect",
        "Regrant forgets its tokens at once and no longer keeps it alive. Its history stays. To use \
         the account again, connect it anew.",
        button_form(doing, sent, "Disconnect", "grave"),
    )
}
