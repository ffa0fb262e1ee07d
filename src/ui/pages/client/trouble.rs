//! What keeps a client's connections from being refreshed: an incident, or a pause that the provider
//! asked for.

use leptos::prelude::*;

use crate::{
    domain::{
        client::{Client, StateName},
        incident::Incident,
        provider::Profile,
        voice,
    },
    rpc::incident::{Condemn, Resume},
    ui::{
        components::{confirm::confirm, head::section, moment::Exact},
        patterns::action::{Doing, button_form, hidden},
    },
};

#[derive(Clone, Copy)]
pub struct Doings {
    pub resume: Doing<Resume>,
    pub condemn: Doing<Condemn>,
}

/// The pause that the provider asked for, and how to end it.
pub fn pause(client: &Client, may_write: bool, doings: Doings) -> Option<AnyView> {
    let until = client.paused_until?;
    let resume = (may_write && client.state == StateName::Ready)
        .then(|| button_form(doings.resume, hidden("id", client.id), "Resume now", ""));
    Some(
        view! {
            <p id="pause">
                "The provider asked for a pause. No token is asked for before " <Exact at=until/> "."
            </p>
            {resume}
        }
        .into_any(),
    )
}

/// What is known of the incident, and what can be done about it.
pub fn incident(
    client: &Client,
    profile: &Profile,
    may_write: bool,
    doings: Doings,
) -> Option<AnyView> {
    let incident = client.incident.as_ref()?;
    let facts = view! {
        <p>{voice::incident(incident, &profile.name)}</p>
        {client.state_detail.is_some().then(|| view! { <p>{voice::REFUSED_MEANWHILE}</p> })}
        <dl class="facts">
            <div>
                <dt>"Verdicts that wait"</dt>
                <dd>{incident.held}</dd>
            </div>
            <div>
                <dt>"Tried again"</dt>
                <dd>{voice::canaries(incident)}</dd>
            </div>
            <div>
                <dt>"The next try"</dt>
                <dd>
                    <Exact at=incident.canary_at/>
                </dd>
            </div>
        </dl>
        <p>{voice::incident_ends(incident, &profile.policy.incident)}</p>
        {may_write.then(|| decide(client, incident, doings))}
    };
    Some(section("The incident", voice::INCIDENT, facts))
}

fn decide(client: &Client, incident: &Incident, doings: Doings) -> AnyView {
    let id = || hidden("id", client.id);
    let condemned = match incident.held {
        1 => "the refused connection needs a person".to_owned(),
        many => format!("the {many} refused connections need a person"),
    };
    let text = format!(
        "To condemn is to take each refusal for final: {condemned} from then on, without being asked for \
         once more. All others are refreshed again."
    );
    let condemn = button_form(doings.condemn, id(), "Condemn them", "grave");
    view! {
        <div class="actions">
            {button_form(doings.resume, id(), "Resume", "")}
            {confirm("Condemn anyway", text, condemn)}
        </div>
    }
    .into_any()
}
