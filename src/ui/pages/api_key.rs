//! Keys for programs.

use leptos::{either::Either, prelude::*};

use crate::{
    domain::{
        access::{Permission, Scope},
        api_key::{ApiKey, CreatedApiKey},
        voice::{self, Empty},
    },
    rpc::{
        self,
        api_key::{Create, Revoke},
    },
    ui::{
        components::{
            confirm::confirm,
            copy::Copyable,
            field::{Submit, Text},
            head::{head, section},
            moment::{Day, day_or_never},
            notice::{Answered, nothing},
        },
        path,
        patterns::{
            action::{Doing, action_form, button_form, hidden},
            load::loaded,
        },
    },
};

#[component]
pub fn List() -> impl IntoView {
    let create = Doing::<Create>::new();
    let revoke = Doing::<Revoke>::new();
    let keys = Resource::new_blocking(
        move || (create.version.get(), revoke.version.get()),
        |_| async {
            let keys = rpc::api_key::list().await?;
            Ok((keys, rpc::api_key::made().await?))
        },
    );
    let answer = create.answer();
    loaded(keys, move |(keys, made), may| {
        let may_write = may.allows(Permission::ApiKeysWrite);
        let rows = keys.into_iter().map(|key| row(key, may_write, revoke)).collect::<Vec<_>>();
        let list = if rows.is_empty() {
            Either::Left(nothing(Empty::ApiKeys, ()))
        } else {
            Either::Right(view! {
                <div class="scroll" tabindex="0" role="region" aria-label="API keys">
                    <table class="table">
                        <thead>
                            <tr>
                                <th scope="col">"Name"</th>
                                <th scope="col">"May"</th>
                                <th scope="col">"Made"</th>
                                <th scope="col">"Last used"</th>
                                <th scope="col">
                                    <span class="unseen">"Change"</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            })
        };
        view! {
            {head("API keys", None, ())}
            {move || answer.get().or_else(|| made.clone()).map(shown_once)}
            <Answered trouble=revoke.trouble/>
            {list}
            {may_write.then(|| add(create))}
        }
    })
}

fn shown_once(made: CreatedApiKey) -> AnyView {
    view! {
        <div class="once">
            <Copyable
                id="new-key"
                label=format!("The key “{}”", made.api_key.name)
                value=made.key
                help="Keep it now: it is not shown again. Programs send it as a bearer token."
            />
        </div>
    }
    .into_any()
}

fn row(key: ApiKey, may_write: bool, revoke: Doing<Revoke>) -> AnyView {
    let revoked = key.revoked_at;
    let scopes = key
        .scopes
        .iter()
        .map(|scope| {
            view! {
                <span class="tag" title=voice::scope(*scope)>
                    {scope.as_str()}
                </span>
            }
        })
        .collect::<Vec<_>>();
    let change = match revoked {
        Some(at) => view! { <span class="quiet">"revoked " <Day at/></span> }.into_any(),
        None if may_write => {
            let text = format!(
                "Programs that use “{}” are refused at once. This cannot be undone.",
                key.name
            );
            confirm("Revoke", text, button_form(revoke, hidden("id", key.id), "Revoke", "grave"))
        }
        None => ().into_any(),
    };
    view! {
        <tr class:is-off=revoked.is_some()>
            <td>
                {key.name.clone()} <p class="sub">
                    <code>{format!("{}…", key.hint)}</code>
                </p>
            </td>
            <td>
                <span class="tags">{scopes}</span>
            </td>
            <td data-label="Made">
                <Day at=key.created_at/>
            </td>
            <td data-label="Last used">{day_or_never(key.last_used_at)}</td>
            <td class="is-end">
                {change}
            </td>
        </tr>
    }
    .into_any()
}

fn add(doing: Doing<Create>) -> AnyView {
    let scopes = Scope::ALL
        .iter()
        .map(|scope| {
            let ticked = doing.trouble.or_ticked("scopes[]", scope.as_str(), false);
            view! {
                <label class="check">
                    <input
                        type="checkbox"
                        name="scopes[]"
                        value=scope.as_str()
                        checked=ticked
                    />
                    <span>
                        <code>{scope.as_str()}</code>
                        " "
                        {voice::scope(*scope)}
                    </span>
                </label>
            }
        })
        .collect::<Vec<_>>();
    let wrong = move || doing.trouble.of("scopes");
    view! {
        {section("Create a key", "", view! {
            {action_form(doing, "form", view! {
                <Text
                    name="name"
                    label="Name"
                    trouble=doing.trouble
                    required=true
                    help="Which program it is for."
                />
                <fieldset class="field">
                    <legend>"It may"</legend>
                    {scopes}
                    {move || wrong().map(|wrong| view! { <p class="wrong">{wrong}</p> })}
                </fieldset>
                <div class="actions">
                    <Submit label="Create key" pending=doing.pending weight="primary"/>
                </div>
                <Answered trouble=doing.trouble/>
            })}
            <p class="help">
                "What a program can ask for is described at "
                <a href=path::API_DOCUMENT rel="external">
                    <code>{path::API_DOCUMENT}</code>
                </a>
                ", for people and for the generators of OpenAPI."
            </p>
        })}
    }
    .into_any()
}
