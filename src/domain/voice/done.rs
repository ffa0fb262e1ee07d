//! What is said once an action has worked, where the page it leads to does not say it by itself.

/// `action`: the function that did it, by its address without what all have in common; or one of the two
/// things that it does.
pub fn done(action: &str) -> Option<&'static str> {
    Some(match action {
        "api_key/create" => "The key is made. It is shown this once.",
        "api_key/revoke" => "Revoked. Programs that use the key are refused from now on.",
        "brand/drop_logo" => {
            "The logo is gone. The page behind a relink does without one from now on."
        }
        "brand/set_logo" => "The picture is the logo now. The page behind a relink shows it.",
        "client/delete" => "The client is deleted.",
        "client/update" => "Saved.",
        "client/switched_off" => {
            "Switched off. None of its connections is refreshed until it is on again."
        }
        "client/switched_on" => "Switched on. Its connections are refreshed again.",
        "connection/disconnect" => "Disconnected. Its tokens are forgotten.",
        "connection/pause" => "It rests: it is not refreshed by itself until somebody resumes it.",
        "connection/resume" => "It is kept alive again.",
        "connection/update" => "Saved.",
        "incident/condemn" => {
            "Those that were refused need a person now. All others are refreshed again."
        }
        "incident/resume" => {
            "Resumed. Its connections are refreshed again, those that are overdue first."
        }
        "provider/delete" => "The provider is deleted.",
        "rehearsal/drop" => "Forgotten. The secret in use stays as it was.",
        "relink/revoke" => "Revoked. The link opens nothing from now on.",
        "saved_filter/delete" => "The saved filter is deleted.",
        "user/create" => "Added. They can sign in with the first password.",
        "user/let_in" => "They can sign in again.",
        "user/set_role" => "The role is changed. It holds from their next step on.",
        "user/shut_out" => "They can no longer sign in, and their sessions have ended.",
        _ => return None,
    })
}
