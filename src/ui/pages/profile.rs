//! One's own account.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    domain::voice,
    rpc::session::{ChangePassword, Logout},
    ui::{
        components::{
            badge::RoleTag,
            field::Submit,
            head::{head, section},
            notice::Answered,
            password::{NewPassword, OwnPassword},
        },
        patterns::{
            action::{Doing, PlainForm, action_form},
            load::{May, loaded},
        },
    },
};

#[component]
pub fn Page() -> impl IntoView {
    let doing = Doing::<ChangePassword>::new();
    let nothing = Resource::new_blocking(|| (), |()| async { Ok(()) });
    loaded(nothing, move |(), May(viewer)| {
        view! {
            {head("Profile", None, ())}
            <dl class="facts">
                <div>
                    <dt>"E-mail"</dt>
                    <dd>{viewer.email}</dd>
                </div>
                <div>
                    <dt>"Role"</dt>
                    <dd>
                        <RoleTag role=viewer.role/>
                        " "
                        {voice::role(viewer.role)}
                    </dd>
                </div>
            </dl>
            <div class="pair">
                {section("Change your password", "Ends your other sessions.", view! {
                    {action_form(doing, "form", view! {
                        <OwnPassword name="current" label="Present password" trouble=doing.trouble/>
                        <NewPassword name="new" label="New password" trouble=doing.trouble/>
                        <div class="actions">
                            <Submit label="Change password" pending=doing.pending/>
                        </div>
                        <Answered
                            trouble=doing.trouble
                            done=doing.done("Changed. Your other sessions have ended.")
                        />
                    })}
                })}
                {section("Leave", "", view! {
                    <PlainForm action=Logout::url()>
                        <Submit label="Sign out"/>
                    </PlainForm>
                })}
            </div>
        }
    })
}
