//! The exact requests of the presets, byte for byte.

use super::*;
use crate::{
    domain::provider::{Authentication, Parameter, Profile},
    server::{
        clock::SeededRng,
        provider::{
            Catalog, authorize,
            tests::{NOW, Owned},
            token::{Intent, prepare},
        },
    },
};

fn preset(slug: &str) -> Owned {
    let mut owned = Owned::new(Catalog::load(None).unwrap().find(slug).unwrap().clone());
    owned.client_id = "id:1".into();
    owned.secret = Some(SecretString::from("s3cr&t +%"));
    owned
}

fn shown(prepared: Result<Prepared, Error>) -> String {
    let prepared = prepared.unwrap();
    let mut headers: Vec<_> = prepared
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = String::from_utf8(prepared.body).unwrap();
    format!("{} {}\n{}\n\n{body}", prepared.method, prepared.url, headers.join("\n"))
}

fn exchange(owned: &Owned) -> String {
    let (code, code_verifier) =
        (SecretString::from("the-code"), SecretString::from("the-verifier"));
    let intent = Intent::Exchange { code: &code, code_verifier: &code_verifier };
    shown(prepare(&owned.registration(), intent, NOW, &SeededRng::new(1)))
}

fn refresh(owned: &Owned) -> String {
    let refresh_token = SecretString::from("the-refresh-token");
    let intent = Intent::Refresh { refresh_token: &refresh_token };
    shown(prepare(&owned.registration(), intent, NOW, &SeededRng::new(1)))
}

fn client_credentials(owned: &Owned) -> String {
    shown(prepare(&owned.registration(), Intent::ClientCredentials, NOW, &SeededRng::new(1)))
}

fn authorization(owned: &Owned) -> Result<String, Error> {
    // RFC 7636 appendix B.
    let code_verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let request = authorize::Request {
        state: "the-state",
        code_verifier: &code_verifier,
        nonce: Some("the-nonce"),
        login_hint: None,
    };
    authorize::url(&owned.registration(), &request).map(Into::into)
}

/// The parameters every authorization request of these registrations begins with.
const BEGINS: &str = "?response_type=code&client_id=id%3A1\
    &redirect_uri=https%3A%2F%2Fregrant.example%2Foauth%2Fcallback";
const CHALLENGE: &str =
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

#[test]
fn eventix() {
    let owned = preset("eventix");
    assert_eq!(authorization(&owned), Err(Error::NoEndpoint("authorization")));
    let owned = owned.variable("authorization_url", "https://consent.example/authorize");
    assert_eq!(
        authorization(&owned).unwrap(),
        format!("https://consent.example/authorize{BEGINS}&state=the-state{CHALLENGE}")
    );
    assert_eq!(
        exchange(&owned),
        "POST https://auth.openticket.tech/tokens\n\
         accept: application/json\n\
         content-type: application/json\n\
         \n\
         {\"grant_type\":\"authorization_code\",\"code\":\"the-code\",\
         \"redirect_uri\":\"https://regrant.example/oauth/callback\",\
         \"code_verifier\":\"the-verifier\",\"client_id\":\"id:1\",\"client_secret\":\"s3cr&t +%\"}"
    );
    assert_eq!(
        refresh(&owned),
        "POST https://auth.openticket.tech/tokens\n\
         accept: application/json\n\
         content-type: application/json\n\
         \n\
         {\"grant_type\":\"refresh_token\",\"refresh_token\":\"the-refresh-token\",\
         \"client_id\":\"id:1\",\"client_secret\":\"s3cr&t +%\"}"
    );
}

/// The credentials are the document's own, before and after Base64.
#[test]
fn wetix() {
    let mut owned = preset("wetix");
    owned.client_id = "1612417576451877743".into();
    owned.secret = Some(SecretString::from(
        "G13HC46eE4Wg0U3Z6vx7OwBb3oRGvaPeHJcQgJjrooEYQtylmqzhODhVEnQScJqy",
    ));
    let basic = "MTYxMjQxNzU3NjQ1MTg3Nzc0MzpHMTNIQzQ2ZUU0V2cwVTNaNnZ4N093QmIzb1JHdmFQZUhKY1FnSmpy\
                 b29FWVF0eWxtcXpoT0RoVkVuUVNjSnF5";
    let expected = |host: &str| {
        format!(
            "POST https://{host}/auth/refresh\n\
             accept: application/json\n\
             authorization: Basic {basic}\n\
             content-type: application/json\n\
             \n\
             {{\"grant_type\":\"refresh_token\",\"refresh_token\":\"the-refresh-token\"}}"
        )
    };
    assert_eq!(refresh(&owned), expected("oauth.wetix.my"));
    let owned = owned.variable("environment", "sb-oauth.wetix.my");
    assert_eq!(refresh(&owned), expected("sb-oauth.wetix.my"));

    let registration = owned.registration();
    let refused = prepare(&registration, Intent::ClientCredentials, NOW, &SeededRng::new(1));
    assert_eq!(refused.err(), Some(Error::NoEndpoint("token")), "the document names none");
    let owned = owned.variable("token_url", "https://tokens.example/auth/token");
    assert_eq!(
        client_credentials(&owned),
        format!(
            "POST https://tokens.example/auth/token\n\
             accept: application/json\n\
             authorization: Basic {basic}\n\
             content-type: application/json\n\
             \n\
             {{\"grant_type\":\"client_credentials\"}}"
        )
    );
}

#[test]
fn apiax() {
    let mut owned = preset("apiax");
    owned.client_id = owned.profile.default_client_id.clone().unwrap();
    owned.secret = None;
    let endpoint = "https://auth.apiax.io/auth/realms/apiax/protocol/openid-connect/token";
    assert_eq!(
        refresh(&owned),
        format!(
            "POST {endpoint}\n\
             accept: application/json\n\
             content-type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=refresh_token&refresh_token=the-refresh-token&client_id=integration-api"
        )
    );
    assert_eq!(
        exchange(&owned),
        format!(
            "POST {endpoint}\n\
             accept: application/json\n\
             content-type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=authorization_code&code=the-code\
             &redirect_uri=https%3A%2F%2Fregrant.example%2Foauth%2Fcallback\
             &code_verifier=the-verifier&client_id=integration-api"
        )
    );
}

#[test]
fn cronofy() {
    let owned = preset("cronofy").scopes(&["create_event", "delete_event"]);
    let expected = |host: &str| {
        format!(
            "POST https://{host}/oauth/token\n\
             accept: application/json\n\
             content-type: application/json; charset=utf-8\n\
             \n\
             {{\"grant_type\":\"refresh_token\",\"refresh_token\":\"the-refresh-token\",\
             \"client_id\":\"id:1\",\"client_secret\":\"s3cr&t +%\"}}"
        )
    };
    assert_eq!(refresh(&owned), expected("api.cronofy.com"));
    let hosts = owned.profile.variable("data_center").unwrap().choices.clone();
    // The document's text counts no data centers; it lists these.
    assert_eq!(hosts.len(), 6);
    for host in hosts {
        let owned = preset("cronofy").variable("data_center", &host.value);
        assert_eq!(refresh(&owned), expected(&host.value));
    }
    let owned = owned.variable("authorization_url", "https://consent.example/authorize");
    assert_eq!(
        authorization(&owned).unwrap(),
        format!(
            "https://consent.example/authorize{BEGINS}&scope=create_event+delete_event\
             &state=the-state{CHALLENGE}"
        )
    );
}

#[test]
fn partner_api() {
    let mut owned = preset("partner-api")
        .variable("base_url", "https://api.partner.example")
        .variable("partner_id", "4711");
    owned.secret = None;
    assert_eq!(
        refresh(&owned),
        "POST https://api.partner.example/v1/auth/token\n\
         accept: application/json\n\
         content-type: application/json\n\
         granttype: refresh_token\n\
         partnerid: 4711\n\
         \n\
         {\"refreshToken\":\"the-refresh-token\"}"
    );
    assert_eq!(authorization(&owned), Err(Error::NoEndpoint("authorization")));
}

#[test]
fn google_asks_for_offline_access() {
    let owned = preset("google").scopes(&["openid", "email"]);
    assert_eq!(
        authorization(&owned).unwrap(),
        format!(
            "https://accounts.google.com/o/oauth2/v2/auth{BEGINS}&scope=openid+email\
             &state=the-state{CHALLENGE}&nonce=the-nonce&access_type=offline&prompt=consent"
        )
    );
}

#[test]
fn slack_separates_scopes_by_comma_and_knows_no_pkce() {
    let owned = preset("slack").scopes(&["chat:write", "users:read"]);
    let url = authorization(&owned).unwrap();
    assert!(url.contains("&scope=chat%3Awrite%2Cusers%3Aread&"), "{url}");
    assert!(!url.contains("code_challenge"), "{url}");
    assert!(!exchange(&owned).contains("verifier"), "{}", exchange(&owned));
}

#[test]
fn a_grant_type_may_have_a_name_of_its_own() {
    let owned = preset("zoom-server").variable("account_id", "acc").scopes(&["x"]);
    let request = client_credentials(&owned);
    assert!(request.ends_with("\n\ngrant_type=account_credentials&account_id=acc"), "{request}");
}

#[test]
fn basic_encodes_first_and_basic_raw_does_not() {
    let mut owned = preset("generic-oauth2").variable("token_url", "https://a.example/t");
    let header = |owned: &Owned| {
        let request = refresh(owned);
        let line = request.lines().find_map(|line| line.strip_prefix("authorization: Basic "));
        String::from_utf8(STANDARD.decode(line.unwrap()).unwrap()).unwrap()
    };
    assert_eq!(header(&owned), "id%3A1:s3cr%26t+%2B%25");
    owned.profile.request.authentication.method = AuthenticationMethod::BasicRaw;
    assert_eq!(header(&owned), "id:1:s3cr&t +%");
}

#[test]
fn the_refresh_may_authenticate_otherwise() {
    let mut owned = preset("generic-oauth2").variable("token_url", "https://a.example/t");
    owned.profile.request.refresh.authentication = Some(Authentication {
        method: AuthenticationMethod::Headers,
        headers: [
            ("X-Client".into(), "{client_id}".into()),
            ("X-Secret".into(), "{client_secret}".into()),
        ]
        .into(),
        ..Default::default()
    });
    let request = refresh(&owned);
    assert!(request.contains("x-client: id:1\nx-secret: s3cr&t +%\n"), "{request}");
    assert!(!request.contains("authorization:"), "{request}");
    assert!(exchange(&owned).contains("authorization: Basic "));
}

#[test]
fn a_client_without_a_secret_is_public_where_that_can_be() {
    let mut owned = preset("generic-oauth2").variable("token_url", "https://a.example/t");
    owned.secret = None;
    assert!(refresh(&owned).ends_with("&client_id=id%3A1"), "{}", refresh(&owned));
    owned.profile.request.authentication.method = AuthenticationMethod::PrivateKeyJwt;
    let refused =
        prepare(&owned.registration(), Intent::ClientCredentials, NOW, &SeededRng::new(1));
    assert!(matches!(refused.err(), Some(Error::Credentials(_))));
}

#[test]
fn parameters_move_and_bodies_are_written_as_asked() {
    let mut owned = preset("generic-oauth2").variable("token_url", "https://a.example/t?v=1");
    let dialect = &mut owned.profile.request;
    dialect.authentication.method = AuthenticationMethod::Post;
    dialect.encoding = Encoding::Multipart;
    dialect.query.insert("tenant".into(), "{client_id}".into());
    dialect.parameters.insert(
        "client_id".into(),
        Parameter { name: Some("key".into()), place: Place::Query, value: None },
    );
    let request = refresh(&owned);
    assert!(
        request.starts_with("POST https://a.example/t?v=1&key=id%3A1&tenant=id%3A1\n"),
        "{request}"
    );
    let boundary =
        request.split_once("boundary=").unwrap().1.split_once('\n').unwrap().0.to_owned();
    let part = |name: &str, value: &str| {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let body = [
        part("grant_type", "refresh_token"),
        part("refresh_token", "the-refresh-token"),
        part("client_secret", "s3cr&t +%"),
        format!("--{boundary}--\r\n"),
    ]
    .concat();
    assert!(request.ends_with(&format!("\n\n{body}")), "{request}");

    owned.profile.request.refresh.method = Some(Method::Get);
    let request = refresh(&owned);
    assert!(
        request.starts_with(
            "GET https://a.example/t?v=1&key=id%3A1&tenant=id%3A1&grant_type=refresh_token\
         &refresh_token=the-refresh-token&client_secret=s3cr%26t+%2B%25\n"
        ),
        "{request}"
    );
}

/// RFC 7523 section 3, checked with the key's other half.
#[test]
fn an_assertion_is_signed_and_fresh() {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    let private = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
        -----END PUBLIC KEY-----\n";
    let shared = "a-shared-secret-of-some-length-0123456789";
    let cases = [
        (
            AuthenticationMethod::PrivateKeyJwt,
            "EdDSA",
            private,
            DecodingKey::from_ed_pem(public.as_bytes()).unwrap(),
        ),
        (
            AuthenticationMethod::ClientSecretJwt,
            "HS256",
            shared,
            DecodingKey::from_secret(shared.as_bytes()),
        ),
    ];
    for (method, algorithm, secret, key) in cases {
        let mut owned = preset("generic-oauth2").variable("token_url", "https://a.example/t");
        owned.secret = Some(SecretString::from(secret));
        owned.profile.request.authentication = Authentication {
            method,
            algorithm: Some(algorithm.into()),
            key_id: Some("key-1".into()),
            ..Default::default()
        };
        let request = refresh(&owned);
        let (_, assertion) = request.split_once("client_assertion=").unwrap();
        let kind = format!("client_assertion_type={}", assertion::TYPE.replace(':', "%3A"));
        assert!(request.contains(&kind), "{request}");
        assert!(!request.contains("client_secret="), "{request}");
        let mut validation = Validation::new(algorithm.parse::<Algorithm>().unwrap());
        validation.set_audience(&["https://a.example/t"]);
        validation.validate_exp = false;
        let token =
            jsonwebtoken::decode::<serde_json::Value>(assertion, &key, &validation).unwrap();
        assert_eq!(token.header.kid.as_deref(), Some("key-1"));
        assert_eq!(token.claims["iss"], "id:1");
        assert_eq!(token.claims["sub"], "id:1");
        assert_eq!(token.claims["iat"], NOW.unix_timestamp());
        assert_eq!(token.claims["exp"], NOW.unix_timestamp() + 120);
        assert!(token.claims["jti"].as_str().unwrap().len() > 20);
    }
}

#[test]
fn a_key_that_is_none_is_refused_without_being_shown() {
    let mut owned = preset("generic-oauth2").variable("token_url", "https://a.example/t");
    owned.secret = Some(SecretString::from("not-a-pem-key-at-all"));
    owned.profile.request.authentication.method = AuthenticationMethod::PrivateKeyJwt;
    let refused =
        prepare(&owned.registration(), Intent::ClientCredentials, NOW, &SeededRng::new(1));
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("key") && !error.contains("not-a-pem"), "{error}");
}

#[test]
fn a_header_that_can_be_none_is_refused() {
    let mut owned = preset("partner-api")
        .variable("base_url", "https://api.partner.example")
        .variable("partner_id", "1\r\nX-Injected: 1");
    owned.secret = None;
    let refused =
        prepare(&owned.registration(), Intent::ClientCredentials, NOW, &SeededRng::new(1));
    assert!(matches!(refused.err(), Some(Error::Invalid(_))));
}

#[test]
fn a_variable_without_a_value_is_named() {
    let owned = Owned::new(Profile::new("a", "A"));
    let refused =
        prepare(&owned.registration(), Intent::ClientCredentials, NOW, &SeededRng::new(1));
    assert_eq!(refused.err(), Some(Error::NoEndpoint("token")));
    let owned = preset("generic-oauth2");
    let refused =
        prepare(&owned.registration(), Intent::ClientCredentials, NOW, &SeededRng::new(1));
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("variables.token_url"), "{error}");
}

#[test]
fn a_browser_is_sent_to_https_only() {
    for bad in ["http://consent.example/", "javascript:alert(1)//", "ftp://a.example/"] {
        let owned = preset("eventix").variable("authorization_url", bad);
        assert!(authorization(&owned).is_err(), "{bad}");
    }
}

#[test]
fn a_callbacks_issuer_is_compared_byte_for_byte() {
    let mut owned = preset("google");
    let check = |owned: &Owned, iss| authorize::check_issuer(&owned.registration(), iss).is_ok();
    assert!(check(&owned, Some("https://accounts.google.com")));
    assert!(!check(&owned, Some("https://accounts.google.com/")));
    assert!(check(&owned, None));
    owned.profile.authorization.iss_required = true;
    assert!(!check(&owned, None));
    owned.profile.issuer = None;
    assert!(check(&owned, None) && check(&owned, Some("https://anyone.example")));
}
