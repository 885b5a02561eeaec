//! A database with the buyers in it, replicas of the API that take deliveries, and workers that can be
//! killed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::state::Asked;
use api::{
    ApiState, ErrandError, Errands, Google, NewSheetSync, SheetProgress, SheetSync, SheetTest, Streams,
    Webhook,
};
use application::billing::{CardSales, Prices};
use application::domain::subscription::GRACE;
use application::wire::CredentialCheck;
use application::{App, Context, register, subscriptions};
use auth::{AccessTokens, Email, IdempotencyKeys, Sessions};
use billing::{Inbox, Received};
use chrono::{DateTime, Utc};
use connectors::google::{Accounts, SheetsOptions, TokenHosts};
use connectors::http::{HttpClient, NoObserver};
use connectors::stripe::{self, Event, PriceId, Subject};
use database::{Pool, Role};
use event_store::{EventStore, Wake};
use events::ids::{CabinetId, CommandId, TenantId, UserId};
use events::subscription::Plan;
use read_models::Positions;
use runtime::{Clock, Health, Ids, Metrics};
use secrecy::SecretString;
use simulators::Stripe;
use simulators::stripe::{PRICE_ENTERPRISE, PRICE_PRO, PRICE_STARTER, signature_header};
use support::Database;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{MasterKeys, Vault};
use worker::billing::Deliveries;

use super::buyers::Buyers;

pub(super) const SECRET: &str = "whsec_deliveries";
const BUYERS: u128 = 12;

/// Who buys.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) tenant_id: TenantId,
    pub(super) user_id: UserId,
    pub(super) customer: String,
}

/// What everything comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Truth {
    /// Rows of `core.subscriptions`, whole.
    pub(super) contracts: Vec<String>,
    /// Tenants and their plans.
    pub(super) plans: Vec<(Uuid, Option<String>)>,
    /// Whose, which kind, what it says.
    pub(super) payments: BTreeSet<(String, String, String)>,
}

impl Truth {
    /// What only one of both says.
    pub(super) fn differs_from(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.lines(), other.lines());
        let only_ours = ours.difference(&theirs).map(|line| format!("+ {line}"));
        only_ours
            .chain(theirs.difference(&ours).map(|line| format!("- {line}")))
            .collect()
    }

    fn lines(&self) -> BTreeSet<String> {
        let plans = self.plans.iter().map(|line| format!("{line:?}"));
        let payments = self.payments.iter().map(|line| format!("{line:?}"));
        self.contracts
            .iter()
            .cloned()
            .chain(plans)
            .chain(payments)
            .collect()
    }
}

pub(super) struct Place {
    pub(super) clock: Clock,
    database: Database,
    worker: Deliveries,
    card: CardSales,
    inbox: Inbox,
}

/// A replica of the API.
pub(super) struct Replica {
    client: reqwest::Client,
    address: String,
    stopping: CancellationToken,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

impl Replica {
    /// Signed now, and acknowledged.
    pub(super) async fn deliver(&self, body: &str, now: DateTime<Utc>) {
        let signature = signature_header(&[SECRET.to_owned()], now.timestamp(), body);
        let request = self
            .client
            .post(&self.address)
            .header("stripe-signature", signature);
        let answer = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
}

impl Place {
    /// The buyers, who are no customers yet.
    pub(super) async fn accounts() -> Vec<Account> {
        let database = support::fresh_database(Some(&template().await)).await;
        let admin = support::connect(&database.url).await;
        let sql = "SELECT tenant_id, user_id FROM core.accounts ORDER BY user_id";
        let rows = admin.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| Account {
                tenant_id: TenantId(row.get(0)),
                user_id: UserId(row.get(1)),
                customer: String::new(),
            })
            .collect()
    }

    /// Where nothing was heard of the buyers yet.
    pub(super) async fn open(buyers: &Buyers) -> Self {
        Self::for_accounts(&buyers.stripe, &buyers.accounts, buyers.now()).await
    }

    pub(super) async fn for_accounts(stripe: &Stripe, accounts: &[Account], now: DateTime<Utc>) -> Self {
        let database = support::fresh_database(Some(&template().await)).await;
        let admin = support::connect(&database.url).await;
        for account in accounts {
            let sql = "INSERT INTO core.billing_customers (tenant_id, user_id, customer) VALUES ($1, $2, $3)";
            let (tenant, user) = (account.tenant_id.uuid(), account.user_id.uuid());
            admin
                .execute(sql, &[&tenant, &user, &account.customer])
                .await
                .unwrap();
        }
        let price = |plan, id| (plan, PriceId::parse(id).unwrap());
        let card = CardSales {
            stripe: client(stripe),
            prices: Prices::new([
                price(Plan::Starter, PRICE_STARTER),
                price(Plan::Pro, PRICE_PRO),
                price(Plan::Enterprise, PRICE_ENTERPRISE),
            ]),
            return_url: "https://app.example.com/billing/done".to_owned(),
        };
        let clock = Clock::manual(now);
        let worker = deliveries(&database, &card, &clock);
        let inbox = Inbox::new(pool(&database, Role::Api));
        Self {
            clock,
            database,
            worker,
            card,
            inbox,
        }
    }

    pub(super) fn replica(&self) -> Replica {
        let stopping = CancellationToken::new();
        let state = state(
            pool(&self.database, Role::Api),
            self.clock.clone(),
            stopping.clone(),
        );
        let bound = api::build(state, "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = format!("http://127.0.0.1:{}/api/v1/billing/webhook", bound.port());
        tokio::spawn(bound.run());
        #[expect(
            clippy::disallowed_methods,
            reason = "a test's client is no way out of the product"
        )]
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Replica {
            client,
            address,
            stopping,
        }
    }

    /// A worker with nothing in its memory. Aborted, it is dead wherever it stands.
    pub(super) fn worker(&self) -> JoinHandle<()> {
        let deliveries = deliveries(&self.database, &self.card, &self.clock);
        tokio::spawn(async move { deliveries.handle(&CancellationToken::new()).await })
    }

    /// Kills a worker. The minute for which it may still hold a customer passes by the database's clock,
    /// which no test moves.
    pub(super) async fn kill(&self, worker: JoinHandle<()>) {
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
        let admin = support::connect(&self.database.url).await;
        let passed = "UPDATE core.billing_customers SET busy_until = clock_timestamp()";
        admin.execute(passed, &[]).await.unwrap();
    }

    /// A delivery past the API.
    pub(super) async fn put(&self, body: &str) {
        let event = Event::parse(body.as_bytes()).unwrap();
        let customer = match stripe::subject(&event) {
            Subject::Concerns(concern) => concern.customer,
            _ => None,
        };
        let received = Received {
            event_id: event.id.as_str(),
            event_type: &event.kind,
            api_version: event.api_version.as_deref(),
            customer: customer.as_ref().map(stripe::CustomerId::as_str),
            body: body.as_bytes(),
        };
        self.inbox.store(&received, self.clock.now()).await.unwrap();
    }

    /// Handles what waits.
    pub(super) async fn rounds(&self) {
        while self.worker.round().await.unwrap() > 0 {}
        assert_eq!(self.waiting().await, 0);
    }

    pub(super) async fn waiting(&self) -> i64 {
        let backlog = self.worker.taking.inbox.backlog().await.unwrap();
        assert_eq!(backlog.failed, 0);
        backlog.pending
    }

    /// Up to this moment, with what the clock alone does to contracts.
    pub(super) async fn time_passes(&self, until: DateTime<Utc>) {
        let left = until - self.clock.now();
        assert!(left.num_seconds() > 0, "time has passed already");
        self.clock.advance(left);
        let app = &self.worker.taking.app;
        for lapsed in app.terms.lapsed(until, GRACE, None, 1_000).await.unwrap() {
            let command_id = CommandId(Ids::system().next());
            let context = context(lapsed.tenant_id, command_id, until);
            subscriptions::pass(app, &context, lapsed.user_id).await.unwrap();
        }
    }

    pub(super) async fn truth(&self) -> Truth {
        let admin = support::connect(&self.database.url).await;
        let contracts = "SELECT to_jsonb(s)::text FROM core.subscriptions s ORDER BY user_id, slot";
        let plans = "SELECT tenant_id, plan FROM core.tenant_terms ORDER BY tenant_id";
        let payments = "SELECT aggregate_id::text, event_type, payload::text FROM core.events
                         WHERE event_type IN ('payment_succeeded', 'payment_failed')";
        let contracts = admin.query(contracts, &[]).await.unwrap();
        let plans = admin.query(plans, &[]).await.unwrap();
        let payments = admin.query(payments, &[]).await.unwrap();
        let truth = Truth {
            contracts: contracts.iter().map(|row| row.get(0)).collect(),
            plans: plans.iter().map(|row| (row.get(0), row.get(1))).collect(),
            payments: payments
                .iter()
                .map(|row| (row.get(0), row.get(1), row.get(2)))
                .collect(),
        };
        assert_eq!(
            truth.payments.len(),
            payments.len(),
            "a payment is recorded twice"
        );
        truth
    }
}

/// A database in which the buyers have registered.
async fn template() -> support::Template {
    support::template("deliveries", |url| async move {
        let url = SecretString::from(url);
        database::migrate(&url).await?;
        let pool = Pool::open(&url, Role::Api, 2)?;
        let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
        let app = App::new(store, Vault::new(pool, masters()));
        for number in 1..=BUYERS {
            let command_id = CommandId(Uuid::from_u128(number));
            let now = "2026-01-01T00:00:00Z".parse().unwrap();
            let context = context(register::tenant_of(command_id), command_id, now);
            let person = register::Input {
                email: Email::parse(&format!("buyer{number}@example.com")).unwrap(),
                password: "верная лошадь батарейка".to_owned().into(),
                company_name: "ИП Соколова Анна".to_owned(),
                display_name: "Анна".to_owned(),
            };
            register::execute(&app, &context, person).await.unwrap();
        }
        Ok::<(), database::DatabaseError>(())
    })
    .await
}

fn context(tenant_id: TenantId, command_id: CommandId, now: DateTime<Utc>) -> Context {
    Context {
        tenant_id,
        actor: "test".to_owned(),
        command_id,
        correlation_id: command_id.uuid(),
        causation_id: None,
        traceparent: None,
        now,
    }
}

fn masters() -> MasterKeys {
    MasterKeys::parse(&MasterKeys::generate().unwrap()).unwrap()
}

fn pool(database: &Database, role: Role) -> Pool {
    Pool::open(&database.url.clone().into(), role, 6).unwrap()
}

fn deliveries(database: &Database, card: &CardSales, clock: &Clock) -> Deliveries {
    let pool = pool(database, Role::Worker);
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    let app = App::new(store, Vault::new(pool, masters())).by_card(Some(card.clone()));
    Deliveries::new(app, clock.clone())
}

pub(super) fn client(simulator: &Stripe) -> stripe::Stripe {
    let options = stripe::Options {
        url: simulator.url().to_owned(),
        pause: Duration::from_millis(1),
        ..stripe::Options::default()
    };
    let http = HttpClient::new(Arc::new(NoObserver)).unwrap();
    stripe::Stripe::new(http, SecretString::from(simulator.api_key()), options)
}

fn state(pool: Pool, clock: Clock, stopping: CancellationToken) -> ApiState {
    let (store, _combiner) = EventStore::start(pool.clone(), Wake::default());
    ApiState {
        app: App::new(store, Vault::new(pool.clone(), masters())),
        reads: pool.clone(),
        sessions: Sessions::new(pool.clone()),
        answers: IdempotencyKeys::new(pool.clone()),
        tokens: AccessTokens::from_pem(&AccessTokens::generate_pem().unwrap()).unwrap(),
        positions: Positions::default(),
        errands: Arc::new(Nobody),
        google: Google {
            http: HttpClient::new(Arc::new(NoObserver)).unwrap(),
            options: SheetsOptions::default(),
            accounts: Arc::new(Accounts::new(50, 1.0)),
            hosts: TokenHosts::Any,
            own_key: None,
            shared_drive: None,
        },
        webhook: Some(Webhook {
            inbox: Inbox::new(pool),
            secrets: vec![SECRET.into()],
            tolerance: Duration::from_secs(300),
        }),
        clock,
        ids: Ids::system(),
        health: Health::default(),
        metrics: Metrics::new("test").unwrap(),
        streams: Streams::default(),
        stopping,
    }
}

/// No other process runs here.
struct Nobody;

fn nobody<T: Send + 'static>() -> Asked<'static, Result<T, ErrandError>> {
    Box::pin(async { Err(ErrandError::Away("nothing runs beside the API".to_owned())) })
}

impl Errands for Nobody {
    fn check_credential(&self, _: TenantId, _: CabinetId) -> Asked<'_, Result<CredentialCheck, ErrandError>> {
        nobody()
    }

    fn test_sheet(&self, _: TenantId) -> Asked<'_, Result<SheetTest, ErrandError>> {
        nobody()
    }

    fn write_sheet(&self, _: TenantId, _: NewSheetSync) -> Asked<'_, Result<(), ErrandError>> {
        nobody()
    }

    fn sheet_sync(&self, _: TenantId, _: Uuid) -> Asked<'_, Result<Option<SheetSync>, ErrandError>> {
        nobody()
    }

    fn sheet_progress(&self, _: TenantId) -> Asked<'_, Result<SheetProgress, ErrandError>> {
        nobody()
    }
}
