//! Who comes: people who sign in, programs with keys.

use uuid::Uuid;

use super::{Browser, World};
use crate::{
    domain::access::{Role, Scope},
    server::app::{self, Actor},
};

pub const PASSWORD: &str = "a long enough password";

impl World {
    /// Adds a person named by their role, who has [`PASSWORD`].
    pub async fn person(&self, role: Role) -> Uuid {
        self.person_named(role.as_str(), role).await
    }

    pub async fn person_named(&self, name: &str, role: Role) -> Uuid {
        let email = email(name);
        app::user::create(&self.app, &Actor::Operator, &email, role, PASSWORD.into())
            .await
            .expect("a person")
            .id
    }

    /// The browser of a new person of this role, signed in.
    pub async fn sign_in(&self, role: Role) -> Browser {
        self.person(role).await;
        let mut browser = self.browser();
        let page = browser.sign_in(role.as_str(), PASSWORD).await;
        assert_eq!(page.status, 200, "{}", page.text);
        browser
    }

    /// A new API key.
    pub async fn key(&self, scopes: &[Scope]) -> String {
        let name = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        let made = app::api_key::create(&self.app, &self.admin, &name, scopes).await;
        made.expect("a key").key
    }
}

pub fn email(name: &str) -> String {
    format!("{name}@people.test")
}

impl Browser {
    /// Signs in as the person named so.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> super::Page {
        let email = email(name);
        self.call("session/login", &[("email", &email), ("password", password)]).await
    }
}
