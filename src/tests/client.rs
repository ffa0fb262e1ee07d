//! Clients: what is wrong with one is told at once, and nothing is asked for in vain.

use serde_json::json;
use sqlx::PgPool;

use crate::{
    domain::{
        access::{Role, Scope},
        provider::Variable,
    },
    tests::support::{SECRET, World},
};

#[sqlx::test]
async fn all_that_is_wrong_is_told_at_once(pool: PgPool) {
    let world = World::new(pool).await;
    let region = Variable { name: "region".into(), label: "Region".into(), ..Variable::default() };
    world.provider("many", |profile| profile.variables = vec![region]).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let form = [
        ("provider", "many"),
        ("name", " "),
        ("oauth_client_id", " "),
        ("scopes", "read wri\"te"),
        ("client_secret", ""),
    ];
    let refused = admin.call("client/create", &form).await.problem();
    for field in ["name", "oauth_client_id", "scopes", "client_secret", "variables.region"] {
        assert!(refused.field(field).is_some(), "{field}: {refused:?}");
    }
    let id = world.client("one", |_| {}).await;
    let admin = world.program(&[Scope::Admin]).await;
    let patch = json!({ "name": "", "scopes": ["a,"] });
    let refused = admin.patch(&format!("/clients/{id}"), &patch).await;
    let fields = refused.json::<serde_json::Value>()["fields"].to_string();
    assert!(fields.contains("name") && fields.contains("scopes"), "{fields}");
}

/// A secret is asked for only where it helps.
#[sqlx::test]
async fn what_no_secret_helps_with_is_told_before_one_is_typed(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("one", |_| {}).await;
    let connection = world.import(client).await;
    let admin = world.program(&[Scope::Admin]).await;
    let path = format!("/clients/{client}");
    let other = json!({ "oauth_client_id": "another" });
    for body in [other.clone(), json!({ "oauth_client_id": "another", "client_secret": SECRET })] {
        assert_eq!(admin.patch(&path, &body).await.refusal().0, 409);
    }
    admin.press(&format!("/connections/{connection}/disconnect?revoke=false")).await.ok();
    let refused = admin.patch(&path, &other).await;
    assert_eq!((refused.refusal().0, refused.field()), (422, "client_secret".into()));
}

/// With the secret once more, for which there is a field.
#[sqlx::test]
async fn a_wrong_client_id_is_put_right_on_its_page(pool: PgPool) {
    let world = World::new(pool).await;
    let client = world.client("wrong", |_| {}).await;
    let mut admin = world.sign_in(Role::Admin).await;
    let page = admin.get(&format!("/clients/{client}")).await.text;
    let edit =
        page.split("/rpc/client/update\"").nth(1).and_then(|rest| rest.split("</form>").next());
    assert!(edit.is_some_and(|form| form.contains("name=\"client_secret\"")), "{page}");
    let id = client.to_string();
    let fields = [("id", id.as_str()), ("name", "Books"), ("oauth_client_id", "right")];
    for (secret, wanted) in [(None, "wrong"), (Some(("client_secret", SECRET)), "right")] {
        let fields: Vec<_> = fields.into_iter().chain(secret).collect();
        admin.call("client/update", &fields).await;
        assert_eq!(world.client_now(client).await.oauth_client_id, wanted);
    }
    // A browser may fill it in by itself: it takes the place of no secret that is in use.
    let fields =
        fields.map(|(name, text)| if name == "name" { (name, "Accounts") } else { (name, text) });
    let filled: Vec<_> = fields.into_iter().chain([("client_secret", "a password")]).collect();
    let refused = admin.call("client/update", &filled).await.problem();
    assert!(refused.field("client_secret").is_some(), "{refused:?}");
    admin.call("client/update", &fields).await;
    assert_eq!(world.client_now(client).await.name, "Accounts");
}
