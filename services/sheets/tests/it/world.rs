//! A log, its read models, a Google, and a sheets role whose time stands still until a test moves it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use connectors::google::{Accounts, SheetsOptions as GoogleOptions, TokenHosts};
use connectors::http::{HttpClient, NoObserver};
use database::{Pool, Role};
use event_store::{Append, EventStore, GlobalReader, StreamId, Wake};
use events::cabinet::Marketplace;
use events::catalog::{ProductEvent, SheetEvent, SyncEvent};
use events::ids::{CabinetId, CredentialId, ProductId, SyncId, TenantId};
use events::product::{
    Details, Fulfilment, InWay, OrderLine, OrdersObserved, ProductDelisted, ProductDetailsChanged,
    ProductListed, StockLevel, StockObserved,
};
use events::sheet::SheetLinked;
use events::sync::{SourceOutcome, SourceReport, SyncCompleted, SyncRequested, SyncStarted, Trigger};
use events::{Event, Metadata, NewEvent, Recorded, StreamType};
use messaging::{Broker, BrokerOptions};
use read_models::{Inventory, Operations, Projection, apply, schema};
use runtime::{Clock, Ids};
use secrecy::SecretString;
use serde_json::Value;
use sheet_layout::{Cell, ColumnKey, ProductRow, SheetInput, WarehouseColumn, initial_columns, render_rows};
use sheets::{GoogleMeans, Round, Sheets, SheetsOptions};
use simulators::google::{Quotas, Role as Sharing};
use simulators::{Google, GoogleConfig};
use support::{Database, Template};
use uuid::Uuid;
use vault::{MasterKeys, Vault};

pub(crate) const PRODUCTS: &str = "Products";

async fn template() -> Template {
    support::template("sheets", |url| async move {
        let url = SecretString::from(url);
        database::migrate(&url).await?;
        schema::install(&url).await
    })
    .await
}

/// One seller with one cabinet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seller {
    pub(crate) tenant: TenantId,
    pub(crate) cabinet: CabinetId,
}

pub(crate) struct World {
    pub(crate) google: Google,
    pub(crate) sheets: Sheets,
    pub(crate) clock: Clock,
    pub(crate) url: SecretString,
    pub(crate) vault: Vault,
    pub(crate) ids: Ids,
    store: EventStore,
    reader: GlobalReader,
    projector: Pool,
    versions: tokio::sync::Mutex<HashMap<(StreamType, Uuid), i64>>,
    accounts: Arc<Accounts>,
    _database: Database,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Quotas::off(), |_| {}).await
    }

    pub(crate) async fn with(quotas: Quotas, change: impl FnOnce(&mut SheetsOptions)) -> Self {
        let database = support::fresh_database(Some(&template().await)).await;
        let url = SecretString::from(database.url.clone());
        let google = Google::start(GoogleConfig {
            service_accounts: 2,
            quotas,
            ..GoogleConfig::default()
        })
        .await
        .unwrap();
        let (store, combiner) = EventStore::start(Pool::open(&url, Role::Api, 2).unwrap(), Wake::default());
        drop(combiner);
        let clock = Clock::manual("2026-11-20T09:00:00Z".parse().unwrap());
        let ids = Ids::seeded(7);
        let masters = MasterKeys::parse(&MasterKeys::generate().unwrap()).unwrap();
        let accounts = Arc::new(Accounts::new(50, 100_000.0));
        // No server listens there: these tests do without the broker.
        let broker = Broker::connect(BrokerOptions::new("nats://127.0.0.1:9", "test"))
            .await
            .unwrap();
        let mut options = options(&google, &url, &clock, &masters, &accounts, broker, ids.next());
        change(&mut options);
        Self {
            sheets: Sheets::new(options),
            vault: Vault::new(Pool::open(&url, Role::Api, 2).unwrap(), masters),
            reader: GlobalReader::new(Pool::open(&url, Role::Projector, 2).unwrap()),
            projector: Pool::open(&url, Role::Projector, 2).unwrap(),
            versions: tokio::sync::Mutex::default(),
            google,
            clock,
            url,
            ids,
            store,
            accounts,
            _database: database,
        }
    }

    /// Options of a further process of the same role.
    pub(crate) fn options(&self, broker: Broker) -> SheetsOptions {
        let masters = MasterKeys::parse(&MasterKeys::generate().unwrap()).unwrap();
        let instance = self.ids.next();
        options(
            &self.google,
            &self.url,
            &self.clock,
            &masters,
            &self.accounts,
            broker,
            instance,
        )
    }

    pub(crate) fn seller(&self) -> Seller {
        Seller {
            tenant: TenantId(self.ids.next()),
            cabinet: CabinetId(self.ids.next()),
        }
    }

    pub(crate) async fn append(
        &self,
        tenant: TenantId,
        stream: StreamType,
        id: Uuid,
        events: Vec<Event>,
    ) -> i64 {
        let mut versions = self.versions.lock().await;
        let version = versions.entry((stream, id)).or_default();
        let command = self.ids.next();
        let appended = self
            .store
            .append(Append {
                stream: StreamId { stream, id },
                expected: *version,
                metadata: Metadata {
                    tenant_id: tenant,
                    command_id: command.into(),
                    correlation_id: command,
                    causation_id: None,
                    actor: "worker".to_owned(),
                    traceparent: None,
                },
                events: events
                    .into_iter()
                    .map(|event| NewEvent {
                        event_id: self.ids.next().into(),
                        event,
                    })
                    .collect(),
                result: None,
            })
            .await
            .unwrap();
        *version = appended.version;
        appended.position
    }

    /// A spreadsheet that is shared with the first service account.
    pub(crate) fn spreadsheet(&self, title: &str) -> String {
        let email = self.google.service_account_email(0);
        self.google
            .create_spreadsheet(title, &[(&email, Sharing::Writer)])
    }

    pub(crate) async fn link(
        &self,
        seller: Seller,
        spreadsheet: &str,
        credential: Option<CredentialId>,
    ) -> i64 {
        let linked = SheetLinked {
            spreadsheet_id: spreadsheet.to_owned(),
            worksheet: PRODUCTS.to_owned(),
            credential_id: credential,
        };
        let event = Event::Sheet(SheetEvent::SheetLinked(linked));
        self.append(
            seller.tenant,
            StreamType::Sheet,
            seller.tenant.uuid(),
            vec![event],
        )
        .await
    }

    pub(crate) async fn list(&self, seller: Seller, nm_id: i64, vendor_code: &str, subject: &str) {
        let event = ProductEvent::ProductListed(ProductListed {
            cabinet_id: seller.cabinet,
            marketplace: Marketplace::Wildberries,
            nm_id,
            details: details(vendor_code, subject),
            sync_id: SYNC,
        });
        self.product(seller, nm_id, event).await;
    }

    pub(crate) async fn rename(&self, seller: Seller, nm_id: i64, vendor_code: &str, subject: &str) {
        let event = ProductEvent::ProductDetailsChanged(ProductDetailsChanged {
            details: details(vendor_code, subject),
            sync_id: SYNC,
        });
        self.product(seller, nm_id, event).await;
    }

    pub(crate) async fn delist(&self, seller: Seller, nm_id: i64) {
        let event = ProductEvent::ProductDelisted(ProductDelisted { sync_id: SYNC });
        self.product(seller, nm_id, event).await;
    }

    async fn product(&self, seller: Seller, nm_id: i64, event: ProductEvent) {
        let id = ProductId::of(seller.cabinet, nm_id).uuid();
        self.append(
            seller.tenant,
            StreamType::Product,
            id,
            vec![Event::Product(event)],
        )
        .await;
    }

    /// Units by warehouse name, and on the way to and from buyers.
    pub(crate) async fn stock(
        &self,
        seller: Seller,
        nm_id: i64,
        levels: &[(&str, i64)],
        way: Option<(i64, i64)>,
    ) {
        let level = |(name, available): &(&str, i64)| StockLevel {
            warehouse: key(name),
            name: (*name).to_owned(),
            fulfilment: Fulfilment::Fbo,
            available: *available,
            in_way_to_client: 0,
            in_way_from_client: 0,
            buckets: [].into(),
            cluster: None,
            sizes: vec![],
        };
        let event = ProductEvent::StockObserved(StockObserved {
            sync_id: SYNC,
            source: "stock_fbo".to_owned(),
            as_of: self.clock.now(),
            levels: levels.iter().map(level).collect(),
            regrouped: Vec::new(),
            unassigned_in_way: way.map(|(to_client, from_client)| InWay {
                to_client,
                from_client,
            }),
            turnover: None,
        });
        self.product(seller, nm_id, event).await;
    }

    /// Units ordered now, by warehouse name; an empty name is an order that names none.
    pub(crate) async fn orders(&self, seller: Seller, nm_id: i64, orders: &[(&str, i64)]) {
        let orders: Vec<_> = orders.iter().map(|(name, units)| (*name, None, *units)).collect();
        self.orders_by_size(seller, nm_id, &orders).await;
    }

    /// The same, by warehouse name and size.
    pub(crate) async fn orders_by_size(
        &self,
        seller: Seller,
        nm_id: i64,
        orders: &[(&str, Option<i64>, i64)],
    ) {
        let now = self.clock.now();
        let line = |(name, size_id, quantity): &(&str, Option<i64>, i64)| OrderLine {
            order_id: self.ids.next().to_string(),
            ordered_at: now,
            changed_at: now,
            warehouse: format!("fbo:name:{name}"),
            warehouse_name: (*name).to_owned(),
            fulfilment: Fulfilment::Fbo,
            quantity: *quantity,
            status: "created".to_owned(),
            cancelled: false,
            price_minor: None,
            currency: None,
            size_id: *size_id,
            cluster: None,
        };
        let event = ProductEvent::OrdersObserved(OrdersObserved {
            sync_id: SYNC,
            source: "orders".to_owned(),
            as_of: now,
            orders: orders.iter().map(line).collect(),
        });
        self.product(seller, nm_id, event).await;
    }

    /// A sync that saw everything and changed nothing.
    pub(crate) async fn completed_sync(&self, seller: Seller) {
        let (sync_id, at) = (SyncId(self.ids.next()), self.clock.now());
        let events = vec![
            SyncEvent::SyncRequested(SyncRequested {
                sync_id,
                trigger: Trigger::Manual,
                forced: false,
                requested_at: at,
            }),
            SyncEvent::SyncStarted(SyncStarted {
                sync_id,
                attempt: 1,
                started_at: at,
            }),
            SyncEvent::SyncCompleted(SyncCompleted {
                sync_id,
                attempt: 1,
                completed_at: at,
                sources: vec![SourceReport {
                    source: "stock_fbo".to_owned(),
                    outcome: SourceOutcome::Complete,
                    rows: 2,
                    as_of: Some(at),
                    payload_sha256: String::new(),
                    left_out: None,
                    payload_bytes: None,
                    error: None,
                    doubts: Vec::new(),
                    covers_since: None,
                }],
                products_seen: 2,
                products_changed: 0,
            }),
        ];
        let events = events.into_iter().map(Event::Sync).collect();
        self.append(seller.tenant, StreamType::Sync, seller.cabinet.uuid(), events)
            .await;
    }

    /// The seller of the worked example (original layout, section 3.7), not linked yet.
    pub(crate) async fn worked_example(&self) -> Seller {
        let seller = self.seller();
        self.list(seller, 111_111, "COL-001", "Коллаген").await;
        let levels = [("Коледино", 40), ("Подольск", 35), ("Электросталь", 25)];
        self.stock(seller, 111_111, &levels, Some((5, 2))).await;
        let orders = [("Коледино", 20), ("Подольск", 18), ("Электросталь", 12)];
        self.orders(seller, 111_111, &orders).await;
        self.list(seller, 222_222, "VIT-D3", "Витамины").await;
        self.stock(seller, 222_222, &[("Коледино", 150)], Some((10, 3)))
            .await;
        self.orders(seller, 222_222, &[("Коледино", 78), ("Казань", 2)])
            .await;
        seller
    }

    /// The worked example with its sheet written.
    pub(crate) async fn written_example(&self) -> (Seller, String) {
        let seller = self.worked_example().await;
        let spreadsheet = self.spreadsheet("Остатки");
        self.link(seller, &spreadsheet, None).await;
        let round = self.round().await;
        assert_eq!(
            (round.written, round.failed),
            (1, 0),
            "{}",
            self.error(seller).await.unwrap_or_default()
        );
        self.google.clear_calls();
        (seller, spreadsheet)
    }

    /// Folds everything new into both read models.
    pub(crate) async fn project(&self) {
        self.fold::<Inventory>().await;
        self.fold::<Operations>().await;
    }

    async fn fold<P: Projection>(&self) {
        let mut session = self.projector.get().await.unwrap();
        let mut cursor = schema::take_over::<P>(&session, P::SCHEMA).await.unwrap();
        loop {
            let batch: Vec<Recorded> = self.reader.read_after(cursor.position, 500).await.unwrap();
            if batch.is_empty() {
                return;
            }
            let applied = apply::apply::<P>(&mut session, P::SCHEMA, cursor, &batch)
                .await
                .unwrap();
            assert_eq!(
                applied.parked,
                0,
                "an event of this test was parked by {}",
                P::NAME
            );
            cursor.position = applied.position;
        }
    }

    /// Events up to `position` as the relay would publish them.
    pub(crate) async fn recorded_after(&self, position: i64) -> Vec<Recorded> {
        self.reader.read_after(position, 10_000).await.unwrap()
    }

    /// All caught up, the burst over, what is due written.
    pub(crate) async fn round(&self) -> Round {
        self.project().await;
        self.mark().await;
        self.clock.advance(TimeDelta::seconds(3));
        self.sheets.write_due_once().await.unwrap()
    }

    pub(crate) async fn mark(&self) {
        let head = self
            .recorded_after(0)
            .await
            .last()
            .map_or(0, |event| event.position);
        while self
            .sheets
            .catch_up_once()
            .await
            .unwrap()
            .expect("nobody else follows")
            < head
        {}
    }

    /// What the sheet shows.
    pub(crate) fn grid(&self, spreadsheet: &str) -> Vec<Vec<Value>> {
        self.google.grid(spreadsheet, PRODUCTS).expect("the worksheet")
    }

    /// What the sheet would show if it were written for the first time now, from the read model alone.
    pub(crate) async fn expected(&self, seller: Seller) -> Vec<Vec<Value>> {
        let input = self.model(seller).await;
        let columns: Vec<ColumnKey> = initial_columns(&input);
        let rows = render_rows(&input, &columns).unwrap();
        rows.iter().map(|row| row.iter().map(shown).collect()).collect()
    }

    /// The read model's rows, put together here once more so that the role's own way is checked.
    async fn model(&self, seller: Seller) -> SheetInput {
        let pool = Pool::open(&self.url, Role::Sheets, 1).unwrap();
        let mut session = pool.tenant(seller.tenant).await.unwrap();
        let tx = session.begin().await.unwrap();
        let today = read_models::measure::moscow_day(self.clock.now());
        let rows = read_models::inventory::queries::sheet_rows(&tx, today)
            .await
            .unwrap();
        let named = rows.warehouses.iter().filter(|known| !known.name.is_empty());
        let warehouses: Vec<_> = named.collect();
        let excluded = (warehouses.iter().enumerate()).filter(|(_, known)| known.excluded.is_some());
        let uncounted: Vec<usize> = excluded.map(|(place, _)| place).collect();
        let index = |key: &str| warehouses.iter().position(|known| known.warehouse == key);
        let product = |product: &read_models::inventory::queries::SheetProduct| ProductRow {
            key: product.product_id.to_string().into(),
            brand: product.brand.as_str().into(),
            subject: product.subject.as_str().into(),
            vendor_code: product.vendor_code.as_str().into(),
            nm_id: product.nm_id,
            in_way_to_client: product.in_way_to_client,
            in_way_from_client: product.in_way_from_client,
            cells: product
                .cells
                .iter()
                .filter_map(|cell| Some((index(&cell.warehouse)?, cell.available, cell.orders_last_7)))
                .collect(),
            orders_without_warehouse: product
                .cells
                .iter()
                .filter(|cell| index(&cell.warehouse).is_none())
                .map(|cell| cell.orders_last_7)
                .sum(),
            uncounted: uncounted.as_slice().into(),
            ..ProductRow::default()
        };
        let listed = rows.products.iter().filter(|row| !row.delisted);
        SheetInput {
            products: listed.map(product).collect(),
            warehouses: warehouses
                .iter()
                .map(|known| WarehouseColumn {
                    key: known.warehouse.as_str().into(),
                    name: known.name.as_str().into(),
                    ..WarehouseColumn::default()
                })
                .collect(),
            ..SheetInput::default()
        }
    }

    /// Reads and writes of Sheets since the log of calls was cleared.
    pub(crate) fn calls(&self) -> (u64, u64) {
        let calls = self.google.calls();
        let of = |pick: &dyn Fn(&str) -> bool| {
            let paths = calls.paths.iter().filter(|(path, _)| pick(path));
            paths.flat_map(|(_, statuses)| statuses.values()).sum()
        };
        let sheets = |path: &str| path.contains("/v4/spreadsheets/");
        let write = |path: &str| path.contains(":batchUpdate");
        (
            of(&|path| sheets(path) && !write(path)),
            of(&|path| sheets(path) && write(path)),
        )
    }

    pub(crate) async fn state(&self, seller: Seller) -> tokio_postgres::Row {
        let client = support::connect(secrecy::ExposeSecret::expose_secret(&self.url)).await;
        client
            .query_one(
                "SELECT * FROM core.sheet_states WHERE tenant_id = $1",
                &[&seller.tenant.uuid()],
            )
            .await
            .unwrap()
    }

    pub(crate) async fn error(&self, seller: Seller) -> Option<String> {
        self.state(seller).await.get("last_error")
    }

    pub(crate) async fn next_try_in(&self, seller: Seller) -> TimeDelta {
        let at: DateTime<Utc> = self.state(seller).await.get("next_try_at");
        at - self.clock.now()
    }
}

/// Every observation of these tests names the same sync.
const SYNC: SyncId = SyncId(Uuid::from_u128(77));

fn details(vendor_code: &str, subject: &str) -> Details {
    Details {
        vendor_code: vendor_code.to_owned(),
        brand: "BrandA".to_owned(),
        subject: subject.to_owned(),
        title: "Title".to_owned(),
        ..Details::default()
    }
}

/// Stock is told with keys made of numbers, orders with names.
pub(crate) fn key(name: &str) -> String {
    format!("fbo:{}", name.chars().map(u32::from).sum::<u32>())
}

fn options(
    google: &Google,
    url: &SecretString,
    clock: &Clock,
    masters: &MasterKeys,
    accounts: &Arc<Accounts>,
    broker: Broker,
    instance: Uuid,
) -> SheetsOptions {
    let pool = Pool::open(url, Role::Sheets, 8).unwrap();
    let means = GoogleMeans {
        http: HttpClient::new(Arc::new(NoObserver)).unwrap(),
        options: GoogleOptions {
            sheets_url: google.base_url(),
            drive_url: google.base_url(),
            patience: Duration::from_secs(1),
        },
        accounts: Arc::clone(accounts),
        token_hosts: TokenHosts::Any,
        service_account: Some(google.service_account_json().into()),
    };
    let vault = Vault::new(pool.clone(), masters.clone());
    SheetsOptions::new(pool, broker, vault, clock.clone(), means, instance)
}

/// A cell as the simulator's grid shows it.
fn shown(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::String(String::new()),
        Cell::Int(number) => Value::from(*number),
        Cell::Tenths(tenths) if tenths % 10 == 0 => Value::from(tenths / 10),
        Cell::Tenths(tenths) => Value::from(*tenths as f64 / 10.0),
        Cell::Text(text) => Value::String(text.to_string()),
    }
}

/// Rows as text, one per row, cells apart by `|`; numbers as a person reads them.
pub(crate) fn lines(rows: &[Vec<Value>]) -> Vec<String> {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        number => number
            .as_f64()
            .map_or_else(|| number.to_string(), |number| number.to_string()),
    };
    rows.iter()
        .map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|"))
        .collect()
}
