//! Load that goes on while things are killed: shops that live, syncs one after the other, and a stream of
//! commands whose every answer is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use support::connect;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::checks::PATIENCE;
use crate::seller::{Answer, Seller, number, text};
use crate::world::World;

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
    shops: JoinHandle<()>,
    commands: Vec<(Seller, JoinHandle<Vec<Acknowledged>>)>,
}

impl Load {
    pub(crate) fn begin(world: &Arc<World>, sellers: &[Seller]) -> Self {
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
            shops,
            commands,
        }
    }

    /// Ends the load. Every acknowledged command has happened exactly once, and asking again gives the same
    /// answer.
    pub(crate) async fn end(self, world: &World) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.shops.await.unwrap();
        let client = connect(&world.database()).await;
        let mut total = 0;
        for (seller, task) in self.commands {
            for done in task.await.unwrap() {
                total += 1;
                let wanted = &done.answer.body;
                let id: Uuid = text(wanted, "command_id").parse().unwrap();
                let rows = client
                    .query(
                        "SELECT position, sequence FROM core.events WHERE command_id = $1 AND tenant_id = $2",
                        &[&id, &seller.tenant],
                    )
                    .await
                    .unwrap();
                let happened: Vec<(i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
                if wanted["was_waiting"] == json!(true) {
                    assert_eq!(
                        happened,
                        [],
                        "a sync that was waiting is not asked for again: {wanted}"
                    );
                } else {
                    let told = (number(wanted, "position"), number(wanted, "version"));
                    assert_eq!(happened, [told], "{} {}: {wanted}", done.method, done.path);
                }
                let again = seller
                    .insist(done.method.clone(), &done.path, &done.key, &done.body)
                    .await;
                // From the kept answer, or from the log where the answer could not be kept: it says the same.
                assert_eq!((again.status, &again.body), (done.answer.status, wanted));
            }
        }
        total
    }
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

/// One rename after the other, each with a key of its own and repeated until answered. One whose process was killed
/// is answered late; the next ones do not wait for it.
async fn rename(seller: Seller, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
    let (mut done, mut late) = (Vec::new(), Vec::new());
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut one = tokio::spawn(rename_once(seller.clone(), number));
        match tokio::time::timeout(Duration::from_secs(2), &mut one).await {
            Ok(answered) => done.push(answered.unwrap()),
            Err(_elapsed) => late.push(one),
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    for one in late {
        done.push(one.await.unwrap());
    }
    done
}

async fn rename_once(seller: Seller, number: u32) -> Acknowledged {
    let (path, key) = ("/tenants/me".to_owned(), format!("load {number}"));
    let body = json!({ "name": format!("Name {number}") });
    let answer = seller.insist(Method::PATCH, &path, &key, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    Acknowledged {
        method: Method::PATCH,
        path,
        key,
        body,
        answer,
    }
}

/// One forced sync after the other.
async fn sync(seller: Seller, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
    let mut done = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let key = format!("load {}", done.len());
        let (sync, answer) = seller.ask_for_sync(&key).await;
        let path = format!("/cabinets/{}/syncs", seller.cabinet);
        done.push(Acknowledged {
            method: Method::POST,
            path,
            key,
            body: json!({ "forced": true }),
            answer,
        });
        seller.ended(&sync, PATIENCE).await;
    }
    done
}
