//! People who may sign in.

use leptos::prelude::*;

use crate::{
    domain::{
        access::{Permission, Role},
        user::User,
        voice::{self, Empty},
    },
    rpc::{
        self,
        user::{Create, SetDisabled, SetRole},
    },
    ui::{
        components::{
            badge::RoleTag,
            confirm::confirm,
            field::{Choice, Submit, Text, options_of},
            head::{head, link, section},
            moment::{Day, day_or_never},
            notice::{Answered, nothing},
            password::NewPassword,
        },
        path,
        patterns::{
            action::{Doing, action_form, button_form, hidden},
            load::loaded,
        },
    },
};

#[derive(Clone, Copy)]
struct Doings {
    create: Doing<Create>,
    set_role: Doing<SetRole>,
    set_disabled: Doing<SetDisabled>,
}

#[component]
pub fn List() -> impl IntoView {
    let doings =
        Doings { create: Doing::new(), set_role: Doing::new(), set_disabled: Doing::new() };
    let users = Resource::new_blocking(
        move || {
            (
                doings.create.version.get(),
                doings.set_role.version.get(),
                doings.set_disabled.version.get(),
            )
        },
        |_| rpc::user::list(),
    );
    loaded(users, move |users, may| {
        let may_write = may.allows(Permission::UsersWrite);
        let own = may.0.id;
        let rows = users
            .into_iter()
            .map(|user| {
                let editable = may_write && user.id != own;
                row(user, editable, doings)
            })
            .collect::<Vec<_>>();
        let none = rows.is_empty();
        view! {
            {head("Users", None, ())}
            <Answered trouble=doings.set_role.trouble/>
            <Answered trouble=doings.set_disabled.trouble/>
            {none.then(|| nothing(Empty::Users, ()))}
            <div class="scroll" tabindex="0" role="region" aria-label="Users">
                <table class="table is-pliant">
                    <thead>
                        <tr>
                            <th scope="col">"E-mail"</th>
                            <th scope="col">"Role"</th>
                            <th scope="col">"Last signed in"</th>
                            <th scope="col">"Since"</th>
                            <th scope="col">
                                <span class="unseen">"Change"</span>
                            </th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {may_write.then(|| add(doings.create))}
        }
    })
}

fn row(user: User, editable: bool, doings: Doings) -> AnyView {
    let disabled = user.disabled_at.is_some();
    let change = editable.then(|| {
        let set = |label: &str, weight| {
            let sent = (hidden("id", user.id), hidden("disabled", !disabled));
            button_form(doings.set_disabled, sent, label, weight)
        };
        let door = if disabled {
            set("Let in again", "")
        } else {
            let text = format!(
                "{} can no longer sign in, and all their sessions end at once.",
                user.email
            );
            confirm("Shut out", text, set("Shut out", "grave"))
        };
        view! {
            <div class="actions">
                {link(path::user_password(user.id), "button", "New password")} {door}
            </div>
        }
    });
    view! {
        <tr class:is-off=disabled>
            <td>
                {user.email.clone()}
                {disabled.then(|| view! { <span class="tag is-aside">"shut out"</span> })}
            </td>
            <td>
                {if editable {
                    role_form(&user, doings.set_role)
                } else {
                    view! { <RoleTag role=user.role/> }.into_any()
                }}
            </td>
            <td data-label="Last signed in">{day_or_never(user.last_login_at)}</td>
            <td data-label="Since">
                <Day at=user.created_at/>
            </td>
            <td class="is-end">
                {change}
            </td>
        </tr>
    }
    .into_any()
}

fn roles() -> Vec<(String, String)> {
    Role::ALL.iter().map(|role| (role.as_str().to_owned(), role.as_str().to_owned())).collect()
}

fn role_form(user: &User, doing: Doing<SetRole>) -> AnyView {
    view! {
        {action_form(doing, "form is-inline", view! {
            <input type="hidden" name="id" value=user.id.to_string()/>
            <select name="role" aria-label=format!("Role of {}", user.email)>
                {options_of(roles(), user.role.as_str())}
            </select>
            <Submit label="Save" pending=doing.pending/>
        })}
    }
    .into_any()
}

fn add(doing: Doing<Create>) -> AnyView {
    let help = Role::ALL
        .iter()
        .map(|role| format!("{}: {}", role.as_str(), voice::role(*role)))
        .collect::<Vec<_>>()
        .join("\n");
    view! {
        {section("Add a user", "", view! {
            {action_form(doing, "form", view! {
                <Text
                    name="email"
                    label="E-mail"
                    kind="email"
                    trouble=doing.trouble
                    required=true
                    autocomplete="off"
                />
                <Choice
                    name="role"
                    label="Role"
                    trouble=doing.trouble
                    required=true
                    options=roles()
                    value=Role::Support.as_str()
                    help=help
                />
                <NewPassword name="password" label="First password" trouble=doing.trouble more=voice::HAND_OVER/>
                <div class="actions">
                    <Submit label="Add user" pending=doing.pending weight="primary"/>
                </div>
                <Answered trouble=doing.trouble/>
            })}
        })}
    }
    .into_any()
}
