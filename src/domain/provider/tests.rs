use std::collections::BTreeMap;

use super::*;
use crate::domain::refusal::ErrorClass;

fn simple() -> Profile {
    let mut profile = Profile::new("simple", "Simple");
    profile.endpoints.authorization = Some("https://auth.example.com/authorize".into());
    profile.endpoints.token = Some("https://{region}.example.com/token".into());
    profile.variables =
        vec![Variable { name: "region".into(), label: "Region".into(), ..Default::default() }];
    profile
}

fn fields(profile: &Profile) -> Vec<String> {
    profile.validate().into_iter().map(|error| error.field).collect()
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn a_simple_profile_is_valid() {
    assert_eq!(simple().validate(), []);
}

#[test]
fn json_round_trip_keeps_everything_and_omits_defaults() {
    let profile = simple();
    let json = serde_json::to_value(&profile).unwrap();
    assert!(json.get("response").is_none(), "defaults are not written: {json}");
    assert_eq!(serde_json::from_value::<Profile>(json).unwrap(), profile);
}

#[test]
fn unknown_fields_are_refused_by_name() {
    let error = serde_json::from_str::<Profile>(
        r#"{"slug":"a","name":"A","endpoints":{"tokn":"https://a/"}}"#,
    )
    .unwrap_err();
    assert!(error.to_string().contains("tokn"), "{error}");
}

#[test]
fn each_mistake_names_its_field() {
    type Mistake = (&'static str, fn(&mut Profile));
    let mistakes: &[Mistake] = &[
        ("schema_version", |p| p.schema_version = 2),
        ("slug", |p| p.slug = "Not A Slug".into()),
        ("slug", |p| p.slug = "a".repeat(65)),
        ("name", |p| p.name = " ".into()),
        ("links.docs", |p| p.links.docs = Some("javascript:alert(1)".into())),
        ("endpoints.token", |p| p.endpoints.token = None),
        ("endpoints.token", |p| p.endpoints.token = Some("http://example.com/token".into())),
        ("endpoints.token", |p| p.endpoints.token = Some("https://{nowhere}.example.com".into())),
        ("endpoints.token", |p| p.endpoints.token = Some("https://{region.example.com".into())),
        ("endpoints.authorization", |p| p.endpoints.authorization = None),
        ("endpoints.device_authorization", |p| p.grants.push(GrantType::DeviceCode)),
        ("grants[1]", |p| p.grants.push(GrantType::AuthorizationCode)),
        ("renewal", |p| p.renewal = Renewal::ClientCredentials),
        ("variables[0].name", |p| p.variables[0].name = "client_id".into()),
        ("variables[0].default", |p| p.variables[0].default = Some("evil.com/?".into())),
        ("variables[1].name", |p| p.variables.push(p.variables[0].clone())),
        ("authorization.scope_separator", |p| p.authorization.scope_separator.clear()),
        ("authorization.extra.state", |p| {
            p.authorization.extra.insert("state".into(), "mine".into());
        }),
        ("authorization.parameters.state.place", |p| {
            p.authorization
                .parameters
                .insert("state".into(), Parameter { place: Place::Header, ..Default::default() });
        }),
        ("authorization.callback.code", |p| p.authorization.callback.code = Some(String::new())),
        ("authorization.callback.code", |p| p.authorization.callback.code = Some("state".into())),
        ("authorization.callback.error", |p| {
            p.authorization.callback.code = Some("answer".into());
            p.authorization.callback.error = Some("answer".into());
        }),
        ("userinfo.token.name", |p| p.userinfo.token.name = Some("a b".into())),
        ("userinfo.token.name", |p| p.userinfo.token.name = Some("Host".into())),
        ("userinfo.token.scheme", |p| p.userinfo.token.scheme = Some("Bearer x".into())),
        ("userinfo.token.scheme", |p| {
            p.userinfo.token = Presentation {
                place: TokenPlace::Query,
                name: None,
                scheme: Some("Bearer".into()),
            };
        }),
        ("response.account.id[0].pointer", |p| {
            p.response.account.id =
                vec![AccountSource { from: IdentityOrigin::Variable, pointer: "/shop".into() }];
        }),
        ("request.parameters.refreshToken", |p| {
            p.request.parameters.insert("refreshToken".into(), Parameter::default());
        }),
        ("request.refresh.headers.Host", |p| {
            p.request.refresh.headers.insert("Host".into(), "x".into());
        }),
        ("request.headers.a b", |p| {
            p.request.headers.insert("a b".into(), "x".into());
        }),
        ("request.extra.x", |p| {
            p.request.extra.insert("x".into(), "{client_secret}".into());
        }),
        ("request.authentication.headers", |p| {
            p.request.authentication.method = AuthenticationMethod::Headers;
        }),
        ("request.authentication.algorithm", |p| {
            p.request.authentication.method = AuthenticationMethod::PrivateKeyJwt;
            p.request.authentication.algorithm = Some("HS256".into());
        }),
        ("response.access_token", |p| p.response.access_token.clear()),
        ("response.scope[0]", |p| p.response.scope = vec!["scope".into()]),
        ("endpoints.userinfo", |p| {
            p.response.account.id =
                vec![AccountSource { from: IdentityOrigin::Userinfo, pointer: "/id".into() }];
        }),
        ("errors.rules[0]", |p| {
            p.errors.rules = vec![ErrorRule {
                status: None,
                code: None,
                pointer: None,
                equals: None,
                text: None,
                class: ErrorClass::Transient,
            }];
        }),
        ("lifetimes.access_seconds", |p| p.lifetimes.access_seconds = Some(0)),
        ("lifetimes.without_expiry", |p| {
            p.lifetimes.access_seconds = Some(60);
            p.lifetimes.without_expiry = WithoutExpiry::Endless;
        }),
        ("policy.margin_seconds", |p| {
            p.lifetimes.access_seconds = Some(60);
            p.policy.margin_seconds = Some(60);
        }),
        ("policy.concurrency", |p| p.policy.concurrency = Some(0)),
        ("policy.incident.share_percent", |p| p.policy.incident.share_percent = 101),
        ("policy.incident.share_percent", |p| p.policy.incident.share_percent = 0),
        ("policy.incident.count", |p| p.policy.incident.count = 0),
        ("policy.incident.window_seconds", |p| p.policy.incident.window_seconds = 59),
        ("policy.incident.canary_seconds", |p| p.policy.incident.canary_seconds = 9),
        ("policy.incident.confirm_seconds", |p| p.policy.incident.confirm_seconds = 86_400 * 31),
    ];
    for (field, spoil) in mistakes {
        let mut profile = simple();
        spoil(&mut profile);
        let found = fields(&profile);
        assert!(found.iter().any(|each| each == field), "{field} is not among {found:?}");
    }
}

/// What is read from there is shown to everybody.
#[test]
fn nothing_open_is_read_from_where_a_token_stands() {
    let at = |pointer: &str| {
        let mut profile = simple();
        let source = |from| AccountSource { from, pointer: pointer.into() };
        profile.endpoints.userinfo = Some("https://api.example.com/me".into());
        let response = &mut profile.response;
        response.refresh_token.push("/grants/0/refresh".into());
        response.scope.push(pointer.into());
        response.token_type.push(pointer.into());
        response.extras = [("open", false), ("secret", true)]
            .map(|(name, encrypted)| Extra {
                name: name.into(),
                pointer: pointer.into(),
                encrypted,
            })
            .into();
        response.account.id = vec![source(IdentityOrigin::IdToken)];
        response.account.label =
            vec![source(IdentityOrigin::Response), source(IdentityOrigin::Userinfo)];
        profile.errors.code = vec![pointer.into()];
        profile.errors.description = vec![pointer.into()];
        fields(&profile)
    };
    let open = [
        "response.token_type[1]",
        "response.scope[1]",
        "response.extras[0].pointer",
        "response.account.label[0].pointer",
        "response.account.label[1].pointer",
        "errors.code[0]",
        "errors.description[0]",
    ];
    for pointer in [
        "/access_token",
        "/refresh_token",
        "/id_token",
        "/data/access_token",
        "/grants/0/refresh",
        "/grants/0",
        "/grants",
    ] {
        assert_eq!(at(pointer), open, "{pointer}");
    }
    for pointer in
        ["/access", "/access_token_type", "/refresh_token/kind", "/grants/0/ref", "/grant"]
    {
        assert_eq!(at(pointer), [""; 0], "{pointer}");
    }
}

#[test]
fn a_variable_cannot_leave_its_place_in_a_url() {
    let profile = simple();
    for bad in ["evil.com/", "a@evil", "a?b", "a#b", "a b", "a%2f", ""] {
        let errors = profile.validate_variables(&values(&[("region", bad)]), true);
        assert_eq!(errors.len(), 1, "{bad:?}");
        assert_eq!(errors[0].field, "variables.region");
    }
    assert_eq!(profile.validate_variables(&values(&[("region", "eu-1")]), true), []);
    let unknown = profile.validate_variables(&values(&[("region", "eu"), ("x", "1")]), true);
    assert_eq!(unknown[0].field, "variables.x");
}

/// A pattern bounds the characters; what they do to an address is not for each pattern to know.
#[test]
fn a_variable_does_not_change_the_shape_of_an_address() {
    type Words = &'static [&'static str];
    type Case = (&'static str, Option<&'static str>, Words, Words);
    let any = Some("[!-~]+");
    let in_path = "https://auth.example.com/{region}/token";
    let after = "{base}/of/{region}?x=1";
    let in_host = "https://{region}.example.com/token";
    let in_query = "https://auth.example.com/token?region={region}";
    let cases: &[Case] = &[
        (in_path, None, &["eu", "a.b", "..a", "v1.0"], &[".", "..", "..."]),
        (after, None, &["eu", "a.b"], &[".", ".."]),
        (in_host, None, &["eu", "a.b"], &[".", ".."]),
        (
            in_path,
            any,
            &["a:b", "a%20b", "a&b", "a.b"],
            &["..", "%2e", "%2E.", ".%2e", "a/b", "../b", "a\\b", "a?b", "a#b", "a%2Fb", "%5c.."],
        ),
        (after, any, &["a:b"], &["..", "a/b", "%2e%2E"]),
        // Where the pattern means more than one part.
        (in_path, Some("[a-z./]+"), &["a/b", "a/b.c"], &["..", "a/..", "./a", "a/../b"]),
        (in_query, any, &["..", "a/b?c"], &[]),
    ];
    for (template, pattern, fit, unfit) in cases {
        let mut profile = simple();
        profile.endpoints.token = Some((*template).into());
        profile.variables[0].pattern = pattern.map(Into::into);
        let base = Variable { name: "base".into(), optional: true, ..Default::default() };
        profile.variables.push(base);
        for (values_of, wrong) in [(fit, 0), (unfit, 1)] {
            for &value in *values_of {
                let found = profile.validate_variables(&values(&[("region", value)]), true);
                assert_eq!(found.len(), wrong, "{value} in {template}: {found:?}");
            }
        }
    }
}

#[test]
fn a_variable_with_choices_takes_only_these() {
    let mut profile = simple();
    profile.variables[0].choices = vec![Choice { value: "eu".into(), label: "Europe".into() }];
    assert_eq!(profile.validate_variables(&values(&[("region", "eu")]), true), []);
    assert_eq!(profile.validate_variables(&values(&[("region", "us")]), true).len(), 1);
}

#[test]
fn a_variable_that_begins_a_url_is_an_https_url() {
    let mut profile = simple();
    profile.endpoints.token = Some("{region}/token".into());
    for (value, errors) in
        [("https://a.example", 0), ("http://a.example", 1), ("http://localhost:9", 0), ("a", 1)]
    {
        let found = profile.validate_variables(&values(&[("region", value)]), true);
        assert_eq!(found.len(), errors, "{value}");
    }
}

#[test]
fn templates_fill_in_one_pass() {
    let fill = |text: &str| template::fill(text, |name| (name == "a").then_some("{b}"));
    assert_eq!(fill("x{a}y").unwrap(), "x{b}y", "a value is not filled again");
    assert_eq!(fill("{c}"), Err(template::TemplateError::Missing("c".into())));
    for broken in ["{", "}", "{a", "a}", "{A}", "{}", "{a{a}}"] {
        assert!(fill(broken).is_err(), "{broken}");
    }
}

#[test]
fn standard_codes_have_classes_in_any_case() {
    assert_eq!(standard_class("invalid_grant"), Some(ErrorClass::GrantRefused));
    assert_eq!(standard_class("Invalid_Client"), Some(ErrorClass::ClientRefused));
    assert_eq!(standard_class("bad_refresh_token"), None);
}

#[test]
fn an_override_is_laid_over_what_is_shared() {
    let mut request = Request::default();
    request.extra.insert("a".into(), "shared".into());
    request.extra.insert("b".into(), "shared".into());
    request.refresh.extra.insert("a".into(), "own".into());
    let extra: Vec<_> = request.extra(Call::Refresh).collect();
    assert_eq!(extra, [("a", "own"), ("b", "shared")]);
    assert_eq!(request.extra(Call::Exchange).count(), 2);
}
