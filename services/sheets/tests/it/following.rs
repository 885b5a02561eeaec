//! The whole role over a real broker: events and questions in, cells out, whatever the broker does.

use std::time::Duration;

use chrono::TimeDelta;
use database::{Pool, Role};
use events::Recorded;
use messaging::async_nats::jetstream::message::PublishMessage;
use messaging::{Broker, BrokerOptions, EventsConsumer, headers, rpc, topology};
use sheets::wire::{SYNC, Sync, SyncAnswer, TEST, Test, TestAnswer};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{Seller, World, lines};

/// How the broker tells of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Once,
    Twice,
    /// After the next one.
    Late,
    Never,
    /// And of the first event of all once more.
    WithTheFirst,
}

/// A broker that tells of events as badly as it is made to, and the role's link to it.
pub(crate) struct Teller {
    _server: support::Own<support::Nats>,
    pub(crate) broker: Broker,
    consumer: Option<EventsConsumer>,
    told: i64,
}

impl Teller {
    pub(crate) async fn start() -> Self {
        let (server, broker) = broker().await;
        Self {
            _server: server,
            broker,
            consumer: None,
            told: 0,
        }
    }

    /// Tells of everything new, in turn like this, and lets the role follow for one batch.
    pub(crate) async fn tell(&mut self, world: &World, tellings: &[Telling]) {
        let all = world.recorded_after(0).await;
        let new = all.iter().filter(|event| event.position > self.told);
        let mut order: Vec<&Recorded> = Vec::new();
        let mut late: Option<&Recorded> = None;
        for (event, telling) in new.zip(tellings.iter().cycle()) {
            let before = late.take();
            match telling {
                Telling::Once => order.push(event),
                Telling::Twice => order.extend([event, event]),
                Telling::Late => late = Some(event),
                Telling::Never => {}
                Telling::WithTheFirst => order.extend([event, &all[0]]),
            }
            order.extend(before);
        }
        order.extend(late);
        self.told = all.last().map_or(0, |event| event.position);
        for event in &order {
            send(&self.broker, event, None).await;
        }
        if !order.is_empty() {
            world.sheets.follow_once(&mut self.consumer).await.unwrap();
        }
    }
}

async fn broker() -> (support::Own<support::Nats>, Broker) {
    let server = support::own_nats().await;
    let broker = Broker::connect(BrokerOptions::new(server.url(), "test"))
        .await
        .unwrap();
    assert!(broker.wait_connected(support::SOON).await);
    topology::apply(&broker).await.unwrap();
    (server, broker)
}

/// With an id the broker drops a repetition.
async fn send(broker: &Broker, event: &Recorded, id: Option<String>) {
    let mut message = PublishMessage::build()
        .payload(event.payload.clone().into())
        .headers(headers::to_headers(event, None));
    if let Some(id) = id {
        message = message.message_id(id);
    }
    let subject = events::subject::of(event);
    let sent = broker.jetstream().send_publish(subject, message).await.unwrap();
    sent.await.unwrap();
}

struct Running {
    _server: support::Own<support::Nats>,
    broker: Broker,
    stop: CancellationToken,
    roles: Vec<tokio::task::JoinHandle<()>>,
}

impl Running {
    /// So many processes of the role over one broker.
    async fn start(world: &World, count: usize) -> Self {
        let (server, broker) = broker().await;
        let stop = CancellationToken::new();
        let roles = (0..count)
            .map(|_| {
                let mut options = world.options(broker.clone());
                options.coalesce = Duration::ZERO;
                tokio::spawn(sheets::run(options, stop.clone()))
            })
            .collect();
        Self {
            _server: server,
            broker,
            stop,
            roles,
        }
    }

    async fn publish(&self, world: &World, after: i64, lost: &[i64]) -> i64 {
        let events = world.recorded_after(after).await;
        for event in &events {
            if lost.contains(&event.position) {
                continue;
            }
            send(&self.broker, event, Some(event.event_id.to_string())).await;
        }
        events.last().map_or(after, |event| event.position)
    }

    async fn shows(&self, world: &World, seller: Seller, spreadsheet: &str) {
        support::eventually("the sheet to show the read model", support::SOON, || async {
            let wanted = lines(&world.expected(seller).await);
            match world.google.grid(spreadsheet, crate::world::PRODUCTS) {
                Some(grid) if lines(&grid) == wanted => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    async fn end(self) {
        self.stop.cancel();
        for role in self.roles {
            tokio::time::timeout(support::SOON, role).await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn events_from_the_broker_reach_the_sheet_and_questions_are_answered() {
    let world = World::new().await;
    let running = Running::start(&world, 1).await;
    let seller = world.worked_example().await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    world.project().await;
    let position = running.publish(&world, 0, &[]).await;
    running.shows(&world, seller, &spreadsheet).await;

    let ask = async |subject: &str, body: Vec<u8>| {
        rpc::request(&running.broker, subject, body.into(), Duration::from_secs(10)).await
    };
    let question = Test {
        tenant_id: seller.tenant,
        spreadsheet_id: None,
        credential_id: None,
    };
    let answer = ask(TEST, serde_json::to_vec(&question).unwrap()).await.unwrap();
    let answer: TestAnswer = serde_json::from_slice(&answer).unwrap();
    assert!(
        answer.usable && answer.title.as_deref() == Some("Остатки"),
        "{answer:?}"
    );
    let question = Sync {
        tenant_id: seller.tenant,
    };
    let answer = ask(SYNC, serde_json::to_vec(&question).unwrap()).await.unwrap();
    let answer: SyncAnswer = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer.position, position);
    let nobody = Sync {
        tenant_id: world.seller().tenant,
    };
    match ask(SYNC, serde_json::to_vec(&nobody).unwrap()).await {
        Err(rpc::RpcError::Refused(problem)) => {
            assert_eq!((&*problem.kind, problem.status), ("not-linked", 404));
        }
        other => panic!("{other:?}"),
    }
    running.end().await;
}

#[tokio::test]
async fn a_hole_in_the_broker_and_its_silence_are_filled_from_the_store() {
    let world = World::new().await;
    let running = Running::start(&world, 1).await;
    let seller = world.worked_example().await;
    let spreadsheet = world.spreadsheet("Остатки");
    let linked = world.link(seller, &spreadsheet, None).await;
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.project().await;
    // The link itself is lost on the way.
    running.publish(&world, 0, &[linked]).await;
    running.shows(&world, seller, &spreadsheet).await;
    // And this one is never published.
    world.stock(seller, 111_111, &[("Подольск", 37)], None).await;
    world.project().await;
    running.shows(&world, seller, &spreadsheet).await;
    running.end().await;
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_followed_from_where_it_ends() {
    let world = World::new().await;
    let running = Running::start(&world, 1).await;
    let seller = world.worked_example().await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    world.project().await;
    running.publish(&world, 0, &[]).await;
    running.shows(&world, seller, &spreadsheet).await;
    running.end().await;
    // Restored: the sheets' own tables speak of a log that was longer.
    let owner = support::connect(secrecy::ExposeSecret::expose_secret(&world.url)).await;
    let longer = "UPDATE core.sheet_position SET position = position + 50, held_until = NULL";
    owner.execute(longer, &[]).await.unwrap();
    let longer = "UPDATE core.sheet_states SET dirty_position = dirty_position + 50, \
                         written_position = written_position + 50";
    owner.execute(longer, &[]).await.unwrap();

    world.stock(seller, 111_111, &[("Подольск", 37)], None).await;
    world.project().await;
    let running = Running::start(&world, 1).await;
    running.shows(&world, seller, &spreadsheet).await;
    world.stock(seller, 111_111, &[("Подольск", 38)], None).await;
    world.project().await;
    running.shows(&world, seller, &spreadsheet).await;
    running.end().await;
}

#[tokio::test]
async fn three_processes_write_every_sheet_once() {
    let world = World::new().await;
    let running = Running::start(&world, 3).await;
    let mut all = Vec::new();
    for number in 0..5 {
        let seller = world.worked_example().await;
        let spreadsheet = world.spreadsheet(&format!("Таблица {number}"));
        world.link(seller, &spreadsheet, None).await;
        all.push((seller, spreadsheet));
    }
    world.project().await;
    running.publish(&world, 0, &[]).await;
    for (seller, spreadsheet) in &all {
        running.shows(&world, *seller, spreadsheet).await;
    }
    running.end().await;
    assert_eq!(world.calls().1, 5);
}

#[tokio::test]
async fn the_role_sees_the_log_only_through_two_functions_and_others_see_no_cells() {
    let world = World::new().await;
    let (seller, _spreadsheet) = world.written_example().await;
    let refused = async |role: Role, statement: &str| {
        let mut session = Pool::open(&world.url, role, 1)
            .unwrap()
            .tenant(seller.tenant)
            .await
            .unwrap();
        let tx = session.begin().await.unwrap();
        tx.query(statement, &[])
            .await
            .map(|rows| rows.len())
            .map_err(|error| {
                let code = error.code().map(|code| code.code().to_owned());
                assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error:?}");
            })
    };
    assert_eq!(
        refused(Role::Sheets, "SELECT 1 FROM core.events LIMIT 1").await,
        Err(())
    );
    assert_eq!(
        refused(Role::Api, "SELECT written FROM core.sheet_states").await,
        Err(())
    );
    assert_eq!(
        refused(Role::Worker, "SELECT tenant_id FROM core.sheet_states").await,
        Err(())
    );
    let status = "SELECT last_error, written_position, last_written_at FROM core.sheet_states";
    assert_eq!(refused(Role::Api, status).await, Ok(1));
    let stranger = Pool::open(&world.url, Role::Api, 1).unwrap();
    let mut session = stranger
        .tenant(events::ids::TenantId(Uuid::from_u128(1)))
        .await
        .unwrap();
    let tx = session.begin().await.unwrap();
    assert!(tx.query(status, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_second_follower_waits_for_the_first_ones_lease() {
    let world = World::new().await;
    let (seller, _spreadsheet) = world.written_example().await;
    let broker = Broker::connect(BrokerOptions::new("nats://127.0.0.1:9", "second"))
        .await
        .unwrap();
    let second = sheets::Sheets::new(world.options(broker));
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(second.catch_up_once().await.unwrap(), None);
    world.clock.advance(TimeDelta::seconds(11));
    let head = world.recorded_after(0).await.last().unwrap().position;
    assert_eq!(second.catch_up_once().await.unwrap(), Some(head));
    assert_eq!(world.sheets.catch_up_once().await.unwrap(), None);
}
