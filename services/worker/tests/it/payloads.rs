//! Raw answers are kept for audits: what was in them can be shown and proved, and nothing of a buyer's.

use std::io::Read as _;

use chrono::TimeDelta;
use database::{Pool, Role};
use events::catalog::SyncEvent;
use flate2::read::DeflateDecoder;
use sha2::{Digest as _, Sha256};
use simulators::{Effect, Fault};
use vault::{MasterKeys, Vault};
use worker::payloads::{self, PARTS, PayloadLimits};

use crate::world::{PAYLOADS, World, seller};

/// Sources that a personal token reads: cards, both kinds of stock, orders, prices.
const SOURCES: usize = 5;

impl World {
    /// Source, hash and content of every kept answer, as an auditor sees them.
    async fn kept(&self) -> Vec<(String, String, String)> {
        let pool = Pool::open(&self.database_url().to_owned().into(), Role::Audit, 2).unwrap();
        let keys = "v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
            .to_owned()
            .into();
        let vault = Vault::new(pool.clone(), MasterKeys::parse(&keys).unwrap());
        let mut session = pool.tenant(self.tenant_id).await.unwrap();
        let transaction = session.begin().await.unwrap();
        let payloads =
            "SELECT payload_id, source, sha256, parts FROM core.sync_payloads ORDER BY source, seen_at";
        let mut kept = Vec::new();
        for row in transaction.query(payloads, &[]).await.unwrap() {
            let (id, parts): (uuid::Uuid, i32) = (row.get(0), row.get(3));
            let key = vault.stored_payload_key(self.tenant_id).await.unwrap();
            let mut packed = Vec::new();
            for part in 0..parts {
                let sql = "SELECT sealed FROM core.sync_payload_parts WHERE payload_id = $1 AND part = $2";
                let row = transaction.query_one(sql, &[&id, &part]).await.unwrap();
                let sealed: Vec<u8> = row.get(0);
                packed.extend_from_slice(&key.open(PARTS, id, part, &sealed).unwrap());
            }
            let mut text = String::new();
            DeflateDecoder::new(packed.as_slice())
                .read_to_string(&mut text)
                .unwrap();
            kept.push((row.get(1), row.get(2), text));
        }
        kept
    }

    async fn kept_all(&self, count: usize) -> Vec<(String, String, String)> {
        support::eventually("the answers are kept", support::SOON, || async {
            let kept = self.kept().await;
            if kept.len() == count {
                return Ok(kept);
            }
            Err(format!("{:?}", kept.iter().map(|one| &one.0).collect::<Vec<_>>()))
        })
        .await
    }
}

#[tokio::test]
async fn what_every_source_answered_is_kept_under_the_hash_that_stands_in_the_event() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    let SyncEvent::SyncCompleted(completed) = world.last().await else {
        panic!()
    };
    let kept = world.kept_all(SOURCES).await;
    let mut told: Vec<&str> = completed
        .sources
        .iter()
        .map(|report| report.payload_sha256.as_str())
        .collect();
    told.sort_unstable();
    let mut hashes: Vec<&str> = kept.iter().map(|(_, hash, _)| hash.as_str()).collect();
    hashes.sort_unstable();
    assert_eq!(hashes, told);
    let cards = &kept.iter().find(|(source, ..)| source == "wb.cards").unwrap().2;
    for truth in world.truth().iter().filter(|truth| truth.listed) {
        assert!(cards.contains(&truth.nm_id.to_string()), "{}", truth.nm_id);
    }
}

#[tokio::test]
async fn the_hash_is_of_the_answer_as_it_came_and_buyers_are_left_out_of_what_is_kept() {
    let world = World::start(seller()).await;
    let body = r#"{"data":{"snapshotTime":"2026-10-15T08:00:00Z","currency":"RUB","orders":[{"nmId":1,
        "srid":"s1","createdAt":"2026-10-14T08:00:00Z","status":"created","isMp":false,
        "warehouseName":"Казань",        "regionName":"Татарстан","city":"Елабуга","buyer":{"name":"Иван"},"sticker":"77-12"}]}}"#;
    world.simulator.script(Fault::on(
        "/seller-analytics-api/api/analytics/v1/order-feed",
        Effect::Status {
            status: 200,
            body: body.to_owned(),
            content_type: None,
        },
    ));
    world.sync(true).await;
    let kept = world.kept_all(SOURCES).await;
    let (_, hash, text) = kept
        .iter()
        .find(|(source, ..)| source == "wb.orders.feed")
        .unwrap();
    // The period is asked for in windows; each gave the same page.
    let pages = text.lines().count();
    let raw = body.repeat(pages);
    assert_eq!(hash, &hex::encode(Sha256::digest(raw.as_bytes())));
    assert!(
        text.contains("\"srid\":\"s1\"") && text.contains("\"city\":null"),
        "{text}"
    );
    for of_a_buyer in ["Татарстан", "Елабуга", "Иван", "77-12"] {
        assert!(!text.contains(of_a_buyer), "{of_a_buyer} in {text}");
    }
}

#[tokio::test]
async fn an_answer_that_did_not_change_is_kept_once() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    let first = world.kept_all(SOURCES).await;
    world.clock.advance(TimeDelta::minutes(10));
    world.sync(true).await;
    support::eventually("the second answers were seen", support::SOON, || async {
        let admin = support::connect(world.database_url()).await;
        let sql =
            "SELECT count(*) FROM core.sync_payloads WHERE seen_at > fetched_at AND source = 'wb.cards'";
        let seen: i64 = admin.query_one(sql, &[]).await.unwrap().get(0);
        if seen == 1 { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
    let again = world.kept().await;
    let cards =
        |kept: &[(String, String, String)]| kept.iter().filter(|(source, ..)| source == "wb.cards").count();
    assert_eq!((cards(&first), cards(&again)), (1, 1));
}

#[tokio::test]
async fn a_source_that_failed_and_an_answer_that_is_too_large_leave_nothing_behind() {
    let mut world = World::start(seller()).await;
    let payloads = world.syncs.payloads.as_mut().unwrap();
    payloads.limits.of_cabinet = 2_000;
    world
        .simulator
        .script(Fault::on("/content-api/content", Effect::HtmlPage));
    world.sync(true).await;
    support::eventually("no parts are left", support::SOON, || async {
        let admin = support::connect(world.database_url()).await;
        let sql = "SELECT count(*) FROM core.sync_payload_parts q WHERE NOT EXISTS \
                   (SELECT FROM core.sync_payloads p WHERE p.payload_id = q.payload_id)";
        let left: i64 = admin.query_one(sql, &[]).await.unwrap().get(0);
        if left == 0 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    let kept = world.kept().await;
    assert!(kept.iter().all(|(source, ..)| source != "wb.cards"), "{kept:?}");
}

#[tokio::test]
async fn old_answers_and_those_beyond_the_limits_are_destroyed_oldest_first() {
    let world = World::start(seller()).await;
    world.sync(true).await;
    world.kept_all(SOURCES).await;
    let pool = world.app.store.pool();
    let purge = async |limits: PayloadLimits| {
        payloads::purge(pool, &limits, world.clock.now()).await.unwrap();
        world.kept().await.len()
    };
    assert_eq!(purge(PAYLOADS).await, SOURCES);
    assert!(world.clock.advance(TimeDelta::days(13)));
    assert_eq!(purge(PAYLOADS).await, SOURCES);
    let few = PayloadLimits {
        of_cabinet: 1,
        ..PAYLOADS
    };
    assert_eq!(purge(few).await, 0);
    world.sync(true).await;
    world.kept_all(SOURCES).await;
    let none_in_all = PayloadLimits {
        of_all: 1,
        ..PAYLOADS
    };
    assert_eq!(purge(none_in_all).await, 0);
    world.sync(true).await;
    world.kept_all(SOURCES).await;
    assert!(world.clock.advance(TimeDelta::days(15)));
    assert_eq!(purge(PAYLOADS).await, 0);
}
