//! The code that somebody types on another device, and what came of it. The page need not stay open:
//! Regrant asks the provider by itself.

use leptos::prelude::*;
use time::OffsetDateTime;

use crate::{
    domain::{
        connection::Connection,
        device::{DeviceAuthorization, DeviceState},
        voice,
    },
    ui::{components::notice::said, path, patterns::live::live_until_another},
};

/// Nothing once the connection has moved on.
pub fn waiting(
    device: &DeviceAuthorization,
    connection: &Connection,
    provider: &str,
    as_of: OffsetDateTime,
) -> Option<AnyView> {
    if device.state != DeviceState::Waiting {
        let text = voice::device(device.state, provider)?;
        let over = connection.obtained_at.is_some_and(|at| at > device.created_at);
        return (!over).then(|| said(false, text));
    }
    Some(code(device, provider, as_of, path::connection(connection.id)))
}

/// The code, where to type it, and an address at which is seen what came of it.
pub fn code(
    device: &DeviceAuthorization,
    provider: &str,
    as_of: OffsetDateTime,
    reload: String,
) -> AnyView {
    let address = device.verification_uri.clone();
    let complete = device.verification_uri_complete.clone().map(|complete| {
        view! {
            <p>
                "Or open "
                <a href=complete rel="noreferrer noopener" target="_blank">
                    "the address with the code in it"
                </a>
                " and compare the two."
            </p>
        }
    });
    let inside = view! {
        <div class="once" data-device-code="">
            <p>
                "On any device, open "
                <a href=address.clone() rel="noreferrer noopener" target="_blank">
                    {address.clone()}
                </a>
                " and type this code:"
            </p>
            <p class="code">{device.user_code.clone()}</p>
            {complete}
            <p class="help">
                {format!(
                    "It works until {} ({}). {provider} is asked every {} seconds whether that was \
                     done. This page says so by itself, unless scripts are off; it can be closed. ",
                    voice::exact(device.expires_at),
                    voice::relative(device.expires_at, as_of),
                    device.interval_seconds,
                )}
                <a href=reload>"Look again"</a>
            </p>
        </div>
    };
    live_until_another("device", true, inside)
}
