//! Ozon's answers with single rows damaged at random: whatever comes out is what the cabinet has. What does
//! not come out is either said to be unread, or nothing that is absent counts as gone.

use std::collections::{BTreeMap, BTreeSet};

use connectors::marketplace::{Card, CardPart, Fetched, Marketplace, StockSnapshot};
use connectors::ozon::Options;
use simulators::{Damage, Ledger, OzonSellerConfig, Units};

use crate::ozon_world::{World, options, sizes};

/// Seeds of damage.
const ROUNDS: u64 = 25;

#[tokio::test]
async fn damaged_rows_of_ozon_give_no_wrong_number_and_no_false_absence() {
    let world = World::start(OzonSellerConfig {
        products: 90,
        fbs_warehouses: 2,
        foreign_sku_percent: 10,
        ..OzonSellerConfig::default()
    })
    .await;
    let ledger = world.simulator.ledger(world.client_id(), None).unwrap();
    let key = world.simulator.api_key(world.client_id());
    let mut lost = BTreeMap::new();
    for seed in 0..ROUNDS {
        world.simulator.damage(Damage { seed, per_mille: 30 });
        let options = Options {
            fbs_page: 50,
            ..options()
        };
        let client = world.client_with(&key, options);
        let mut cards: Vec<Card> = Vec::new();
        let fetched = client.cards(&mut |page| cards.extend(page)).await.unwrap();
        assert_cards(&cards, &fetched, &ledger, seed);
        let fbo = client.fbo_stock().await.unwrap();
        assert_stock(&fbo, &ledger, "fbo", seed);
        let fbs = client.fbs_stock(&sizes(&cards)).await.unwrap();
        assert_stock(&fbs, &ledger, "fbs", seed);
        let orders = client.orders(world.week()).await.unwrap();
        let truth: BTreeMap<&str, (i64, i64)> = ledger
            .orders
            .iter()
            .map(|order| (order.id.as_str(), (order.article, order.quantity)))
            .collect();
        for order in &orders.items {
            let told = (order.nm_id, i64::from(order.quantity));
            assert_eq!(
                Some(&told),
                truth.get(order.srid.as_str()),
                "{seed}: {}",
                order.srid
            );
        }
        assert!(orders.outcome.left_out == 0 || !orders.complete, "{seed}");
        for (source, count) in [
            ("cards", fetched.outcome.left_out),
            ("fbo", fbo.outcome.left_out),
            ("fbs", fbs.outcome.left_out),
            ("orders", orders.outcome.left_out),
        ] {
            *lost.entry(source).or_insert(0) += count;
        }
    }
    assert!(lost.values().all(|count| *count > 10), "{lost:?}");
}

/// What is told of a card is true, and every card that is not told is said to be unread.
fn assert_cards(cards: &[Card], fetched: &Fetched<()>, ledger: &Ledger, seed: u64) {
    let mut known: BTreeSet<i64> = fetched.outcome.unread.iter().copied().collect();
    for card in cards {
        let truth = ledger.listed().find(|product| product.article == card.nm_id);
        let truth = truth.unwrap_or_else(|| panic!("{seed}: {card:?}"));
        for (part, told, wanted) in [
            (CardPart::VendorCode, &card.vendor_code, &truth.vendor_code),
            (CardPart::Title, &card.title, &truth.title),
            (CardPart::Brand, &card.brand, &truth.brand),
            (CardPart::Subject, &card.subject, &truth.subject),
        ] {
            assert!(
                told == wanted || card.unreported.contains(&part),
                "{seed}: {card:?}"
            );
        }
        known.insert(card.nm_id);
    }
    let all = ledger.listed().all(|product| known.contains(&product.article));
    assert!(all || !fetched.complete, "{seed}: {:?}", fetched.outcome);
}

/// Every level that is told is true; every other one is empty, unread, or not proven to be gone.
fn assert_stock(fetched: &Fetched<StockSnapshot>, ledger: &Ledger, scheme: &str, seed: u64) {
    let stock = &fetched.items;
    let mut truth: BTreeMap<(i64, String), Units> = BTreeMap::new();
    for (article, levels) in ledger.stock() {
        for (key, units) in levels.into_iter().filter(|(key, _)| key.starts_with(scheme)) {
            truth.insert((article, key), units);
        }
    }
    for row in stock.levels() {
        let level = row.level;
        let told: Units = [level.available, level.in_way_to_client, level.in_way_from_client];
        let wanted = truth.remove(&(row.nm_id, row.warehouse.key.clone()));
        assert_eq!(
            told,
            wanted.unwrap_or_default(),
            "{seed}: {} {}",
            row.nm_id,
            row.warehouse.key
        );
    }
    if !fetched.complete {
        assert!(fetched.outcome.trouble.is_some(), "{seed}");
        return;
    }
    for ((article, key), units) in truth {
        let product = stock.product(article);
        let unread = product.is_some_and(|product| {
            product.torn || stock.unread_warehouses(product).any(|unread| unread == key)
        });
        assert!(
            unread || units == Units::default(),
            "{seed}: {article} {key} {units:?}"
        );
    }
}
