//! Adding a provider: found by its address, written by hand, or begun from a copy.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::profile;
use crate::{
    domain::{access::Permission, provider::Profile},
    rpc::{self, provider::Create},
    ui::{
        components::{
            field::{Submit, Text, Trouble},
            head::{head, section},
            notice::Answered,
        },
        path,
        patterns::{
            action::{Doing, action_form},
            discover::DiscoverForm,
            load::loaded,
        },
    },
};

#[component]
pub fn New() -> impl IntoView {
    let params = use_query_map();
    let from = move || params.with(|params| path::filled(params, "from"));
    let create = Doing::<Create>::new();
    let draft = Resource::new_blocking(from, |from| async move {
        Ok(match from {
            None => Profile::new("my-provider", "My provider"),
            Some(slug) => {
                let mut profile = rpc::provider::get(slug).await?.profile;
                profile.slug = format!("{}-copy", profile.slug);
                profile.name = format!("{} (copy)", profile.name);
                profile
            }
        })
    });
    loaded(draft, move |draft, may| {
        let title = head("Add a provider", Some(("Providers", path::PROVIDERS)), ());
        if !may.allows(Permission::ProvidersWrite) {
            return (title, view! { <p>"Only admins add providers."</p> }).into_any();
        }
        let copied = from().is_some();
        let discover = (!copied).then(|| {
            section(
                "Find it by its address",
                "For providers that publish their settings",
                view! { <DiscoverForm/> },
            )
        });
        let write = section(
            if copied { "Change the copy" } else { "Write it" },
            "A profile says everything about how to talk to the provider",
            write(&draft, create),
        );
        (title, discover, write).into_any()
    })
}

fn write(draft: &Profile, create: Doing<Create>) -> AnyView {
    let fields = view! {
        <Text
            name="profile"
            label="Profile (JSON)"
            trouble=create.trouble
            required=true
            rows=24
            mono=true
            value=profile::json(draft)
            problem_name=""
        />
        <Wrongs trouble=create.trouble/>
        <div class="actions">
            <Submit label="Add provider" pending=create.pending weight="primary"/>
        </div>
        <Answered trouble=create.trouble/>
    };
    action_form(create, "form is-wide", fields)
}

/// What is wrong inside a profile, field by field.
#[component]
pub fn Wrongs(trouble: Trouble) -> impl IntoView {
    move || {
        let fields = trouble.problem.with(|problem| {
            problem.as_ref().map(|problem| problem.fields.clone()).unwrap_or_default()
        });
        (!fields.is_empty()).then(|| {
            let lines = fields
                .into_iter()
                .filter(|field| !field.field.is_empty())
                .map(|field| {
                    view! {
                        <li class="wrong">
                            <code>{field.field}</code>
                            " "
                            {field.message}
                        </li>
                    }
                })
                .collect::<Vec<_>>();
            view! { <ul class="lines">{lines}</ul> }
        })
    }
}
