//! What was done, as the audit log says it. Every action that is recorded has its words here.

const ACTIONS: &[(&str, &str)] = &[
    ("api_key.create", "Created an API key"),
    ("api_key.revoke", "Revoked an API key"),
    ("audit.export", "Took the audit log away as a file"),
    ("brand.drop_logo", "Removed the logo of the relink pages"),
    ("brand.set_logo", "Changed the logo of the relink pages"),
    ("brand.update", "Changed the look of the relink pages"),
    ("client.begin_check", "Began to check a client's credentials with its provider"),
    ("client.check", "Checked a client's credentials with its provider"),
    ("client.condemn", "Let the suspended verdicts of a client stand"),
    ("client.create", "Registered a client"),
    ("client.credentials_rejected", "Saw that the provider refuses a client"),
    ("client.delete", "Deleted a client"),
    ("client.drop_next_secret", "Dropped a client's next secret"),
    ("client.incident", "Suspended a client's verdicts: too many were refused at once"),
    ("client.incident_over", "Ended the suspension of a client's verdicts"),
    ("client.next_secret_refused", "Saw that the provider refuses a client's next secret"),
    ("client.rehearse", "Tried a client's next secret"),
    ("client.resume", "Resumed a client"),
    ("client.secret_promoted", "Put a client's next secret to use: it works"),
    ("client.set_next_secret", "Gave a client its next secret"),
    ("client.update", "Changed a client"),
    ("connection.authorize", "Began to ask for consent"),
    ("connection.condemned", "Saw that a connection needs a person"),
    ("connection.connected", "Connected an account"),
    ("connection.consent_failed", "Saw that a consent came to nothing"),
    ("connection.create", "Created a connection that waits for consent"),
    ("connection.delete", "Deleted a connection"),
    ("connection.disconnect", "Disconnected a connection"),
    ("connection.exchange", "Exchanged a token for a connection"),
    ("connection.exchange_failed", "Saw that a token exchange came to nothing"),
    ("connection.export", "Took a list of connections away as a file"),
    ("connection.grant_client_credentials", "Connected a client in its own name"),
    ("connection.import", "Imported a connection"),
    ("connection.import_many", "Imported connections from a file"),
    ("connection.introspect", "Asked the provider about a token"),
    ("connection.pause", "Paused a connection"),
    ("connection.reauthorized", "Authorized a connection again"),
    ("connection.refresh", "Asked for a refresh of a connection"),
    ("connection.refresh_failed", "Asked for a refresh that came to nothing"),
    ("connection.refresh_joined", "Asked for a refresh that somebody else had made"),
    ("connection.refreshed", "Refreshed a connection"),
    ("connection.resume", "Resumed a connection"),
    ("connection.update", "Changed a connection"),
    ("job.create", "Began a job over many connections"),
    ("job.done", "Ended a job: all was tried"),
    ("job.export", "Took what came of a job away as a file"),
    ("job.stop", "Stopped a job"),
    ("key.rewrap", "Wrapped the data keys with another master key"),
    ("key.rotate", "Put a new data key to use"),
    ("provider.create", "Added a provider"),
    ("provider.delete", "Deleted a provider"),
    ("provider.update", "Changed a provider"),
    ("relink.create", "Created a relink"),
    ("relink.revoke", "Revoked a relink"),
    ("session.begin", "Signed in"),
    ("session.refused", "Was not let in"),
    ("token.refused", "Was not shown a token: the password was wrong"),
    ("token.revealed", "Looked at a token"),
    ("user.change_password", "Changed their password"),
    ("user.create", "Added a user"),
    ("user.disable", "Shut a user out"),
    ("user.enable", "Let a user in again"),
    ("user.set_password", "Gave a user a new password"),
    ("user.set_role", "Changed a user's role"),
    ("user.setup", "Set up the first user"),
];

/// What one did by this action; `None`: this version knows no such action.
pub fn audit(action: &str) -> Option<&'static str> {
    ACTIONS.iter().find(|(known, _)| *known == action).map(|(_, words)| *words)
}

/// Who acts by a one-time link.
pub fn relink_customer(created_by: &str) -> String {
    format!("the customer, by a link that {created_by} made")
}

/// What actions are about: how their names begin, and the word for it.
pub const AUDIT_NOUNS: &[(&str, &str)] = &[
    ("connection.", "connections"),
    ("token.", "tokens that were looked at"),
    ("relink.", "relinks"),
    ("client.", "clients"),
    ("provider.", "providers"),
    ("job.", "jobs"),
    ("user.", "users"),
    ("session.", "signing in"),
    ("api_key.", "API keys"),
    ("key.", "encryption keys"),
    ("brand.", "look of the relink pages"),
    ("audit.", "the audit log"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_about_something() {
        for (action, words) in ACTIONS {
            assert!(AUDIT_NOUNS.iter().any(|(noun, _)| action.starts_with(noun)), "{action}");
            assert!(words.starts_with(char::is_uppercase), "{action}");
        }
        assert!(ACTIONS.is_sorted());
    }
}
