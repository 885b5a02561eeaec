//! Several people of one business, as the tests about them need them.

use events::user::AdminGranted;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, Seller, World, fresh_key};

/// What everybody here logs in with, unless a test says otherwise.
pub(crate) const PASSWORD: &str = "correct horse";

impl World {
    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.ask(Method::POST, "/api/v1/auth/login")
            .json(&json!({"email": email, "password": password}))
            .send()
            .await
    }

    pub(crate) async fn logged_in(&self, email: &str) -> Seller {
        self.seller(self.login(email, PASSWORD).await.is(StatusCode::OK))
    }

    pub(crate) fn user(&self, seller: &Seller) -> Uuid {
        let principal = self.tokens.verify(&seller.access, self.clock.now()).unwrap();
        principal.user_id.uuid()
    }

    pub(crate) async fn post(&self, seller: &Seller, path: &str, body: &Value) -> Answer {
        self.command(seller, Method::POST, path, body).send().await
    }

    pub(crate) async fn patch(&self, seller: &Seller, path: &str, body: &Value) -> Answer {
        self.command(seller, Method::PATCH, path, body).send().await
    }

    pub(crate) async fn delete(&self, seller: &Seller, path: &str) -> Answer {
        self.command(seller, Method::DELETE, path, &json!({}))
            .send()
            .await
    }

    /// A command of somebody who is not logged in.
    pub(crate) async fn public(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path)
            .key(&fresh_key())
            .json(body)
            .send()
            .await
    }

    pub(crate) async fn me(&self, seller: &Seller) -> Answer {
        self.get(seller, "/api/v1/auth/me").send().await
    }

    /// The code of an invitation.
    pub(crate) async fn invitation(&self, by: &Seller, role: &str) -> String {
        let answer = self
            .post(by, "/api/v1/tenants/me/members", &json!({"role": role}))
            .await;
        answer.is(StatusCode::CREATED).body["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn accept(&self, code: &str, email: &str) -> Answer {
        let body = json!({"code": code, "email": email, "password": PASSWORD, "full_name": "Вера"});
        self.public("/api/v1/auth/accept-invitation", &body).await
    }

    /// Somebody who joined by invitation.
    pub(crate) async fn joined(&self, by: &Seller, role: &str, email: &str) -> Seller {
        let code = self.invitation(by, role).await;
        self.seller(self.accept(&code, email).await.is(StatusCode::CREATED))
    }

    /// A platform administrator.
    pub(crate) async fn administrator(&self, email: &str) -> Seller {
        let seller = self.registered(email).await;
        let granted = events::catalog::UserEvent::from(AdminGranted {});
        self.record(seller.tenant, self.user(&seller), 1, vec![granted.into()])
            .await;
        self.clock.advance(chrono::TimeDelta::seconds(1));
        seller
    }

    /// An API key with these scopes.
    pub(crate) async fn api_key(&self, by: &Seller, scopes: &[&str]) -> Seller {
        let body = json!({"name": "script", "scopes": scopes, "current_password": PASSWORD});
        let made = self.post(by, "/api/v1/api-keys", &body).await;
        Seller {
            access: made.is(StatusCode::CREATED).body["key"]
                .as_str()
                .unwrap()
                .to_owned(),
            ..by.clone()
        }
    }
}
