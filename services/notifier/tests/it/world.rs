//! A migrated database with members, the simulated Telegram, and the fan-out and the sender between them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use application::register::{self, Registered};
use application::{App, Context, telegram};
use auth::Email;
use chrono::{DateTime, TimeDelta, Utc};
use connectors::http::HttpClient;
use connectors::telegram::{BotToken, Lane, Limits, Options, Pace, Telegram};
use database::{Pool, Role};
use event_store::{Append, EventStore, StreamId, Wake};
use events::alert::{AlertCause, Seen, StockBecameLow, StockOut, StockRecovered};
use events::ids::{CabinetId, CommandId, EventId, ProductId, TenantId, UserId};
use events::sheet::LowStock;
use events::{Event, Metadata, NewEvent, StreamType};
use notifications::{Chats, Language, Lease, Work};
use notifier::fan_out::{FanOutOptions, Fanning, Outcome};
use notifier::sender::{Sender, SenderOptions};
use notifier::texts::Texts;
use runtime::{Clock, Ids};
use simulators::TelegramConfig;
use simulators::telegram::Person;
use support::Database;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{MasterKeys, Vault};

pub(crate) const ALL: Duration = Duration::from_secs(60);

pub(crate) struct World {
    _database: Database,
    pub(crate) admin: Client,
    pub(crate) sim: simulators::Telegram,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    /// As the API.
    pub(crate) api: App,
    /// As the notifier.
    pub(crate) app: App,
    pub(crate) pool: Pool,
    pub(crate) told: Arc<Mutex<HashMap<&'static str, u64>>>,
    pub(crate) limits: Limits,
}

/// A member with a linked chat.
pub(crate) struct Member {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) person: Person,
}

fn app_of(database: &Database, role: Role) -> (App, Pool) {
    let pool = Pool::open(&database.url.clone().into(), role, 6).unwrap();
    let (store, _task) = EventStore::start(pool.clone(), Wake::default());
    let ring = format!("v1:{}=", "Bw".repeat(21) + "c");
    let keys = MasterKeys::parse(&ring.into()).unwrap();
    (App::new(store, Vault::new(pool.clone(), keys)), pool)
}

impl World {
    pub(crate) async fn start() -> Self {
        let template = support::template("notifier", |url| async move {
            let url = url.into();
            database::migrate(&url).await?;
            read_models::schema::install(&url).await
        })
        .await;
        let database = support::fresh_database(Some(&template)).await;
        let (api, _) = app_of(&database, Role::Api);
        let (app, pool) = app_of(&database, Role::Notifier);
        Self {
            admin: support::connect(&database.url).await,
            sim: simulators::Telegram::start(TelegramConfig::default())
                .await
                .unwrap(),
            clock: Clock::manual("2026-11-02T09:00:00Z".parse().unwrap()),
            ids: Ids::seeded(7),
            api,
            app,
            pool,
            told: Arc::default(),
            limits: Limits::default(),
            _database: database,
        }
    }

    pub(crate) fn context(&self, tenant_id: TenantId) -> Context {
        let command_id = self.ids.next();
        Context {
            tenant_id,
            actor: "worker".into(),
            command_id: CommandId(command_id),
            correlation_id: command_id,
            causation_id: None,
            traceparent: None,
            now: self.clock.now(),
        }
    }

    /// An owner whose chat is linked.
    pub(crate) async fn owner(&self, name: &str) -> Member {
        let command = self.ids.next();
        let tenant = register::tenant_of(CommandId(command));
        let context = Context {
            command_id: CommandId(command),
            ..self.context(tenant)
        };
        let input = register::Input {
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            password: "верная лошадь батарейка".into(),
            company_name: "ИП Соколова".into(),
            display_name: "Анна".into(),
        };
        let Registered {
            tenant_id, user_id, ..
        } = register::execute(&self.api, &context, input).await.unwrap();
        let person = self.sim.person(name);
        person.sends("/start");
        self.link(tenant_id, user_id, person.id()).await;
        Member {
            tenant: tenant_id,
            user: user_id,
            person,
        }
    }

    pub(crate) async fn link(&self, tenant: TenantId, user: UserId, chat: i64) {
        let chats = Chats::new(self.api.store.pool().clone());
        let language = Some(Language::Russian);
        chats
            .link(tenant, user, chat, language, self.clock.now())
            .await
            .unwrap();
        telegram::link(&self.api, &self.context(tenant), user)
            .await
            .unwrap();
    }

    /// Owners with nothing but a login, an own tenant and a chat, in the tables only: many are made quickly.
    pub(crate) async fn bare_owners(&self, number: usize) -> Vec<Member> {
        let mut members = Vec::new();
        for at in 0..number {
            let name = format!("m{at}");
            let person = self.sim.person(&name);
            person.sends("/start");
            let (tenant, user) = (TenantId(self.ids.next()), UserId(self.ids.next()));
            let email = format!("{name}@example.com");
            let sql = "INSERT INTO core.accounts (tenant_id, user_id, email, email_key, password_phc, role, state, \
                       created_at) VALUES ($1, $2, $3, $3, '', 'owner', 'active', now())";
            self.admin
                .execute(sql, &[&tenant.uuid(), &user.uuid(), &email])
                .await
                .unwrap();
            let sql = "INSERT INTO core.telegram_chats (tenant_id, user_id, chat_id, linked_at) \
                       VALUES ($1, $2, $3, now())";
            self.admin
                .execute(sql, &[&tenant.uuid(), &user.uuid(), &person.id()])
                .await
                .unwrap();
            members.push(Member { tenant, user, person });
        }
        members
    }

    /// Appends to a stream's end, as the policies do.
    pub(crate) async fn append(&self, tenant: TenantId, stream: StreamType, id: Uuid, events: Vec<Event>) {
        let sql = "SELECT coalesce(max(sequence), 0) FROM core.events \
                    WHERE aggregate_type = $1 AND aggregate_id = $2";
        let row = self
            .admin
            .query_one(sql, &[&stream.as_str(), &id.to_string()])
            .await
            .unwrap();
        let events = events
            .into_iter()
            .map(|event| NewEvent {
                event_id: EventId(self.ids.next()),
                event,
            })
            .collect();
        let command = self.ids.next();
        let append = Append {
            stream: StreamId { stream, id },
            expected: row.get(0),
            metadata: Metadata {
                tenant_id: tenant,
                command_id: CommandId(command),
                correlation_id: command,
                causation_id: None,
                actor: "worker".into(),
                traceparent: None,
            },
            events,
            result: None,
        };
        self.app.store.append(append).await.unwrap();
    }

    /// Something happens to a product of a member's tenant.
    pub(crate) async fn alert(&self, member: &Member, product: u128, event: Event) {
        let id = product_of(member, product);
        self.append(member.tenant, StreamType::Alert, id.uuid(), vec![event])
            .await;
    }

    pub(crate) fn fanning(&self) -> Fanning {
        let told = Arc::clone(&self.told);
        Fanning {
            pool: self.pool.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            options: FanOutOptions::default(),
            observer: Arc::new(move |outcome: Outcome, _, _, number| {
                *told.lock().unwrap().entry(outcome.as_str()).or_default() += number;
            }),
        }
    }

    /// Makes the notices of everything that has happened.
    pub(crate) async fn fan_out(&self) {
        let lease = Lease::take(&self.pool, Work::FanOut, self.ids.next(), Duration::from_secs(60))
            .await
            .unwrap()
            .unwrap();
        while self.fanning().round(&lease).await.unwrap() > 0 {}
        lease.release(&self.pool).await.unwrap();
    }

    pub(crate) fn sender(&self) -> Sender {
        let told = Arc::clone(&self.told);
        Sender {
            app: self.app.clone(),
            pool: self.pool.clone(),
            telegram: client(self.sim.url(), self.sim.token(), self.limits),
            texts: Texts::load().unwrap(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            options: SenderOptions {
                poll: Duration::from_millis(20),
                lease: Duration::from_millis(900),
                quiet: TimeDelta::zero(),
                first_pause: Duration::from_millis(20),
                longest_pause: Duration::from_millis(200),
                ..SenderOptions::default()
            },
            observer: Arc::new(move |outcome: Outcome, _, _, number| {
                *told.lock().unwrap().entry(outcome.as_str()).or_default() += number;
            }),
        }
    }

    /// Runs a sender until `done` answers true.
    pub(crate) async fn send_until(&self, what: &str, mut done: impl AsyncFnMut() -> Result<(), String>) {
        let (sender, stop) = (self.sender(), CancellationToken::new());
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { sender.run(stop).await }
        });
        let done = tokio::sync::Mutex::new(&mut done);
        support::eventually(what, ALL, || async {
            let mut done = done.lock().await;
            done().await
        })
        .await;
        stop.cancel();
        running.await.unwrap();
    }

    /// Sends until nothing that is due waits.
    pub(crate) async fn send_all(&self) {
        let now = self.clock.now();
        self.send_until("everything is sent", async || match self.due(now).await {
            0 => Ok(()),
            some => Err(format!("{some} wait")),
        })
        .await;
    }

    async fn due(&self, now: DateTime<Utc>) -> i64 {
        let sql = "SELECT count(*) FROM core.notices WHERE state IN ('waiting', 'sending') AND due_at <= $1";
        self.admin.query_one(sql, &[&now]).await.unwrap().get(0)
    }

    /// State and reason of a member's notices, in order.
    pub(crate) async fn states(&self, member: &Member) -> Vec<String> {
        let sql = "SELECT kind || ' ' || state || coalesce(' ' || reason, '') FROM core.notices \
                    WHERE user_id = $1 ORDER BY position";
        let rows = self.admin.query(sql, &[&member.user.uuid()]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        assert!(self.clock.advance(TimeDelta::seconds(seconds)));
    }
}

impl Member {
    /// Texts that the bot sent, the oldest first.
    pub(crate) fn got(&self) -> Vec<String> {
        let mine = self.person.id();
        let from_bot = self
            .person
            .sees()
            .into_iter()
            .filter(|seen| seen.from != Some(mine));
        from_bot.map(|seen| seen.text).collect()
    }
}

pub(crate) fn product_of(member: &Member, number: u128) -> ProductId {
    ProductId(Uuid::new_v5(&member.tenant.uuid(), &number.to_be_bytes()))
}

fn seen(cause: AlertCause) -> Seen {
    Seen {
        cabinet_id: CabinetId(Uuid::from_u128(4)),
        nm_id: 7_001,
        warehouse: None,
        warehouse_name: None,
        available: 2,
        orders: Some(7),
        days_tenths: Some(20),
        position: 1,
        at: "2026-11-02T08:00:00Z".parse().unwrap(),
        cause,
        sync_id: None,
        rule_id: None,
    }
}

pub(crate) fn low() -> Event {
    low_by(AlertCause::Sync)
}

pub(crate) fn low_by(cause: AlertCause) -> Event {
    let low = StockBecameLow {
        seen: seen(cause),
        low: LowStock::default(),
        lost: None,
    };
    Event::Alert(low.into())
}

pub(crate) fn out() -> Event {
    let out = StockOut {
        seen: seen(AlertCause::Sync),
        pace_milli: None,
        price_minor: None,
        currency: None,
    };
    Event::Alert(out.into())
}

pub(crate) fn recovered() -> Event {
    let recovered = StockRecovered {
        seen: seen(AlertCause::Sync),
        since: "2026-11-02T08:00:00Z".parse().unwrap(),
        lost: None,
    };
    Event::Alert(recovered.into())
}

/// A client of its own, at a pace of its own.
pub(crate) fn client(url: &str, token: &str, limits: Limits) -> Telegram {
    let options = Options {
        url: url.to_owned(),
        ..Options::default()
    };
    let http = HttpClient::new(Arc::new(connectors::http::NoObserver)).unwrap();
    let token = BotToken::parse(token.to_owned().into()).unwrap();
    Telegram::new(http, token, options).paced(&Pace::new(limits), Lane::Notice)
}
