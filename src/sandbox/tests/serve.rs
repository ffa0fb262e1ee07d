//! What needs a real socket: serving, stopping, and connections that end without an answer.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::VERIFIER;
use crate::{
    sandbox::{Fault, Running, serve, serve_on},
    server::clock::{SeededRng, SystemClock},
};

async fn running() -> Running {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    serve(listen, Arc::new(SystemClock::new()), Arc::new(SeededRng::new(1))).await.expect("bound")
}

/// One request over a socket of its own; all bytes until the server closes.
async fn exchange(url: &str) -> std::io::Result<String> {
    let address = url.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await?;
    let body = "grant_type=client_credentials";
    let request = format!(
        "POST /token HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         authorization: Basic ZGVtbzpkZW1vLXNlY3JldA==\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_dropped_request_gets_no_byte() {
    let running = running().await;
    let good = exchange(&running.url).await.expect("an answer");
    assert!(good.starts_with("HTTP/1.1 200"), "{good}");
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        running.sandbox.control().fail_next(fault, 1);
        // Closed or reset, both without an answer.
        assert_eq!(exchange(&running.url).await.unwrap_or_default(), "", "{fault:?}");
        let last = running.sandbox.log().pop().expect("a record");
        assert_eq!(last.fault, Some(fault));
        assert_eq!(last.status, if fault == Fault::DropAfter { 200 } else { 0 });
    }
    assert!(exchange(&running.url).await.expect("an answer").starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stopped_server_refuses_connections_and_comes_back_with_its_grants() {
    let running = running().await;
    let (url, sandbox) = (running.url.clone(), running.sandbox.clone());
    assert!(exchange(&url).await.is_ok());
    running.shutdown().await;
    assert!(exchange(&url).await.is_err());

    let address = url.strip_prefix("http://").expect("an address");
    let listener = TcpListener::bind(address).await.expect("bound again");
    let again = serve_on(listener, sandbox);
    assert_eq!(again.url, url);
    assert!(exchange(&url).await.expect("an answer").starts_with("HTTP/1.1 200"));
    assert_eq!(again.sandbox.log().len(), 2);
}

#[tokio::test]
async fn a_client_library_walks_the_whole_way() {
    let running = running().await;
    let client = reqwest::Client::new();
    let callback = "http://127.0.0.1:9/oauth/callback";
    let url = format!(
        "{}/authorize?response_type=code&client_id=demo&redirect_uri={callback}&scope=openid\
         &code_challenge={}&code_challenge_method=S256",
        running.url,
        super::CHALLENGE,
    );
    let code = super::code_of(&running.sandbox.consent(&url, "bob").expect("consent"));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    let token = format!("{}/token", running.url);
    let answer = client.post(token).basic_auth("demo", Some("demo-secret")).form(&form).send();
    let answer = answer.await.expect("an answer").text().await.expect("text");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let access = answer["access_token"].as_str().expect("a token");
    let info = client.get(format!("{}/userinfo", running.url)).bearer_auth(access).send().await;
    assert_eq!(info.expect("an answer").status(), 200);
}
