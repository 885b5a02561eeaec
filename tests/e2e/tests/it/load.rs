//! Load that goes on while things are killed: shops that live, syncs one after the other, and a stream of
//! commands whose every answer is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use support::connect;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::checks;
use crate::seller::{Answer, Seller, number, text};
use crate::world::World;

/// A command that is not answered by then is let go on beside the next ones.
const PROMPT: Duration = Duration::from_secs(2);

/// A command that was acknowledged.
struct Acknowledged {
    method: Method,
    path: String,
    key: String,
    body: Value,
    answer: Answer,
}

/// The running load.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    /// Length of the log before.
    from: i64,
    shops: JoinHandle<()>,
    commands: Vec<(Seller, JoinHandle<Vec<Acknowledged>>)>,
}

impl Load {
    pub(crate) async fn begin(world: &Arc<World>, sellers: &[Seller]) -> Self {
        let from = checks::head(&connect(&world.database()).await).await;
        let stop = Arc::new(AtomicBool::new(false));
        let shops = tokio::spawn(live(Arc::clone(world), Arc::clone(&stop)));
        let mut commands = Vec::new();
        for seller in sellers {
            let renames = tokio::spawn(rename(seller.clone(), Arc::clone(&stop)));
            let syncs = tokio::spawn(sync(seller.clone(), Arc::clone(&stop)));
            commands.extend([(seller.clone(), renames), (seller.clone(), syncs)]);
        }
        Self {
            stop,
            from,
            shops,
            commands,
        }
    }

    /// Ends the load. Every acknowledged command has happened exactly once, asking again gives the same
    /// answer, and nothing happened that was not acknowledged.
    pub(crate) async fn end(self, world: &World) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.shops.await.unwrap();
        let client = connect(&world.database()).await;
        let mut total = 0;
        let mut acknowledged: BTreeMap<Uuid, BTreeSet<i64>> = BTreeMap::new();
        for (seller, task) in self.commands {
            let positions = acknowledged.entry(seller.tenant).or_default();
            for done in task.await.unwrap() {
                total += 1;
                positions.extend(happened_once(&client, &seller, &done).await);
                let again = seller
                    .insist(done.method.clone(), &done.path, &done.key, &done.body)
                    .await;
                // From the kept answer, or from the log where the answer could not be kept: it says the same.
                assert_eq!(
                    (again.status, &again.body),
                    (done.answer.status, &done.answer.body)
                );
            }
        }
        for (tenant, positions) in acknowledged {
            let sql = "SELECT position FROM core.events WHERE tenant_id = $1 AND position > $2 \
                       AND event_type IN ('tenant_renamed', 'sync_requested')";
            let rows = client.query(sql, &[&tenant, &self.from]).await.unwrap();
            let all: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(all, positions, "what happened, and what was acknowledged");
        }
        total
    }
}

/// The event of a command is where its answer says, and there is no other; none at all where a sync was
/// waiting already. Returns its position.
async fn happened_once(client: &Client, seller: &Seller, done: &Acknowledged) -> Option<i64> {
    let wanted = &done.answer.body;
    let id: Uuid = text(wanted, "command_id").parse().unwrap();
    let sql = "SELECT position, sequence FROM core.events WHERE command_id = $1 AND tenant_id = $2";
    let rows = client.query(sql, &[&id, &seller.tenant]).await.unwrap();
    let happened: Vec<(i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let told = (number(wanted, "position"), number(wanted, "version"));
    let was_waiting = wanted["was_waiting"] == json!(true);
    let expected: &[(i64, i64)] = if was_waiting { &[] } else { &[told] };
    assert_eq!(happened, expected, "{} {}: {wanted}", done.method, done.path);
    (!was_waiting).then_some(told.0)
}

/// The shops sell and restock.
async fn live(world: Arc<World>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        world.wildberries.advance(1);
        world.wildberries.mutate_fraction(0.05);
        // pause: the load of a shop that lives on, not a wait
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One rename after the other, each with a key of its own.
async fn rename(seller: Seller, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
    let mut given = Given::default();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let body = json!({ "name": format!("Name {number}") });
        given
            .one(
                &seller,
                Method::PATCH,
                "/tenants/me",
                format!("load {number}"),
                body,
            )
            .await;
        number += 1;
        // pause: the load of a seller who types, not a wait
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    given.all().await
}

/// One sync after the other, every second one forced: what fails has to be right again either way.
async fn sync(seller: Seller, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
    let mut given = Given::default();
    let path = format!("/cabinets/{}/syncs", seller.cabinet);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let (key, body) = (format!("load {number}"), json!({ "forced": number % 2 == 0 }));
        let asked = given.one(&seller, Method::POST, &path, key, body).await;
        number += 1;
        if let Some(asked) = asked {
            seller.ended(asked.text("operation_id")).await;
        }
    }
    given.all().await
}

/// Commands one after the other, each repeated until it is answered. One whose process was killed is answered
/// 90 s later; the next ones do not wait for it.
#[derive(Default)]
struct Given {
    answered: Vec<Acknowledged>,
    late: Vec<JoinHandle<Acknowledged>>,
}

impl Given {
    /// The answer, unless it is late.
    async fn one(
        &mut self,
        seller: &Seller,
        method: Method,
        path: &str,
        key: String,
        body: Value,
    ) -> Option<Answer> {
        let (seller, path) = (seller.clone(), path.to_owned());
        let mut giving = tokio::spawn(async move {
            let answer = seller.insist(method.clone(), &path, &key, &body).await;
            assert!((200..300).contains(&answer.status), "{answer:?}");
            Acknowledged {
                method,
                path,
                key,
                body,
                answer,
            }
        });
        if let Ok(answered) = tokio::time::timeout(PROMPT, &mut giving).await {
            let answered = answered.unwrap();
            let answer = answered.answer.clone();
            self.answered.push(answered);
            return Some(answer);
        }
        self.late.push(giving);
        None
    }

    async fn all(mut self) -> Vec<Acknowledged> {
        for giving in self.late {
            self.answered.push(giving.await.unwrap());
        }
        self.answered
    }
}
