//! The pages that people see: consent, the device code, problems. Plain HTML without a script.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use secrecy::ExposeSecret;

use super::{
    accounts::{ACCOUNTS, Account},
    clients::{Client, ClientAuth},
    grants::Family,
    state::{Pending, Purpose},
};

const STYLE: &str = include_str!("style.css");

pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · Regrant sandbox</title>\
         <link rel=\"stylesheet\" href=\"/sandbox.css\"></head>\
         <body><main><p class=\"where\">Regrant sandbox <span>a pretend provider</span></p>\
         {body}</main></body></html>",
        title = escape(title),
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ];
    (status, headers, html).into_response()
}

/// Says that nothing can be done here, and why.
pub fn problem(status: StatusCode, text: &str) -> Response {
    let body = format!("<h1>This cannot go on</h1><p>{}</p>", escape(text));
    page(status, "Problem", &body)
}

/// Says that something is done.
pub fn notice(title: &str, text: &str) -> Response {
    let body = format!("<h1>{}</h1><p>{}</p>", escape(title), escape(text));
    page(StatusCode::OK, title, &body)
}

/// Asks whether a client may act for an account.
pub fn consent(
    client: &Client,
    pending: &Pending,
    chosen: &Account,
    action: &str,
    ticket: &str,
) -> Response {
    let name = escape(&client.name);
    let accounts: String = ACCOUNTS
        .iter()
        .map(|account| {
            format!(
                "<label><input type=\"radio\" name=\"account\" value=\"{email}\"{checked}> \
                 <b>{name}</b> <span>{email}</span></label>",
                email = account.email,
                name = account.name,
                checked = if account == chosen { " checked" } else { "" },
            )
        })
        .collect();
    let scopes: String =
        pending.scope.iter().map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let scopes = if scopes.is_empty() { "<li>nothing in particular</li>".into() } else { scopes };
    let whither = match &pending.purpose {
        Purpose::Redirect { uri, .. } => format!("You will go back to {}.", escape(&origin(uri))),
        Purpose::Device { .. } => "Allow only a device that you have in front of you.".to_owned(),
    };
    let body = format!(
        "<h1>{name} asks for access</h1>\
         <form method=\"post\" action=\"{action}\">\
         <input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
         <fieldset><legend>As</legend>{accounts}</fieldset>\
         <h2>It may</h2><ul>{scopes}</ul>\
         <p class=\"quiet\">{whither}</p>\
         <div class=\"buttons\">\
         <button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\" class=\"second\">Deny</button>\
         </div></form>",
        ticket = escape(ticket),
    );
    page(StatusCode::OK, "Consent", &body)
}

fn origin(uri: &str) -> String {
    match url::Url::parse(uri) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => uri.to_owned(),
    }
}

/// Asks for the code that a device shows.
pub fn user_code(problem: Option<&str>) -> Response {
    let problem =
        problem.map(|text| format!("<p class=\"bad\">{}</p>", escape(text))).unwrap_or_default();
    let body = format!(
        "<h1>Connect a device</h1>{problem}\
         <form method=\"get\" action=\"/device\">\
         <label for=\"code\">The code it shows</label>\
         <input id=\"code\" name=\"user_code\" autocomplete=\"off\" placeholder=\"BCDF-GHJK\">\
         <div class=\"buttons\"><button>Go on</button></div></form>"
    );
    page(StatusCode::OK, "Connect a device", &body)
}

/// Says what this is, and what to enter where a provider's client is registered.
pub fn home(issuer: &str, clients: &[Client]) -> Response {
    let rows: String = clients
        .iter()
        .map(|client| {
            let secret = match &client.secret {
                Some(secret) => format!("secret <code>{}</code>", escape(secret.expose_secret())),
                None => "no secret".to_owned(),
            };
            let shown = match client.auth {
                ClientAuth::Basic | ClientAuth::BasicRaw => ", shown as Basic",
                ClientAuth::Post => ", shown in the body",
                ClientAuth::None => "",
            };
            format!("<li><code>{}</code> <span>{secret}{shown}</span></li>", escape(&client.id))
        })
        .collect();
    let people: Vec<&str> = ACCOUNTS.iter().map(|account| account.email).collect();
    let body = format!(
        "<h1>A provider to try things with</h1>\
         <p>This is an OAuth 2.0 server in memory. It is strict and has nothing to lose: what it \
         knows is forgotten when it ends.</p>\
         <h2>Issuer <span>to be discovered by Regrant</span></h2><p><code>{issuer}</code></p>\
         <h2>Clients</h2><ul>{rows}</ul>\
         <p class=\"quiet\">Any redirect URI that ends in /oauth/callback will do.</p>\
         <h2>People who can consent</h2><p>{people}</p>\
         <h2>Scopes</h2><p class=\"quiet\">openid, email and offline_access; ttl:60 and \
         refresh_ttl:600 ask for short lives.</p>\
         <h2>More</h2><ul><li><a href=\"/accounts\">Withdraw consent</a></li>\
         <li><a href=\"/device\">Connect a device</a></li>\
         <li><a href=\"/.well-known/openid-configuration\">Metadata</a></li>\
         <li><a href=\"/__ctl\">Faults on request</a></li></ul>",
        issuer = escape(issuer),
        people = escape(&people.join(", ")),
    );
    page(StatusCode::OK, "What this is", &body)
}

/// What each account has allowed, with a button that withdraws it.
pub fn accounts<'a>(families: impl Iterator<Item = &'a Family> + Clone) -> Response {
    let mut body = String::from("<h1>Connected applications</h1>");
    for account in &ACCOUNTS {
        let mut names: Vec<String> = families
            .clone()
            .filter(|family| family.account == Some(account))
            .map(|family| family.client.1.clone())
            .collect();
        names.sort();
        let listed: String = match names.len() {
            0 => "<p class=\"quiet\">Nothing is connected.</p>".to_owned(),
            _ => {
                let items: String =
                    names.iter().map(|name| format!("<li>{}</li>", escape(name))).collect();
                format!(
                    "<ul>{items}</ul><form method=\"post\" action=\"/accounts\">\
                     <button class=\"second\" name=\"withdraw\" value=\"{}\">Withdraw consent\
                     </button></form>",
                    account.email
                )
            }
        };
        body += &format!("<h2>{} <span>{}</span></h2>{listed}", account.name, account.email);
    }
    page(StatusCode::OK, "Connected applications", &body)
}
