//! Secrets put where they do not belong: wrong fields, wrong types, unknown fields, cut bodies, addresses and
//! headers. Each is a text of its own, so that whatever is found tells where it came in.

use reqwest::Method;
use serde_json::{Value, json};

use super::{COMPANY, EMAIL, INVITED, Journey, PASSWORD, stray};
use crate::seller::plain;

impl Journey {
    /// Secrets in the wrong field, of the wrong type, unknown, and cut off.
    pub(super) async fn strays_in_bodies(&mut self) {
        let bodies = [about_people(), about_shops(&self.seller.spreadsheet)].concat();
        for (place, method, path, body) in bodies {
            self.planted.plant(&format!("stray {place}"), &stray(place));
            let request = self.command(method, path).json(&body);
            self.refused(place, request).await;
        }
        for (place, cut) in [
            ("cut", "{\"email\":\"a@b.example\",\"password\":\""),
            ("bare", ""),
        ] {
            self.planted.plant(&format!("stray {place}"), &stray(place));
            let request = self.command(Method::POST, "/auth/login");
            let request = request.header("content-type", "application/json");
            self.refused(place, request.body(format!("{cut}{}", stray(place))))
                .await;
        }
    }

    /// Secrets in addresses and headers.
    pub(super) async fn strays_around_bodies(&mut self) {
        let refused = [
            ("query", format!("/products?token={}", stray("query"))),
            ("cursor", format!("/products?cursor={}", stray("cursor"))),
            ("path", format!("/cabinets/{}", stray("path"))),
            ("nowhere", format!("/{}", stray("nowhere"))),
        ];
        for (place, path) in refused {
            self.planted.plant(&format!("stray {place}"), &stray(place));
            self.refused(place, self.seller.request(Method::GET, &path)).await;
        }
        for place in ["bearer", "basic", "position"] {
            self.planted.plant(&format!("stray {place}"), &stray(place));
        }
        let url = format!("{}/products", self.seller.base);
        self.refused("bearer", plain().get(&url).bearer_auth(stray("bearer")))
            .await;
        self.refused("basic", plain().get(&url).basic_auth(EMAIL, Some(stray("basic"))))
            .await;
        let request = self.seller.request(Method::GET, "/products");
        self.refused(
            "position",
            request.header("Stock-Min-Position", stray("position")),
        )
        .await;

        let headers = [
            "traceparent",
            "tracestate",
            "baggage",
            "user-agent",
            "cookie",
            "x-api-key",
            "x-request-id",
            "request-id",
            "referer",
            "x-forwarded-for",
            "forwarded",
            "prefer",
            "origin",
            "if-none-match",
        ];
        for name in headers {
            let place = format!("header-{name}");
            self.planted.plant(&format!("stray {place}"), &stray(&place));
            let request = self.seller.request(Method::GET, "/tenants/me");
            self.any(&place, request.header(name, stray(&place))).await;
        }
        // A command under a secret as its key is done like any other.
        self.planted
            .plant("stray idempotency-key", &stray("idempotency-key"));
        let body = json!({ "interval_seconds": 7200 });
        let path = format!("/cabinets/{}", self.seller.cabinet);
        let request = self.seller.request(Method::PATCH, &path);
        self.any(
            "idempotency key",
            request
                .header("Idempotency-Key", stray("idempotency-key"))
                .json(&body),
        )
        .await;
        self.planted.plant("stray name-key", &stray("name-key"));
        let request = self.seller.request(Method::PATCH, "/tenants/me");
        let request = request.header("Idempotency-Key", stray("name-key"));
        self.done(request.json(&json!({ "name": COMPANY }))).await;
    }
}

fn about_people() -> Vec<(&'static str, Method, &'static str, Value)> {
    vec![
        (
            "email",
            Method::POST,
            "/auth/login",
            json!({ "email": stray("email"), "password": EMAIL }),
        ),
        (
            "unknown-field",
            Method::POST,
            "/auth/login",
            json!({ "email": EMAIL, stray("unknown-field"): PASSWORD }),
        ),
        (
            "type",
            Method::POST,
            "/auth/login",
            json!({ "email": EMAIL, "password": [stray("type")] }),
        ),
        (
            "taken",
            Method::POST,
            "/auth/register",
            json!({ "email": EMAIL, "password": stray("taken"), "company_name": "Shop" }),
        ),
        (
            "wrong",
            Method::POST,
            "/auth/login",
            json!({ "email": EMAIL, "password": stray("wrong") }),
        ),
        (
            "code",
            Method::POST,
            "/auth/password/reset",
            json!({ "code": stray("code"), "new_password": PASSWORD }),
        ),
        (
            "invitation",
            Method::POST,
            "/auth/accept-invitation",
            json!({ "code": stray("invitation"), "email": INVITED, "password": PASSWORD }),
        ),
        (
            "refresh",
            Method::POST,
            "/auth/refresh",
            json!({ "refresh_token": stray("refresh") }),
        ),
        (
            "role",
            Method::POST,
            "/tenants/me/members",
            json!({ "role": stray("role") }),
        ),
        (
            "scope",
            Method::POST,
            "/api-keys",
            json!({ "name": "n", "scopes": [stray("scope")], "current_password": PASSWORD }),
        ),
        (
            "expiry",
            Method::POST,
            "/api-keys",
            json!({ "name": "n", "scopes": ["products:read"], "expires_at": stray("expiry"), "current_password": PASSWORD }),
        ),
        (
            "confirmation",
            Method::POST,
            "/tenants/me/erase",
            json!({ "current_password": stray("confirmation") }),
        ),
    ]
}

fn about_shops(spreadsheet: &str) -> Vec<(&'static str, Method, &'static str, Value)> {
    let account = "service_account";
    vec![
        (
            "marketplace",
            Method::POST,
            "/cabinets",
            json!({ "marketplace": stray("marketplace"), "credential": PASSWORD }),
        ),
        (
            "credential",
            Method::POST,
            "/cabinets",
            json!({ "marketplace": "wildberries", "credential": stray("credential") }),
        ),
        (
            "spreadsheet",
            Method::PUT,
            "/sheets/link",
            json!({ "spreadsheet_id": stray("spreadsheet") }),
        ),
        (
            "key-file",
            Method::PUT,
            "/sheets/link",
            json!({ "spreadsheet_id": spreadsheet, account: stray("key-file") }),
        ),
        (
            "private-key",
            Method::PUT,
            "/sheets/link",
            json!({ "spreadsheet_id": spreadsheet,
                account: { "type": account, "client_email": "a@b.example", "private_key": stray("private-key") } }),
        ),
        (
            "forced",
            Method::POST,
            "/products/sync",
            json!({ "forced": stray("forced") }),
        ),
    ]
}
