//! What Stripe sent is kept once, given out by customer, and destroyed in time.

use billing::{Backlog, End, Inbox, Received};
use chrono::{DateTime, TimeDelta, Utc};
use database::{Pool, Role};
use support::Database;

struct World {
    api: Inbox,
    worker: Inbox,
    database: Database,
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl World {
    async fn open() -> Self {
        let template = support::template("core", |url| async move {
            database::migrate(&url.into()).await.map(drop)
        })
        .await;
        let database = support::fresh_database(Some(&template)).await;
        let inbox = |role| Inbox::new(Pool::open(&database.url.clone().into(), role, 4).unwrap());
        Self {
            api: inbox(Role::Api),
            worker: inbox(Role::Worker),
            database,
        }
    }

    async fn store(&self, id: &str, customer: Option<&str>, now: DateTime<Utc>) -> bool {
        let received = Received {
            event_id: id,
            event_type: "invoice.paid",
            api_version: None,
            customer,
            body: b"{\"email\": \"anna@example.com\"}",
        };
        self.api.store(&received, now).await.unwrap()
    }

    async fn claimed(&self, now: DateTime<Utc>) -> Vec<String> {
        let until = now + TimeDelta::minutes(10);
        let claimed = self.worker.claim(now, until, 100).await.unwrap();
        let mut ids: Vec<_> = claimed.into_iter().map(|event| event.event_id).collect();
        ids.sort();
        ids
    }

    /// Id, state, and whether there is a body.
    async fn kept(&self) -> Vec<(String, String, bool)> {
        let admin = support::connect(&self.database.url).await;
        let sql = "SELECT event_id, state, body IS NOT NULL FROM core.stripe_events ORDER BY event_id";
        let rows = admin.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    }
}

fn kept(id: &str, state: &str, body: bool) -> (String, String, bool) {
    (id.to_owned(), state.to_owned(), body)
}

#[tokio::test]
async fn an_event_is_stored_once_and_given_out_with_others_of_its_customer() {
    let world = World::open().await;
    let now = at("2026-11-01T00:00:00Z");
    assert!(world.store("evt_1", Some("cus_1"), now).await);
    assert!(
        !world
            .store("evt_1", Some("cus_1"), now + TimeDelta::days(3))
            .await
    );
    for (id, customer) in [
        ("evt_2", Some("cus_2")),
        ("evt_3", Some("cus_1")),
        ("evt_4", None),
    ] {
        assert!(world.store(id, customer, now + TimeDelta::seconds(1)).await);
    }
    let later = now + TimeDelta::seconds(2);
    assert_eq!(world.claimed(later).await, ["evt_1", "evt_3"]);
    assert_eq!(world.claimed(later).await.len(), 1);
    assert_eq!(world.claimed(later).await.len(), 1);
    assert!(world.claimed(later).await.is_empty(), "all are taken up");
    let expired = later + TimeDelta::minutes(10);
    assert_eq!(world.claimed(expired).await.len(), 2, "a claim runs out");
}

#[tokio::test]
async fn two_workers_never_take_up_the_same_event() {
    let world = World::open().await;
    let now = at("2026-11-01T00:00:00Z");
    for number in 0..40 {
        let customer = format!("cus_{}", number % 7);
        world.store(&format!("evt_{number}"), Some(&customer), now).await;
    }
    let take = async || {
        let mut taken = Vec::new();
        loop {
            let claimed = world.claimed(now).await;
            if claimed.is_empty() {
                return taken;
            }
            taken.extend(claimed);
        }
    };
    let (one, two) = tokio::join!(take(), take());
    let mut all = [one, two].concat();
    all.sort();
    let taken = all.len();
    all.dedup();
    assert_eq!((all.len(), taken), (40, 40));
}

#[tokio::test]
async fn an_event_that_was_put_off_comes_again_and_one_that_ended_does_not() {
    let world = World::open().await;
    let now = at("2026-11-01T00:00:00Z");
    for id in ["evt_done", "evt_failed", "evt_ignored", "evt_late"] {
        world.store(id, None, now).await;
        world.claimed(now).await;
    }
    let worker = &world.worker;
    let soon = now + TimeDelta::seconds(5);
    worker
        .put_off("evt_late", soon, "Stripe could not be asked")
        .await
        .unwrap();
    for (id, end) in [
        ("evt_done", End::Done),
        ("evt_ignored", End::Ignored("not ours".to_owned())),
        ("evt_failed", End::Failed("no JSON".to_owned())),
    ] {
        worker.finish(id, Some("cus_1"), &end, now).await.unwrap();
        // What a slow process says afterwards changes nothing.
        worker.put_off(id, now, "too late").await.unwrap();
    }
    let backlog = Backlog {
        pending: 1,
        oldest: Some(now),
        failed: 1,
    };
    assert_eq!(worker.backlog().await.unwrap(), backlog);
    assert!(world.claimed(now + TimeDelta::seconds(4)).await.is_empty());
    assert_eq!(world.claimed(soon).await, ["evt_late"]);
    let expected = [
        kept("evt_done", "done", true),
        kept("evt_failed", "failed", true),
        kept("evt_ignored", "ignored", false),
        kept("evt_late", "pending", true),
    ];
    assert_eq!(world.kept().await, expected);
}

#[tokio::test]
async fn bodies_go_after_thirty_days_or_with_their_customer_and_waiting_ones_stay() {
    let world = World::open().await;
    let now = at("2026-11-01T00:00:00Z");
    let worker = &world.worker;
    for id in ["evt_old", "evt_foreign"] {
        world.store(id, Some("cus_1"), now).await;
    }
    world.store("evt_waiting", Some("cus_2"), now).await;
    worker.finish("evt_old", None, &End::Done, now).await.unwrap();
    let ignored = End::Ignored("not ours".to_owned());
    worker.finish("evt_foreign", None, &ignored, now).await.unwrap();
    assert_eq!(worker.purge(now + TimeDelta::days(30)).await.unwrap(), 0);
    worker.purge(now + TimeDelta::days(31)).await.unwrap();
    let expected = [
        kept("evt_foreign", "ignored", false),
        kept("evt_old", "done", false),
        kept("evt_waiting", "pending", true),
    ];
    assert_eq!(world.kept().await, expected);
    worker.purge(now + TimeDelta::days(61)).await.unwrap();
    assert_eq!(world.kept().await, expected[1..]);
    worker.destroy("cus_2", now).await.unwrap();
    let gone = [
        kept("evt_old", "done", false),
        kept("evt_waiting", "ignored", false),
    ];
    assert_eq!(world.kept().await, gone);
}

#[tokio::test]
async fn the_api_may_store_and_sees_nothing_of_what_is_stored() {
    let world = World::open().await;
    let now = at("2026-11-01T00:00:00Z");
    world.store("evt_1", None, now).await;
    world.api.claim(now, now, 1).await.unwrap_err();
    world.api.backlog().await.unwrap_err();
    assert!(world.api.has("evt_1").await.unwrap());
}
