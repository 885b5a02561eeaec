//! Nothing leaks: secrets and personal data that can be recognised are put into every input, right and wrong,
//! and looked for wherever the program writes.

mod payer;
mod places;
mod search;
mod strays;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use simulators::google::Role;
use simulators::wildberries::{TokenKind, scope};
use simulators::{Clock, Effect, Fault, Stripe};
use support::{SOON, connect, eventually};
use uuid::Uuid;

use crate::checks;
use crate::seller::{Seller, plain, send, text};
use crate::traces::Collector;
use crate::world::{ROLES, World, shop};
use places::{cells, exports, messages, metrics};
use search::Planted;

/// Our own crates say everything; libraries what anybody would ask them for.
const LOUD: &str = "debug,api=trace,application=trace,auth=trace,cli=trace,connectors=trace,database=trace,\
    event_store=trace,gateway=trace,limits=trace,messaging=trace,projector=trace,relay=trace,runtime=trace,\
    sheets=trace,vault=trace,worker=trace,stock_tracker=trace";

const EMAIL: &str = "Anna.Kanareika-7q@example.com";
const PERSON: &str = "Анна Канарейкина-Жёлтая";
const COMPANY: &str = "ООО «Канарейка & Сыновья»";
const TITLE: &str = "Кабинет «Канареечный двор»";
const KEY_NAME: &str = "Ключ канареечного склада";
const PASSWORD: &str = "пароль-Kanareika/9+f2e?z";
const NEXT_PASSWORD: &str = "Kanareika-next/4+b7c?y";
const INVITED: &str = "boris.kanareika-8w@example.com";
const INVITED_PERSON: &str = "Борис Канарейкин-Синий";
const BUYER: &str = "Покупатель Канареечников, +7 999 123-45-67, ул. Канареечная, 17-42";

/// Where personal data belong: data, table and column. Nowhere else may anything be.
const HOMES: [(&str, &str); 15] = [
    // What Stripe sends names who pays; it is kept as it came, for 30 days or until the person is erased.
    ("e-mail", "core.stripe_events.body"),
    ("e-mail", "core.accounts.email"),
    ("e-mail", "core.accounts.email_key"),
    ("person", "core.accounts.display_name"),
    ("company", "core.profiles.display_name"),
    ("title", "core.profiles.display_name"),
    ("key name", "core.api_keys.name"),
    ("invited e-mail", "core.accounts.email"),
    ("invited e-mail", "core.accounts.email_key"),
    ("invited person", "core.accounts.display_name"),
    ("invited e-mail", "core.invitations.email"),
    ("invited e-mail", "core.invitations.email_key"),
    // A problem names the address and the field that it is about, to whoever wrote them and to nobody else.
    ("stray path", "answer path"),
    ("stray nowhere", "answer nowhere"),
    ("stray unknown-field", "answer unknown-field"),
];

/// What nobody hides: shows that the search sees the places.
const WITNESSES: [(&str, &str); 10] = [
    ("route", "log of api"),
    ("route", "metrics of api"),
    ("route", "traces"),
    ("tenant", "wire"),
    ("tenant", "log of worker"),
    ("tenant", "log of sheets"),
    ("tenant", "stream EVENTS"),
    ("tenant", "core.events.tenant_id"),
    ("article", "sheet"),
    ("note", "sheet"),
];

fn owned((name, place): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*place).to_owned())
}

/// What is put where it does not belong: something unique per place.
fn stray(place: &str) -> String {
    format!("kanareika7q-{place}-5x2z")
}

/// The journey: what is known by now, and what was answered with an error.
struct Journey {
    world: World,
    collector: Collector,
    stripe: Stripe,
    planted: Planted,
    refusals: Vec<String>,
    seller: Seller,
}

/// Commands that were sent.
static COMMANDS: AtomicU32 = AtomicU32::new(0);

/// Where something was found.
type Hits = BTreeSet<(String, String)>;

// invariant 8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_and_no_personal_datum_is_found_anywhere_but_where_it_belongs() {
    let mut journey = Journey::begin().await;
    journey.installation();
    journey.seller_enters().await;
    journey.buyers();
    journey.pays().await;
    journey.people_and_keys().await;
    journey.strays_in_bodies().await;
    journey.strays_around_bodies().await;
    journey.seller.first_sync().await;
    journey.marketplace_misbehaves().await;
    checks::rest(&journey.world).await;

    let seen = journey.everywhere(&journey.witness()).await;
    let files = exports(&journey.seller).await;
    let exported = files
        .iter()
        .map(|(path, _)| ("article".to_owned(), format!("export {path}")));
    let unseen: Vec<_> = WITNESSES
        .iter()
        .map(owned)
        .chain(exported)
        .filter(|witness| !seen.contains(witness))
        .collect();
    assert!(unseen.is_empty(), "the search does not see {unseen:?}");
    let hits = journey.everywhere(&journey.planted).await;
    let homes: Hits = HOMES.iter().map(owned).collect();
    let stray: Vec<_> = hits.difference(&homes).collect();
    assert!(stray.is_empty(), "leaks: {stray:#?}");
    let unseen: Vec<_> = homes.difference(&hits).collect();
    assert!(
        unseen.is_empty(),
        "the search does not see what is there: {unseen:#?}"
    );

    journey.erase().await;
    let mut hits = journey.everywhere(&journey.planted).await;
    hits.retain(|hit| !homes.contains(hit) || hit.1.starts_with("core."));
    assert!(hits.is_empty(), "left after the erasure: {hits:#?}");
    journey.world.assert_all_live();
}

impl Journey {
    async fn begin() -> Self {
        let collector = Collector::start().await;
        let mut world = World::with_broker(vec![shop(71), shop(72)], &["--trace"]).await;
        world.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address);
        world.set("RUST_LOG", LOUD);
        let stripe = payer::stripe(&mut world).await;
        world.begin_all().await;
        payer::deliver_to(&stripe, world.address());
        let seller = Seller {
            base: format!("{}/api/v1", world.address()),
            token: String::new(),
            tenant: Uuid::nil(),
            cabinet: String::new(),
            spreadsheet: String::new(),
            number: 0,
            position: 0,
        };
        Self {
            world,
            collector,
            stripe,
            planted: Planted::default(),
            refusals: Vec::new(),
            seller,
        }
    }

    /// Keys of the installation itself.
    fn installation(&mut self) {
        let master = self.world.setting("ST_MASTER_KEY");
        let (_version, master) = master.split_once(':').unwrap();
        self.planted.plant_key("master key", master);
        self.planted
            .plant_key("token key", &self.world.setting("ST_JWT_KEY"));
        let google: Value = serde_json::from_str(&self.world.google.service_account_json()).unwrap();
        self.planted
            .plant("service account's key", text(&google, "private_key"));
        for file in std::fs::read_dir(self.world.setting("ST_NATS_SEED_DIR")).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "nk") {
                let seed = std::fs::read_to_string(&path).unwrap();
                // The first letters say what kind of a seed it is.
                self.planted.plant("broker's seed", seed.trim());
            }
        }
    }

    async fn seller_enters(&mut self) {
        let mine = [
            ("e-mail", EMAIL),
            ("person", PERSON),
            ("company", COMPANY),
            ("title", TITLE),
            ("password", PASSWORD),
        ];
        for (name, value) in mine {
            self.planted.plant(name, value);
        }
        let body = json!({
            "email": EMAIL, "password": PASSWORD, "company_name": COMPANY, "full_name": PERSON,
        });
        let registered = self.done(self.post("/auth/register", &body)).await;
        self.took_tokens(&registered);
        let me = self.done(self.seller.request(Method::GET, "/tenants/me")).await;
        self.seller.tenant = text(&me, "id").parse().unwrap();

        let account = self.world.google.service_account_email(0);
        self.seller.spreadsheet = self
            .world
            .google
            .create_spreadsheet("Canaries", &[(account.as_str(), Role::Writer)]);
        let key_file: Value = serde_json::from_str(&self.world.google.service_account_json()).unwrap();
        let body = json!({ "spreadsheet_id": self.seller.spreadsheet, "service_account": key_file });
        self.done(self.put("/sheets/link", &body)).await;

        let sid = self.world.wildberries.sellers()[0];
        let token = self.world.wildberries.personal_token(sid);
        self.planted.plant("marketplace token", signature(&token));
        let body = json!({ "marketplace": "wildberries", "credential": token, "title": TITLE });
        let connected = self.done(self.post("/cabinets", &body)).await;
        text(&connected, "id").clone_into(&mut self.seller.cabinet);
        let me = send(self.seller.request(Method::GET, "/tenants/me"))
            .await
            .unwrap();
        self.seller.position = me.position.unwrap();
    }

    /// Every order and every product comes with a buyer.
    fn buyers(&mut self) {
        self.planted.plant("buyer", BUYER);
        self.planted.plant("buyer's phone", "+7 999 123-45-67");
        self.planted.plant("buyer's name", "Канареечников");
        for field in ["srid", "vendorCode", "nmId"] {
            // The new name holds a whole field more.
            let to = format!("buyer\":\"{BUYER}\",\"{field}");
            let from = field.to_owned();
            let path = match field {
                "srid" => "/api/v1/supplier",
                "vendorCode" => "/content",
                _ => "/api",
            };
            self.world
                .wildberries
                .script(Fault::on(path, Effect::RenameField { from, to }));
        }
    }

    async fn people_and_keys(&mut self) {
        let more = [
            ("next password", NEXT_PASSWORD),
            ("invited e-mail", INVITED),
            ("invited person", INVITED_PERSON),
            ("key name", KEY_NAME),
        ];
        for (name, value) in more {
            self.planted.plant(name, value);
        }
        let body = json!({ "email": INVITED, "role": "member" });
        let invited = self.done(self.post("/tenants/me/members", &body)).await;
        let code = text(&invited, "code").to_owned();
        self.planted.plant("invitation code", &code);
        let body =
            json!({ "code": code, "email": INVITED, "password": PASSWORD, "full_name": INVITED_PERSON });
        let joined = self.done(self.post("/auth/accept-invitation", &body)).await;
        self.planted
            .plant("member's refresh token", text(&joined, "refresh_token"));
        self.planted
            .plant("member's access token", signature(text(&joined, "access_token")));
        let members = self
            .done(self.seller.request(Method::GET, "/tenants/me/members"))
            .await;
        let rows = members["data"].as_array().unwrap();
        let member = rows.iter().find(|row| row["email"] == json!(INVITED)).unwrap();
        let path = format!("/tenants/me/members/{}/password-reset", text(member, "id"));
        let reset = self.done(self.post(&path, &json!({}))).await;
        let code = text(&reset, "code").to_owned();
        self.planted.plant("reset code", &code);
        let body = json!({ "code": code, "new_password": NEXT_PASSWORD });
        self.done(self.post("/auth/password/reset", &body)).await;
        let body = json!({ "current_password": PASSWORD, "name": KEY_NAME, "scopes": ["products:read"] });
        let key = self.done(self.post("/api-keys", &body)).await;
        let key = text(&key, "key").to_owned();
        self.planted.plant("API key", &key);
        let url = format!("{}/products", self.seller.base);
        self.done(plain().get(url).bearer_auth(key)).await;
        let login = self
            .done(self.post("/auth/login", &json!({ "email": EMAIL, "password": PASSWORD })))
            .await;
        let body = json!({ "refresh_token": text(&login, "refresh_token") });
        self.took_tokens(&login);
        let refreshed = self.done(self.post("/auth/refresh", &body)).await;
        self.took_tokens(&refreshed);
        // While the next token is unused, a repeated refresh may be a lost answer. Afterwards it is reuse.
        let next = json!({ "refresh_token": text(&refreshed, "refresh_token") });
        let refreshed = self.done(self.post("/auth/refresh", &next)).await;
        self.took_tokens(&refreshed);
        // A refresh token that comes twice is reported; the report must not show it.
        self.refused("a refresh token that was used", self.post("/auth/refresh", &body))
            .await;
        let login = self
            .done(self.post("/auth/login", &json!({ "email": EMAIL, "password": PASSWORD })))
            .await;
        self.took_tokens(&login);
    }

    /// Errors and nonsense with buyers and credentials in them; then a sync that works.
    async fn marketplace_misbehaves(&mut self) {
        let sid = self.world.wildberries.sellers()[1];
        let tomorrow = Clock::system().now() + chrono::TimeDelta::days(1);
        let token = self
            .world
            .wildberries
            .token(sid, TokenKind::Personal, scope::ALL, tomorrow);
        self.planted.plant("refused marketplace token", signature(&token));
        self.world.wildberries.clear_faults();
        let body = json!({ "detail": format!("token {token} of {BUYER} is malformed") }).to_string();
        let refusal = Effect::Status {
            status: 401,
            body,
            content_type: None,
        };
        self.world
            .wildberries
            .script(Fault::on("", refusal).seller(&sid.to_string()));
        let body = json!({ "marketplace": "wildberries", "credential": token, "title": TITLE });
        self.any("a refused token", self.post("/cabinets", &body)).await;
        self.world.wildberries.clear_faults();
        self.buyers();
        let seller = Some(self.world.wildberries.sellers()[0].to_string());
        for (turn, (status, body)) in [
            (
                400,
                json!({ "errors": BUYER, "title": BUYER, "detail": BUYER, "message": BUYER }).to_string(),
            ),
            (200, json!(BUYER).to_string()),
            (
                200,
                json!([{ "srid": 7, "nmId": BUYER, "date": BUYER }]).to_string(),
            ),
        ]
        .into_iter()
        .enumerate()
        {
            for path in ["/api/v1/supplier", "/content", "/api"] {
                let effect = Effect::Status {
                    status,
                    body: body.clone(),
                    content_type: None,
                };
                let mut fault = Fault::on(path, effect).times(1);
                fault.seller.clone_from(&seller);
                self.world.wildberries.script(fault);
            }
            let (sync, _) = self.seller.ask_for_sync(&format!("nonsense {turn}")).await;
            self.seller.ended(&sync).await;
        }
        self.world.wildberries.clear_faults();
        self.buyers();
        self.seller.sync("at last").await;
    }

    async fn erase(&mut self) {
        let body = json!({ "current_password": PASSWORD });
        let act = self.done(self.post("/tenants/me/erase", &body)).await;
        self.refusals.push(format!("act {act}"));
        let url = format!("{}/tenants/me", self.seller.base);
        self.refused(
            "an erased tenant",
            plain().get(url).bearer_auth(&self.seller.token),
        )
        .await;
        let world = &self.world;
        eventually("projections to have seen the erasure", SOON, || async {
            let client = connect(&world.database()).await;
            let head = checks::head(&client).await;
            for model in ["rm_inventory", "rm_operations"] {
                let position =
                    checks::count(&client, &format!("SELECT position FROM {model}.projection")).await?;
                if position != head {
                    return Err(format!("{model} is at {position} of {head}"));
                }
            }
            Ok(())
        })
        .await;
        self.gone_at_stripe().await;
    }

    /// What is everywhere, and shows that the search sees the places.
    fn witness(&self) -> Planted {
        let mut planted = Planted::default();
        planted.plant("tenant", &self.seller.tenant.to_string());
        planted.plant("route", "/api/v1/cabinets/{id}/syncs");
        planted.plant("article", "Артикул товара");
        planted.plant("note", "один знак после запятой");
        planted
    }

    /// Looks in every place.
    async fn everywhere(&self, planted: &Planted) -> Hits {
        let found = planted.found();
        let mut hits = Hits::new();
        let mut look = |place: &str, bytes: &[u8]| {
            hits.extend(found(bytes).into_iter().map(|name| (name, place.to_owned())));
        };
        for role in ROLES {
            let said = self.world.said(role);
            look(&format!("log of {role}"), said.as_bytes());
            look(&format!("metrics of {role}"), metrics(&said).await.as_bytes());
        }
        look("wire", &std::fs::read(self.world.nats.log_file()).unwrap());
        look("traces", self.collector.everything().as_bytes());
        for refusal in &self.refusals {
            look(
                &format!("answer {}", refusal.split(' ').next().unwrap()),
                refusal.as_bytes(),
            );
        }
        // Cells, notes, metadata, and whom it is shared with.
        let sheet = self.world.google.everything(&self.seller.spreadsheet);
        look("sheet", sheet.unwrap().to_string().as_bytes());
        for (path, file) in exports(&self.seller).await {
            look(&format!("export {path}"), &file);
        }
        for (name, message) in messages(&self.world).await {
            look(&format!("stream {name}"), &message);
        }
        let client = connect(&self.world.database()).await;
        for (place, value) in cells(&client).await {
            look(&place, value.to_string().as_bytes());
        }
        for tool in [["erase", "acts"], ["erase", "ledger"], ["keys", "list"]] {
            look(
                &format!("tool {}", tool.join(" ")),
                self.world.tool(&tool).as_bytes(),
            );
        }
        hits
    }

    fn took_tokens(&mut self, answer: &Value) {
        text(answer, "access_token").clone_into(&mut self.seller.token);
        self.planted.plant("refresh token", text(answer, "refresh_token"));
        self.planted.plant("access token", signature(&self.seller.token));
    }

    fn command(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.seller.request(method, path);
        let number = COMMANDS.fetch_add(1, Ordering::Relaxed);
        request.header("Idempotency-Key", format!("canaries {number}"))
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.command(Method::POST, path).json(body)
    }

    fn put(&self, path: &str, body: &Value) -> RequestBuilder {
        self.command(Method::PUT, path).json(body)
    }

    async fn done(&self, request: RequestBuilder) -> Value {
        send(request).await.unwrap().ok()
    }

    /// Sends what cannot be done; keeps the answer, headers and all.
    async fn refused(&mut self, place: &str, request: RequestBuilder) {
        let status = self.any(place, request).await;
        assert!((400..500).contains(&status), "{place}: {status}");
    }

    async fn any(&mut self, place: &str, request: RequestBuilder) -> u16 {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        let body = answer.text().await.unwrap();
        let place = place.replace(' ', "-");
        if status >= 400 {
            self.refusals.push(format!("{place} {status} {headers} {body}"));
        }
        status
    }
}

/// The part of a token that nobody can make.
fn signature(token: &str) -> &str {
    token.rsplit('.').next().unwrap()
}
