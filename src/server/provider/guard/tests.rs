use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn get(text: &str) -> reqwest::Request {
    reqwest::Request::new(reqwest::Method::GET, url(text))
}

fn open() -> Policy {
    Policy { allow_private_networks: true, deadline: Duration::from_millis(900) }
}

fn resolving(to: &'static [&'static str], policy: Policy) -> Client {
    let lookup: Lookup = Arc::new(move |_| {
        let found = to.iter().map(|address| address.parse().unwrap()).collect();
        Box::pin(std::future::ready(Ok(found)))
    });
    Client::with_lookup(policy, lookup).unwrap()
}

#[test]
fn only_public_addresses_are_public() {
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address} is public");
    }
    let inside = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "100::1",
        "2001::1",
        "2001:10::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ];
    for address in inside {
        assert!(!is_public(address.parse().unwrap()), "{address} is not public");
    }
}

#[test]
fn an_address_is_judged_by_its_text_first() {
    let refused = [
        "http://example.com/",
        "ftp://example.com/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://017700000001/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://user:password@example.com/",
        "https://user@example.com/",
        "file:///etc/passwd",
    ];
    for text in refused {
        assert!(vet(&url(text), false).is_err(), "{text}");
    }
    assert_eq!(vet(&url("https://example.com/token"), false), Ok(()));
    assert_eq!(vet(&url("https://8.8.8.8/"), false), Ok(()));
}

#[test]
fn a_refusal_names_the_setting_that_would_help_and_no_other() {
    let names_it = |text: &str, allowed| {
        vet(&url(text), allowed).unwrap_err().contains("REGRANT_ALLOW_PRIVATE_NETWORKS")
    };
    assert!(names_it("https://10.0.0.1/", false));
    assert!(!names_it("https://169.254.169.254/", false), "it is never called");
    assert!(!names_it("https://0.0.0.0/", true));
}

#[test]
fn allowing_private_networks_opens_http_on_loopback_only() {
    for text in [
        "http://localhost:9/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://idp.localhost/",
        "https://10.0.0.1/",
        "https://[fd00::1]/",
    ] {
        assert_eq!(vet(&url(text), true), Ok(()), "{text}");
    }
    for text in [
        "http://10.0.0.1/",
        "http://example.com/",
        "http://localhost.example.com/",
        "https://169.254.169.254/",
        "https://0.0.0.0/",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
    ] {
        assert!(vet(&url(text), true).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_inside_is_blocked() {
    for to in [&["127.0.0.1"] as &[&str], &["10.1.2.3", "fd00::1"], &["::ffff:192.168.0.1"]] {
        let client = resolving(to, Policy::default());
        let failure = client.send(get("https://innocent.example/")).await.err().unwrap();
        let Failure::Blocked(why) = &failure else { panic!("{failure:?}") };
        assert!(why.contains("innocent.example"), "{why}");
        assert!(why.contains("REGRANT_ALLOW_PRIVATE_NETWORKS"), "{why}");
    }
}

#[tokio::test]
async fn the_systems_own_localhost_is_blocked() {
    let client = Client::new(Policy::default()).unwrap();
    let failure = client.send(get("https://localhost:1/")).await.err().unwrap();
    assert!(matches!(failure, Failure::Blocked(_)), "{failure:?}");
}

#[tokio::test]
async fn what_is_let_through_as_loopback_must_be_loopback() {
    let client = resolving(&["8.8.8.8"], open());
    let failure = client.send(get("http://evil.localhost/")).await.err().unwrap();
    assert!(matches!(failure, Failure::Blocked(_)), "{failure:?}");
}

#[tokio::test]
async fn only_the_vetted_addresses_of_a_name_remain() {
    let resolver = |allow_private| Vetted {
        allow_private,
        lookup: Arc::new(|_| {
            let found = ["10.0.0.1", "8.8.8.8", "169.254.169.254"];
            let found = found.iter().map(|address| address.parse().unwrap()).collect();
            Box::pin(std::future::ready(Ok(found)))
        }),
    };
    for (allow_private, expected) in
        [(false, &["8.8.8.8"] as &[&str]), (true, &["10.0.0.1", "8.8.8.8"])]
    {
        let addresses =
            resolver(allow_private).resolve("a.example".parse().unwrap()).await.unwrap();
        let addresses: Vec<_> = addresses.map(|address| address.ip().to_string()).collect();
        assert_eq!(addresses, expected);
    }
}

#[tokio::test]
async fn a_name_without_addresses_is_no_refusal_of_ours() {
    let client = resolving(&[], Policy::default());
    let failure = client.send(get("https://gone.example/")).await.err().unwrap();
    assert!(matches!(failure, Failure::Connect(_)), "{failure:?}");
}

async fn unreached(client: &Client, at: &str) -> String {
    match client.send(get(at)).await {
        Err(Failure::Connect(why)) => why,
        Err(other) => panic!("{at}: {other:?}"),
        Ok(_) => panic!("{at} answers"),
    }
}

/// A listener that does one thing with each connection, and its port.
async fn listening(acts: impl Fn(tokio::net::TcpStream) + Send + 'static) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            acts(stream);
        }
    });
    port
}

#[tokio::test]
async fn why_nothing_was_reached_is_told_by_its_kind() {
    let failing = |text: &'static str| {
        let lookup: Lookup =
            Arc::new(move |_| Box::pin(std::future::ready(Err(std::io::Error::other(text)))));
        Client::with_lookup(open(), lookup).unwrap()
    };
    let lookup = "failed to lookup address information:";
    for (said, told) in [
        ("Name or service not known", "the name no.example was not found (DNS)"),
        ("Temporary failure in name resolution", "could not be looked up just now"),
    ] {
        let client = failing(Box::leak(format!("{lookup} {said}").into_boxed_str()));
        let why = unreached(&client, "https://no.example/").await;
        assert!(why.contains(told) && !why.contains(lookup), "{why}");
    }
    let client = resolving(&["127.0.0.1"], open());
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let why = unreached(&client, &format!("https://a.localhost:{closed}/")).await;
    assert_eq!(
        why,
        format!("a.localhost (port {closed}) refused the connection: nothing listens there")
    );
    let plain = listening(|mut stream| {
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            let _ =
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
            std::future::pending::<()>().await;
        });
    })
    .await;
    let why = unreached(&client, &format!("https://a.localhost:{plain}/")).await;
    assert_eq!(why, format!("a.localhost (port {plain}) does not speak https"));
    let mute = listening(std::mem::forget).await;
    let why = unreached(&client, &format!("https://a.localhost:{mute}/")).await;
    assert!(why.contains("did not answer in time"), "{why}");
}
