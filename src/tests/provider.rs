//! Writing a profile in the browser: the form that is made from the schema, as a browser without a
//! script reads and sends it.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    domain::{
        access::{
            Role::{Admin, Support},
            Scope,
        },
        provider::{Profile, form::Form},
    },
    server::app,
    tests::support::{Browser, PROVIDER, Page, World, form_of},
};

type Pairs = Vec<(String, String)>;

const NEW: &str = "/providers/new";

impl Browser {
    /// Presses a button of the form at `path`, with all that stands in it.
    async fn press(&mut self, path: &str, button: &str, pairs: &[(String, String)]) -> Page {
        let pairs = pairs.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let sent: Vec<_> =
            pairs.filter(|(name, _)| *name != "do").chain([("do", button)]).collect();
        let request = Request::post(path)
            .header("sec-fetch-site", "same-origin")
            .header(header::ACCEPT, "text/html");
        self.send(form_of(request, &sent)).await
    }
}

/// What a browser would send of the profile's form.
fn controls(page: &Page) -> Pairs {
    let form = page.text.split("class=\"profile-form\"").nth(1);
    let form = form.unwrap_or_else(|| panic!("no form in {}", page.text));
    let form = form.split("</form>").next().unwrap();
    let mut pairs = Pairs::new();
    let mut rest = form;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let (tag, after) = rest.split_once('>').unwrap();
        let sent = attribute(tag, "name");
        match (tag.split([' ', '/']).next().unwrap(), sent) {
            ("input", Some(name)) => {
                let boxed = tag.contains("type=\"checkbox\"");
                let value = attribute(tag, "value");
                if !boxed || tag.contains(" checked") {
                    pairs.push((
                        name,
                        value.unwrap_or_else(|| if boxed { "on" } else { "" }.into()),
                    ));
                }
            }
            ("textarea", Some(name)) => {
                let text = after.split("</textarea>").next().unwrap();
                let text = unescaped(text.strip_prefix('\n').unwrap_or(text));
                pairs.push((name, text.replace('\n', "\r\n")));
            }
            ("select", Some(name)) => {
                let inside = after.split("</select>").next().unwrap();
                let options = || inside.split("<option").skip(1);
                let chosen =
                    options().find(|tag| tag.split('>').next().unwrap().contains(" selected"));
                let chosen = chosen.or_else(|| options().next()).unwrap();
                pairs.push((name, attribute(chosen.split('>').next().unwrap(), "value").unwrap()));
            }
            _ => {}
        }
    }
    pairs
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = format!(" {name}=\"");
    let value = tag.split_once(&start)?.1.split('"').next()?;
    Some(unescaped(value))
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&#x27;", "'").replace("&#39;", "'").replace("&amp;", "&")
}

fn set(pairs: &mut Pairs, name: &str, text: &str) {
    let pair = pairs.iter_mut().find(|(each, _)| each == name);
    pair.unwrap_or_else(|| panic!("no {name}")).1 = text.into();
}

fn get(pairs: &Pairs, name: &str) -> String {
    let pair = pairs.iter().find(|(each, _)| each == name);
    pair.unwrap_or_else(|| panic!("no {name} in {pairs:?}")).1.clone()
}

/// The profile as the page shows it as text.
fn shown(page: &Page) -> String {
    get(&controls(page), "text").replace("\r\n", "\n")
}

/// A value of everything that a schema allows: each list and map with one thing in it, nothing
/// missing that may be there. Beside it the names under which the form must send its leaves.
fn sample(root: &Value, schema: &Value, name: &str, leaves: &mut BTreeSet<String>) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return sample(root, root.pointer(pointer).unwrap(), name, leaves);
    }
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    if let Some(inner) = alternatives.into_iter().find(|each| each["type"] != "null") {
        return sample(root, inner, name, leaves);
    }
    if let Some(properties) = schema["properties"].as_object() {
        let dot = if name.is_empty() { "" } else { "." };
        let each = |(key, schema): (&String, &Value)| {
            (key.clone(), sample(root, schema, &format!("{name}{dot}{key}"), leaves))
        };
        return properties.iter().map(each).collect();
    }
    if let Some(items) = schema.get("items") {
        let mut inside = BTreeSet::new();
        let item = sample(root, items, &format!("{name}[0]"), &mut inside);
        // Texts and words stand together in one control.
        let one = item.is_string();
        leaves.extend(if one { BTreeSet::from([name.to_owned()]) } else { inside });
        return json!([item]);
    }
    if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
        leaves.insert(format!("{name}[0]"));
        let item = sample(root, inner, &format!("{name}[0].value"), leaves);
        return json!({ "a": item });
    }
    leaves.insert(name.to_owned());
    let kind = &schema["type"];
    let is =
        |name: &str| kind == name || kind.as_array().is_some_and(|all| all.contains(&name.into()));
    match schema["enum"].get(0) {
        Some(word) => word.clone(),
        None if is("boolean") => json!(true),
        None if is("integer") => json!(schema["minimum"].as_i64().unwrap_or_default().max(7)),
        None => json!("text"),
    }
}

#[sqlx::test]
async fn every_leaf_of_the_schema_has_its_control(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let schema = app::provider::schema(&world.admin).unwrap();
    let mut leaves = BTreeSet::new();
    let everything = sample(&schema, &schema, "", &mut leaves);
    assert!(leaves.len() > 150, "{leaves:?}");
    for known in ["endpoints.token", "variables[0].choices[0].label", "request.extra[0].value"] {
        assert!(leaves.contains(known), "{known}");
    }

    let form = Form::fill(&schema, &everything);
    assert_eq!(form.value(), (everything, Vec::new()));
    let page = admin.press(NEW, "nothing", &form.pairs()).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let controls = controls(&page);
    for leaf in &leaves {
        assert!(controls.iter().any(|(name, _)| name == leaf), "{leaf} has no control");
    }
    // Each control is named for those who do not see it, and each id is there once.
    let ids: Vec<_> =
        page.text.split(" id=\"").skip(1).map(|rest| rest.split('"').next()).collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len());
    let labelled: BTreeSet<_> =
        page.text.split(" for=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for tag in ["<input", "<textarea", "<select"] {
        for tag in page.text.split(tag).skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let alone = !tag.contains("type=\"hidden\"") && !tag.contains("type=\"checkbox\"");
            let id = attribute(tag, "id").unwrap_or_default();
            assert!(!alone || labelled.contains(id.as_str()), "no label: {tag}");
        }
    }
}

/// A form follows whatever schema it is made from; nothing but the schema knows the fields.
#[sqlx::test]
async fn a_new_field_of_a_profile_is_in_the_form_by_itself(pool: PgPool) {
    let world = World::new(pool).await;
    let mut schema = app::provider::schema(&world.admin).unwrap();
    let additions = json!({
        "colour": { "type": "string" },
        "shades": { "type": "array", "items": { "type": "integer" } },
        "mixture": { "oneOf": [{ "type": "null" }, { "$ref": "#/$defs/Choice" }] },
        "recipe": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Choice" } },
        "whatever": {}
    });
    let additions = additions.as_object().unwrap();
    for pointer in ["/properties", "/$defs/Policy/properties", "/$defs/Variable/properties"] {
        let place = schema.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        place.extend(additions.clone());
    }
    let mut leaves = BTreeSet::new();
    let everything = sample(&schema, &schema, "", &mut leaves);
    for known in ["colour", "policy.mixture.label", "variables[0].recipe[0].value.value"] {
        assert!(leaves.contains(known), "{known}");
    }
    let form = Form::fill(&schema, &everything);
    let sent: BTreeSet<_> = form.pairs().into_iter().map(|(name, _)| name).collect();
    assert_eq!(leaves.difference(&sent).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(Form::read(&schema, &form.pairs()).value(), (everything, Vec::new()));
    let parts = form.parts();
    let shown: BTreeSet<_> = parts.iter().flat_map(|part| &part.fields).collect();
    for name in additions.keys() {
        assert!(shown.contains(name) && shown.contains(&format!("policy.{name}")), "{shown:?}");
    }
}

/// What the form holds is shown somewhere, and only once.
#[sqlx::test]
async fn the_parts_of_the_form_are_the_whole_of_it(pool: PgPool) {
    let world = World::new(pool).await;
    let schema = app::provider::schema(&world.admin).unwrap();
    let form = Form::fill(&schema, &json!({}));
    let parts: Vec<String> = form.parts().into_iter().flat_map(|part| part.fields).collect();
    for (name, _) in form.pairs() {
        let above = |part: &&String| {
            name.strip_prefix(part.as_str()).is_some_and(|rest| {
                !rest.starts_with(char::is_alphanumeric) && !rest.starts_with('_')
            })
        };
        assert_eq!(parts.iter().filter(above).count(), 1, "{name}");
    }
    for part in &parts {
        assert!(form.field(part).is_some(), "{part}");
    }
}

#[sqlx::test]
async fn a_copy_of_any_preset_that_is_sent_unchanged_is_the_preset(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    for preset in world.app.catalog().iter() {
        let page = admin.get(&format!("{NEW}?from={}", preset.slug)).await;
        let page = admin.press(&format!("{NEW}?as=json"), "show", &controls(&page)).await;
        let mut copy: Profile = serde_json::from_str(&shown(&page)).unwrap();
        assert_eq!(copy.slug, format!("{}-copy", preset.slug));
        assert_eq!(copy.name, format!("{} (copy)", preset.name));
        (copy.slug, copy.name) = (preset.slug.clone(), preset.name.clone());
        assert_eq!(&copy, preset);
    }
}

#[sqlx::test]
async fn a_preset_is_copied_changed_and_changed_again(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let page = admin.get(&format!("{NEW}?from=cronofy")).await;
    let mut form = controls(&page);
    set(&mut form, "slug", "our-calendar");
    set(&mut form, "endpoints.token", "http://elsewhere.example/token");
    set(&mut form, "lifetimes.access_seconds", "soon");

    // What can't be read and what makes no sense are told at once; what was typed stays.
    let page = admin.press(NEW, "save", &form).await;
    assert!(page.text.contains("must be a whole number"), "{}", page.text);
    assert!(page.text.contains("must be an absolute https URL"), "{}", page.text);
    assert_eq!(controls(&page), form);
    let mut form = controls(&page);
    set(&mut form, "lifetimes.access_seconds", "");
    let page = admin.press(NEW, "save", &form).await;
    let field = page.text.split("id=\"f-endpoints-token\"").nth(1).unwrap();
    let field = field.split("</div>").next().unwrap();
    assert!(field.contains("must be an absolute https URL"), "{field}");
    assert!(page.text.contains("href=\"#f-endpoints-token\""), "the summary leads there");
    assert_eq!(controls(&page), form);

    set(&mut form, "endpoints.token", "https://elsewhere.example/token");
    let page = admin.press(NEW, "add request.extra", &form).await;
    let mut form = controls(&page);
    let at = form
        .iter()
        .filter(|(name, _)| name.ends_with("].value") && name.starts_with("request.extra["))
        .count()
        - 1;
    set(&mut form, &format!("request.extra[{at}]"), "tenant");
    set(&mut form, &format!("request.extra[{at}].value"), "{nothing_such}");
    let page = admin.press(NEW, "save", &form).await;
    assert!(page.text.contains("{nothing_such} is not a variable"), "{}", page.text);
    let mut form = controls(&page);
    set(&mut form, &format!("request.extra[{at}].value"), "of ours");
    let page = admin.press(NEW, "save", &form).await;
    assert_eq!(page.location(), "/providers/our-calendar?saved=yes");
    let saved = app::provider::get(&world.app, &world.admin, "our-calendar").await.unwrap();
    assert!(saved.custom);
    assert_eq!(saved.profile.request.extra["tenant"], "of ours");
    assert_eq!(saved.profile.lifetimes.access_seconds, None);

    // Again, as TOML.
    let edit = "/providers/our-calendar/edit?as=toml";
    let page = admin.get(edit).await;
    let text = shown(&page).replace("of ours", "of theirs");
    let typed = |text: &str| {
        vec![("shown".to_owned(), "toml".to_owned()), ("text".to_owned(), text.to_owned())]
    };
    let page = admin.press(edit, "save", &typed("slug = ")).await;
    assert!(page.text.contains("is no TOML"), "{}", page.text);
    assert_eq!(shown(&page), "slug = ");
    let page = admin.press(edit, "save", &typed(&text)).await;
    assert_eq!(page.location(), "/providers/our-calendar?saved=yes");
    let saved = app::provider::get(&world.app, &world.admin, "our-calendar").await.unwrap();
    assert_eq!(saved.profile.request.extra["tenant"], "of theirs");
    assert_eq!(world.audit("provider.update").await.len(), 1);
}

/// Text that can't be read is not lost to a form that could not show it.
#[sqlx::test]
async fn text_that_can_not_be_read_stays_text(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let text = r#"{"slug":"a","name":"A","colour":"red"}"#;
    let typed = [("shown", "json"), ("text", text)].map(|(a, b)| (a.to_owned(), b.to_owned()));
    for button in ["show", "save", "add variables", "nothing"] {
        let page = admin.press(&format!("{NEW}?as=form"), button, &typed).await;
        assert_eq!(shown(&page), text, "{button}");
        let told = matches!(button, "show" | "save");
        assert_eq!(page.text.contains("<code>colour<"), told, "{button}: {}", page.text);
    }
}

#[sqlx::test]
async fn discovery_leads_to_the_form_and_keeps_nothing(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let ask = |issuer: &str| {
        let pairs = [("issuer", issuer), ("issuer_name", "Our service")];
        pairs.map(|(name, text)| (name.to_owned(), text.to_owned()))
    };
    let page = admin.press(NEW, "discover", &ask("not an address")).await;
    assert!(page.text.contains("value=\"not an address\""), "{}", page.text);
    assert!(page.text.contains("is no address"), "{}", page.text);

    let issuer = world.sandbox.url();
    let page = admin.press(NEW, "discover", &ask(issuer)).await;
    let mut form = controls(&page);
    assert_eq!(
        (get(&form, "name"), get(&form, "slug")),
        ("Our service".into(), "our-service".into())
    );
    assert_eq!(get(&form, "issuer"), issuer);
    let before = app::provider::list(&world.app, &world.admin).await.unwrap().len();
    set(&mut form, "category", "calendar");
    let page = admin.press(NEW, "save", &form).await;
    assert_eq!(page.location(), "/providers/our-service?saved=yes");
    let all = app::provider::list(&world.app, &world.admin).await.unwrap();
    assert_eq!(all.len(), before + 1);
}

/// Whoever discovers a server is told that it is kept, and where it can be deleted. A second time leads to
/// the first, by whatever name.
#[sqlx::test]
async fn a_server_is_discovered_once(pool: PgPool) {
    let world = World::new(pool).await;
    app::provider::delete(&world.app, &world.admin, PROVIDER).await.unwrap();
    let before = world.audit("provider.create").await.len();
    let mut admin = world.sign_in(Admin).await;
    let issuer = world.sandbox.url();
    for (name, how, told) in [
        ("Our service", "now", "Our service is kept among your providers from now on."),
        (
            "Another name",
            "again",
            "Our service is at this address and among your providers already.",
        ),
    ] {
        let form = [("issuer", issuer), ("name", name)];
        let sent = admin.submit_on("/clients/new", "provider/discover", &form).await;
        let place = sent.location();
        assert!(place.contains(&format!("provider=our-service&discovered={how}")), "{place}");
        let page = admin.get(&place).await.text;
        assert!(page.contains(told) && page.contains("href=\"/providers/our-service\""), "{page}");
    }
    assert_eq!(world.audit("provider.create").await.len(), before + 1);
}

/// Which of them is meant only their name tells.
#[sqlx::test]
async fn an_address_of_several_providers_is_not_taken_for_any_of_them(pool: PgPool) {
    let world = World::new(pool).await;
    world.provider("twin", |_| {}).await;
    let mut admin = world.sign_in(Admin).await;
    let mut ask = async |name: &str| {
        let form = [("issuer", world.sandbox.url()), ("name", name)];
        let place = admin.submit_on("/clients/new", "provider/discover", &form).await.location();
        (admin.get(&place).await.text, place)
    };
    let (page, _) = ask("").await;
    assert!(
        page.contains("is that of several providers here") && page.contains("Service twin"),
        "{page}"
    );
    let (_, place) = ask("service TWIN").await;
    assert!(place.contains("provider=twin&discovered=again"), "{place}");
}

/// What is for any server leads to where its addresses need not be typed, and to a copy.
#[sqlx::test]
async fn a_preset_for_any_server_leads_to_discovery(pool: PgPool) {
    let world = World::new(pool).await;
    let (mut admin, mut support) = (world.sign_in(Admin).await, world.sign_in(Support).await);
    let discovery = "href=\"/clients/new#discover\"";
    for slug in ["generic-oidc", "generic-oauth2"] {
        let copy = format!("href=\"/providers/new?from={slug}\"");
        for page in [format!("/providers/{slug}"), format!("/clients/new?provider={slug}")] {
            let text = admin.get(&page).await.text;
            assert!(text.contains(discovery) && text.contains(&copy), "{page}: {text}");
        }
        let text = support.get(&format!("/providers/{slug}")).await.text;
        assert!(!text.contains(discovery), "{text}");
    }
    assert!(!admin.get("/clients/new?provider=cronofy").await.text.contains(discovery));
    let page = admin.get("/clients/new").await.text;
    assert!(page.contains("href=\"#discover\"") && page.contains("id=\"discover\""), "{page}");
}

/// Whoever changes a profile in use is told what that means, and what can't change is told too.
#[sqlx::test]
async fn a_profile_in_use_says_so(pool: PgPool) {
    let world = World::new(pool).await;
    world
        .provider("careful", |profile| profile.policy.replacing_secret_revokes_grants = true)
        .await;
    world.client_of("careful", "one", |_| {}).await;
    let mut admin = world.sign_in(Admin).await;
    let edit = "/providers/careful/edit";
    let page = admin.get(edit).await;
    for told in ["1 client uses this profile", "Client one", "ends every connection"] {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    let mut form = controls(&page);
    set(&mut form, "endpoints.token", "https://elsewhere.example/token");
    let page = admin.press(edit, "save", &form).await;
    assert!(page.text.contains("Where secrets are sent can"), "{}", page.text);
    assert_eq!(get(&controls(&page), "endpoints.token"), "https://elsewhere.example/token");
}

#[sqlx::test]
async fn only_admins_write_profiles_and_only_from_our_pages(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let form = controls(&admin.get("/providers/strict/edit").await);
    for path in [NEW, "/providers/strict/edit"] {
        let nobody = world.browser().press(path, "save", &form).await;
        assert!(nobody.location().starts_with("/login"), "{path}");
        let mut support = world.browser();
        if world.count("SELECT count(*) FROM users").await < 2 {
            support = world.sign_in(Support).await;
        } else {
            support.sign_in("support", crate::tests::support::PASSWORD).await;
        }
        let refused = support.press(path, "save", &form).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        let elsewhere = Request::post(path).header("sec-fetch-site", "cross-site");
        let elsewhere = admin.send(elsewhere.body(Body::empty()).unwrap()).await;
        assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "{path}");
    }
    let preset = admin.get("/providers/cronofy/edit").await;
    assert!(preset.text.contains("This is a preset"), "{}", preset.text);
    let preset = admin.press("/providers/cronofy/edit", "save", &form).await;
    assert!(preset.text.contains("This is a preset"), "{}", preset.text);
    assert_eq!(world.audit("provider.update").await.len(), 0);
}

#[sqlx::test]
async fn nobody_leaves_what_is_not_saved_unasked(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let edit = format!("/providers/{PROVIDER}/edit");
    let copy = format!("{NEW}?from=cronofy");
    for (path, out) in [
        (edit.as_str(), format!("/providers/{PROVIDER}")),
        (copy.as_str(), "/providers".to_owned()),
        (NEW, "/providers".to_owned()),
    ] {
        for view in ["form", "json", "toml"] {
            let with = if path.contains('?') { '&' } else { '?' };
            let path = format!("{path}{with}as={view}");
            let page = admin.get(&path).await;
            let untouched = controls(&page);
            assert_eq!(admin.press(&path, "leave", &untouched).await.location(), out, "{path}");
            let mut touched = untouched.clone();
            match view {
                "form" => set(&mut touched, "notes", "Mind the gap."),
                _ => set(&mut touched, "text", "half a"),
            }
            let page = admin.press(&path, "leave", &touched).await;
            assert!(page.text.contains("What you changed here is not saved"), "{}", page.text);
            assert!(page.text.contains(&format!("href=\"{out}\"")), "{}", page.text);
            assert_eq!(controls(&page), touched, "{path}");
        }
    }
}

/// A profile that comes by the API is told all that is wrong with it in one answer.
#[sqlx::test]
async fn all_that_is_wrong_with_a_profile_is_told_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let program = world.program(&[Scope::ProvidersWrite]).await;
    let body = json!({
        "slug": "Not a slug", "name": "New", "colour": 1,
        "endpoints": { "token": "http://elsewhere.example/token" },
        "lifetimes": { "access_seconds": "soon" }, "renewal": "magic",
        "variables": [{ "name": "region", "pattern": "(" }],
    });
    let page = program.post("/providers", &body).await;
    assert_eq!(page.refusal(), (422, "invalid".into()));
    let problem = page.json::<Value>();
    let fields = problem["fields"].as_array().unwrap().iter();
    let fields: BTreeSet<_> = fields.map(|each| each["field"].as_str().unwrap()).collect();
    for field in [
        "slug",
        "colour",
        "endpoints.token",
        "lifetimes.access_seconds",
        "renewal",
        "variables[0].label",
    ] {
        assert!(fields.contains(field), "{field} is not in {fields:?}");
    }
    assert!(!fields.contains("name") && !fields.contains("grants"), "{fields:?}");
    // And one that only the rest of the house knows.
    let taken = json!({ "slug": "cronofy", "name": "", "endpoints": body["endpoints"] });
    let page = program.post("/providers", &taken).await;
    let told = page.json::<Value>()["fields"].to_string();
    assert!(told.contains("a preset has this slug") && told.contains("endpoints.token"), "{told}");
}

/// The catalogue is not empty because a search is.
#[sqlx::test]
async fn a_search_without_a_hit_says_so(pool: PgPool) {
    let world = World::new(pool).await;
    let mut admin = world.sign_in(Admin).await;
    let page = admin.get("/providers?q=nothing-of-that-name").await;
    assert!(page.text.contains("No provider fits"), "{}", page.text);
}
