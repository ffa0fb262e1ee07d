//! Replacing a client's secret: tried first with one connection, or at once.

use leptos::prelude::*;

use super::form::secret;
use crate::{
    domain::{
        client::Client,
        provider::Profile,
        rehearsal::{NextSecret, Prospects, UNREADABLE},
        voice,
    },
    rpc::{
        client::ReplaceSecret,
        rehearsal::{Drop, Set},
    },
    ui::{
        components::{
            confirm::{confirm, confirm_open},
            field::Submit,
            head::section,
            moment::Exact,
            notice::Answered,
        },
        patterns::{
            action::{Doing, action_form, button_form, hidden},
            live::live_until_another,
        },
    },
};

#[derive(Clone, Copy)]
pub struct Doings {
    pub replace: Doing<ReplaceSecret>,
    pub set: Doing<Set>,
    pub drop: Doing<Drop>,
}

impl Doings {
    /// Has to be called while the page is made, not later.
    pub fn new() -> Self {
        Self { replace: Doing::new(), set: Doing::new(), drop: Doing::new() }
    }

    pub fn versions(self) -> [usize; 3] {
        [self.replace.version.get(), self.set.version.get(), self.drop.version.get()]
    }
}

/// The whole section, for whoever may replace the secret.
pub fn replace(
    client: &Client,
    profile: &Profile,
    prospects: Prospects,
    doings: Doings,
) -> AnyView {
    let warning = profile.policy.replacing_secret_revokes_grants.then(|| {
        let text = format!(
            "{} ends every connection of a client when its secret is replaced: all {} of them will \
             need consent again.",
            profile.name, client.connections
        );
        view! { <p class="warning">{text}</p> }
    });
    // What went well takes the place of what was waited for.
    let next = match &client.next_secret {
        Some(next) => Some(waiting(client, next, doings)),
        None => prospects.proved_at.map(|at| {
            view! {
                <div class="status" data-state="alive">
                    <p class="status-line">{voice::SECRET_PROVED} <Exact at/> "."</p>
                </div>
            }
            .into_any()
        }),
    };
    let ways = if client.connections == 0 {
        at_once(client, profile, doings.replace, "")
    } else {
        let tries = prospects.has_understudy || client.next_secret.is_some();
        let trial = if tries {
            rehearse(client, profile, doings.set)
        } else {
            view! { <p class="help">{voice::NO_UNDERSTUDY}</p> }.into_any()
        };
        view! {
            {trial}
            {confirm_open(
                "Replace it at once, untried",
                voice::replace_at_once(client, profile),
                at_once(client, profile, doings.replace, "grave"),
                doings.replace.trouble.stands(),
            )}
        }
        .into_any()
    };
    let content = view! {
        {warning}
        {next}
        {ways}
        <Answered
            trouble=doings.replace.trouble
            done=doings.replace.done("Replaced. The old secret is gone.")
        />
    };
    section("Replace the secret", "Connections that wait for it go on by themselves", content)
}

fn waiting(client: &Client, next: &NextSecret, doings: Doings) -> AnyView {
    let id = || hidden("id", client.id);
    let said = next.refused.clone().filter(|said| said != UNREADABLE).map(|said| {
        view! {
            <details class="fold">
                <summary>"What the provider said"</summary>
                <pre>{said}</pre>
            </details>
        }
    });
    let try_at = next
        .try_at
        .filter(|_| next.tried > 0)
        .map(|at| view! { <p>"The next try is at " <Exact at/> "."</p> });
    // It belongs to the form below: what is typed there is what is tried.
    let again = (client.connections > 0).then(|| {
        view! {
            <button
                type="submit"
                form=FORM
                formnovalidate=true
                name="again"
                value="true"
                class="button"
            >
                "Try it now"
            </button>
        }
    });
    let shown = view! {
        <div class="status" data-state=if next.refused.is_some() { "needs-person" } else { "retrying" }>
            <p class="status-line">{voice::next_secret(next)} " It was set at " <Exact at=next.set_at/> "."</p>
            {try_at}
            {said}
            <div class="actions">
                {again}
                {confirm(
                    "Forget it",
                    voice::FORGET_NEXT_SECRET,
                    button_form(doings.drop, id(), "Forget it", "grave"),
                )}
            </div>
        </div>
    };
    // The first try is made at once, and the page says what came of it.
    let moves = next.refused.is_none() && next.tried <= 1;
    live_until_another("rehearsal", moves, shown)
}

/// The form that another secret is typed into.
const FORM: &str = "next-secret";

fn rehearse(client: &Client, profile: &Profile, doing: Doing<Set>) -> AnyView {
    let label = if client.next_secret.is_some() { "Try this one instead" } else { "Try it" };
    let fields = view! {
        {hidden("id", client.id)}
        {secret(profile, doing.trouble)}
        <p class="help">
            "One connection is refreshed with it. When that works it takes the place of the secret in \
             use; if the provider refuses it, nothing has changed."
        </p>
        <div class="actions">
            <Submit label pending=doing.pending weight="primary"/>
        </div>
        <Answered trouble=doing.trouble done=doing.done("What comes of it stands above.")/>
    };
    view! {
        <ActionForm action=doing.action attr:class="form" attr:id=FORM>
            {fields}
        </ActionForm>
    }
    .into_any()
}

fn at_once(
    client: &Client,
    profile: &Profile,
    doing: Doing<ReplaceSecret>,
    weight: &'static str,
) -> AnyView {
    let fields = view! {
        {hidden("id", client.id)}
        {secret(profile, doing.trouble)}
        <div class="actions">
            <Submit label="Replace secret" pending=doing.pending weight=weight/>
        </div>
    };
    action_form(doing, "form", fields)
}
