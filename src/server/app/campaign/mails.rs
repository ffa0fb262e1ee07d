//! The e-mails by which a job's links are sent: the text that the desk has for one, for each whose link works.

use std::collections::HashMap;

use futures::Stream;
use uuid::Uuid;

use super::stragglers::see;
use crate::{
    domain::{
        access::Permission,
        campaign::Mail,
        language::Language,
        relink::CreatedRelink,
        voice::{self, visitor},
    },
    server::{
        app::{
            Actor, App, Result, brand,
            export::{self, BATCH, Format, Row, moment},
            job, relink,
        },
        store::{self, job::straggler},
    },
};

/// All of them, piece by piece. Who is done needs none. Whoever else gets none stands there without an address,
/// so that nothing empty is sent to them, and with why.
pub async fn export(
    app: &App,
    actor: &Actor,
    id: Uuid,
    language: Language,
    format: Format,
) -> Result<impl Stream<Item = Result<Vec<u8>>> + Send + use<>> {
    actor.require(Permission::ConnectionsRelink)?;
    job::note_export(app, actor, id, "mails").await?;
    let (app, brand) = (app.clone(), brand::get(app).await?);
    export::file(format, move |after: Option<i64>| {
        let (app, brand) = (app.clone(), brand.clone());
        async move {
            let mut conn = app.pool().acquire().await?;
            let after = after.unwrap_or_default();
            let now = app.now();
            let found = straggler::list(&mut conn, id, None, after, BATCH, now).await?;
            let next = export::rest(&found, |last| last.number);
            let seen = see(&app, &mut conn, true, found).await?;
            let ids: Vec<Uuid> = seen.iter().map(|one| one.entry.relink.connection_id).collect();
            let connections = store::connection::list::of(&mut conn, &ids).await?;
            let connections: HashMap<Uuid, _> =
                connections.into_iter().map(|one| (one.id, one)).collect();
            let mails = seen.into_iter().filter_map(|one| {
                let entry = one.entry;
                let connection = connections.get(&entry.relink.connection_id)?;
                let works = |_: &String| !relink::stops_consent(entry.client_state);
                let Some(url) = one.link.filter(works) else {
                    return Some(Mail {
                        number: one.number,
                        connection_id: connection.id,
                        left_out: Some(voice::no_mail(&entry, connection, now)),
                        label: entry.connection,
                        account: None,
                        external_id: None,
                        link: String::new(),
                        expires_at: entry.relink.expires_at,
                        subject: String::new(),
                        text: String::new(),
                    });
                };
                let made = CreatedRelink {
                    id: entry.relink.id,
                    url,
                    expires_at: entry.relink.expires_at,
                    account: entry.account.clone(),
                };
                let handed = relink::to_hand_over(made, &entry, connection, &brand);
                let (subject, text) = visitor::mail(language, &handed);
                Some(Mail {
                    number: one.number,
                    connection_id: connection.id,
                    label: entry.connection,
                    account: entry.account,
                    external_id: entry.external_id,
                    link: handed.made.url,
                    expires_at: handed.made.expires_at,
                    subject,
                    text,
                    left_out: None,
                })
            });
            Ok((mails.collect::<Vec<Mail>>(), next))
        }
    })
}

impl Row for Mail {
    const HEADING: &'static [&'static str] = &[
        "number",
        "connection_id",
        "label",
        "account",
        "external_id",
        "link",
        "expires_at",
        "subject",
        "text",
        "left_out",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            self.connection_id.to_string(),
            self.label.clone(),
            self.account.clone().unwrap_or_default(),
            self.external_id.clone().unwrap_or_default(),
            self.link.clone(),
            moment(Some(self.expires_at)),
            self.subject.clone(),
            self.text.clone(),
            self.left_out.clone().unwrap_or_default(),
        ]
    }
}
