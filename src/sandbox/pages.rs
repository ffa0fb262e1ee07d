//! The pages that people see: consent, the device code, problems. Plain HTML without a script.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    accounts::{ACCOUNTS, Account},
    clients::Client,
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
