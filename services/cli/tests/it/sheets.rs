//! `stock-tracker sheets migrate`: the program itself, against a log, its read models and a Google that keeps
//! the contract.

use std::process::{Command, Output};

use application::{App, Context, link_sheet, register};
use auth::Email;
use database::{Pool, Role};
use event_store::{EventStore, GlobalReader, Wake};
use events::ids::{CommandId, TenantId};
use read_models::{Inventory, Projection as _, apply, schema};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use simulators::google::Role as Sharing;
use simulators::{Google, GoogleConfig};
use uuid::Uuid;
use vault::{MasterKeys, Vault};

const TITLES: [&str; 9] = [
    "Артикул продавца",
    "Артикул товара",
    "Заказы (всего)",
    "Остатки (всего)",
    "Оборачиваемость",
    "Название склада",
    "Заказы со склада",
    "Остатки на складе",
    "Оборачиваемость по складам",
];

struct World {
    database: support::Database,
    ring: SecretString,
    google: Google,
    tenant: TenantId,
    spreadsheet: String,
}

/// A seller whose spreadsheet has the oldest layout with one row that is none of the products.
async fn world() -> World {
    let template = support::template("core and read models", |url| async move {
        let url = SecretString::from(url);
        database::migrate(&url).await?;
        read_models::schema::install(&url).await
    });
    let database = support::fresh_database(Some(&template.await)).await;
    let ring = MasterKeys::generate().unwrap();
    let pool = Pool::open(&database.url.clone().into(), Role::Api, 2).unwrap();
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let app = App::new(store, Vault::new(pool, MasterKeys::parse(&ring).ok().unwrap()));
    let command_id = CommandId(Uuid::from_u128(1));
    let context = |command: u128| Context {
        tenant_id: register::tenant_of(command_id),
        actor: "visitor".to_owned(),
        command_id: CommandId(Uuid::from_u128(command)),
        correlation_id: Uuid::from_u128(2),
        causation_id: None,
        traceparent: None,
        now: chrono::DateTime::UNIX_EPOCH,
    };
    let who = register::Input {
        email: Email::parse("anna@shop.ru").unwrap(),
        password: "correct horse".into(),
        company_name: "Shop".to_owned(),
        display_name: String::new(),
    };
    register::execute(&app, &context(1), who).await.unwrap();

    let google = Google::start(GoogleConfig::default()).await.unwrap();
    let robot = google.service_account_email(0);
    let spreadsheet = google.create_spreadsheet("Остатки", &[(&robot, Sharing::Writer)]);
    let row = |values: Vec<Value>| -> Value {
        let cells = values.into_iter().map(|value| json!({"userEnteredValue": value}));
        json!({"values": cells.collect::<Vec<_>>()})
    };
    let titles = TITLES.iter().map(|title| json!({"stringValue": title})).collect();
    let old = json!([
        {"addSheet": {"properties": {"sheetId": 5, "title": "Stock Tracker"}}},
        {"updateCells": {"start": {"sheetId": 5}, "fields": "userEnteredValue", "rows": [
            row(titles), row(vec![json!({"stringValue": "OLD-1"}), json!({"numberValue": 77})])]}}
    ]);
    google.edit(&spreadsheet, &old).unwrap();
    let link = link_sheet::Input {
        spreadsheet_id: spreadsheet.clone(),
        worksheet: link_sheet::DEFAULT_WORKSHEET.to_owned(),
        service_account: None,
    };
    link_sheet::execute(&app, &context(3), link).await.unwrap();
    project(&database.url).await;
    World {
        database,
        ring,
        google,
        tenant: register::tenant_of(command_id),
        spreadsheet,
    }
}

/// The read model as a projector would have left it.
async fn project(url: &str) {
    let pool = Pool::open(&url.to_owned().into(), Role::Projector, 2).unwrap();
    let mut session = pool.get().await.unwrap();
    let cursor = schema::take_over::<Inventory>(&session, Inventory::SCHEMA)
        .await
        .unwrap();
    let events = GlobalReader::new(pool.clone())
        .read_after(cursor.position, 100)
        .await
        .unwrap();
    let applied = apply::apply::<Inventory>(&mut session, Inventory::SCHEMA, cursor, &events).await;
    assert_eq!(applied.unwrap().parked, 0);
}

impl World {
    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stock-tracker"));
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &self.database.url)
            // Nobody listens there: the tool asks nobody.
            .env("NATS_URL", "nats://127.0.0.1:9")
            .env("ST_MASTER_KEY", self.ring.expose_secret())
            .env("ST_GOOGLE_SHEETS_URL", self.google.base_url())
            .env("ST_GOOGLE_DRIVE_URL", self.google.base_url())
            .env("ST_GOOGLE_SERVICE_ACCOUNT", self.google.service_account_json());
        tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap()
    }

    async fn migrate(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(&[&["sheets", "migrate"], arguments].concat()).await;
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    fn first_cell(&self, title: &str) -> Option<Value> {
        self.google
            .grid(&self.spreadsheet, title)?
            .first()?
            .first()
            .cloned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_tells_then_moves_with_a_copy_and_then_finds_nothing_to_do() {
    let world = world().await;
    let (code, told) = world.migrate(&["--dry-run"]).await;
    assert_eq!(code, Some(0), "{told}");
    for line in [
        "1 sheets; nothing is changed",
        "worksheet “Stock Tracker”: not changed; found the layout with one header row",
        "  removed  column F “Название склада”",
        "  unclear  row 2 shows article 77, which is none of the products",
    ] {
        assert!(told.contains(line), "{line} is missing in\n{told}");
    }
    assert_eq!(world.first_cell("Stock Tracker"), Some(json!("Артикул продавца")));

    let (code, told) = world
        .migrate(&["--backup", "--tenant", &world.tenant.to_string()])
        .await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("moved; copied to “Stock Tracker_backup_"), "{told}");
    assert_eq!(
        world.first_cell("Stock Tracker"),
        Some(json!("Основная информация"))
    );
    let copy = told
        .split('“')
        .nth(2)
        .and_then(|rest| rest.split('”').next())
        .unwrap();
    assert_eq!(world.first_cell(copy), Some(json!("Артикул продавца")), "{copy}");

    let (code, told) = world.migrate(&["--backup"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("not changed; found the current layout"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_a_sheet_is_a_failure_that_is_told() {
    let world = world().await;
    let stranger = Uuid::from_u128(99).to_string();
    let (code, told) = world.migrate(&["--tenant", &stranger]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("FAIL no spreadsheet is linked"), "{told}");
}
