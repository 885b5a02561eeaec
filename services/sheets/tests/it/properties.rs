//! Whatever happens in whatever order, facts, a seller's hands in the sheet, also between our reading and our
//! writing, answers that never come, events told late, twice or never, sizes shown and summed again, a
//! marketplace that tells nothing or nonsense: when it is quiet, the managed cells are the read model and the
//! seller's cells are the seller's. Real log, read model, role and Google over HTTP; the layout's own
//! properties cover far more cases.
//!
//! A history follows from its seed. `HISTORIES=0..500` plays other ones than those of every run.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use events::catalog::ProductEvent;
use events::ids::{ProductId, SyncId};
use events::product::ProductRelisted;
use events::sheet::{SheetLayoutChanged, Sizes};
use events::{Event, StreamType};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use simulators::google::{Habits, Quotas};
use simulators::{Effect, Fault};

use crate::damaged::{Damage, damage};
use crate::following::{Teller, Telling};
use crate::hands::{
    Edit, Hands, IDENTITY, Places, SIZE, by_hand, edit, hidden, places, struck, text, tidy_up,
};
use crate::world::{Seller, World, lines};

/// Seeds of the histories that every run plays; each starts a database and a Google of its own.
const SEEDS: std::ops::Range<u64> = 0..16;
const WAREHOUSES: [&str; 4] = ["Казань", "Тула", "Пермь", "Алексин"];
const SIZES: [(i64, &str); 2] = [(1, "S"), (2, "M")];
const NOWHERE: &str = "Без склада";
/// Articles from this one on are listed with sizes.
const SIZED: u8 = 3;

#[derive(Debug, Clone)]
enum Step {
    List(u8),
    Delist(u8),
    Rename(u8),
    Stock(u8, Vec<u8>),
    Orders(u8, u8),
    /// The role's round, with the read model before or after the marks.
    Round {
        late_model: bool,
    },
    /// The n-th call from now on ends like this.
    Cut {
        nth: u64,
        done: bool,
    },
    /// Events from here on are told again.
    Again(Index),
    /// The broker tells of what is new, one event after the other like this.
    Tell(Vec<Telling>),
    /// The seller wants a row per size, or one per product.
    Sizes(Sizes),
    Edit(Edit),
    /// The marketplace is damaged.
    Damaged(Damage),
    /// A round of which a call is held, reading or writing, while the seller does something.
    Meanwhile {
        nth: u64,
        edit: Edit,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let article = 0_u8..5;
    prop_oneof![
        3 => article.clone().prop_map(Step::List),
        1 => article.clone().prop_map(Step::Delist),
        1 => article.clone().prop_map(Step::Rename),
        4 => (article.clone(), prop::collection::vec(0_u8..6, 0..4))
            .prop_map(|(article, units)| Step::Stock(article, units)),
        2 => (article, 0_u8..5).prop_map(|(article, place)| Step::Orders(article, place)),
        5 => any::<bool>().prop_map(|late_model| Step::Round { late_model }),
        2 => (0_u64..6, any::<bool>()).prop_map(|(nth, done)| Step::Cut { nth, done }),
        1 => any::<Index>().prop_map(Step::Again),
        3 => prop::collection::vec(telling(), 1..6).prop_map(Step::Tell),
        2 => prop::sample::select(vec![Sizes::Rows, Sizes::Summed]).prop_map(Step::Sizes),
        5 => damage().prop_map(Step::Damaged),
        8 => edit().prop_map(Step::Edit),
        4 => (0_u64..4, edit()).prop_map(|(nth, edit)| Step::Meanwhile { nth, edit }),
    ]
}

fn telling() -> impl Strategy<Value = Telling> {
    prop_oneof![
        4 => Just(Telling::Once),
        2 => Just(Telling::Twice),
        2 => Just(Telling::Late),
        1 => Just(Telling::Never),
        1 => Just(Telling::WithTheFirst),
    ]
}

/// What is in the catalogue.
struct Shop {
    seller: Seller,
    listed: BTreeSet<u8>,
    known: BTreeSet<u8>,
    /// Sizes had rows at some time.
    sized: bool,
}

fn nm_id(article: u8) -> i64 {
    i64::from(article) + 500
}

async fn act(world: &World, shop: &mut Shop, hands: &mut Hands, teller: &mut Teller, step: &Step) {
    let seller = shop.seller;
    match step {
        Step::List(article) if shop.known.insert(*article) => {
            shop.listed.insert(*article);
            let (nm_id, code) = (nm_id(*article), format!("V-{article}"));
            if *article < SIZED {
                world.list(seller, nm_id, &code, "Платья").await;
            } else {
                world.list_sized(seller, nm_id, &code, &SIZES).await;
            }
        }
        Step::List(article) if shop.listed.insert(*article) => relist(world, seller, nm_id(*article)).await,
        Step::Delist(article) if shop.listed.remove(article) => {
            world.delist(seller, nm_id(*article)).await;
        }
        Step::Rename(article) if shop.listed.contains(article) => {
            hands.made += 1;
            let code = format!("V-{article}-{}", hands.made);
            world.rename(seller, nm_id(*article), &code, "=Блузки").await;
        }
        Step::Stock(article, units) if shop.listed.contains(article) => {
            let counted = units.iter().map(|units| i64::from(*units));
            let levels: Vec<(&str, i64)> = WAREHOUSES.iter().copied().zip(counted).collect();
            let way = units.first().map(|units| (i64::from(*units), 1));
            world.stock(seller, nm_id(*article), &levels, way).await;
            if let Some((name, units)) = levels.last().filter(|_| *article >= SIZED) {
                let sizes = [(1, "S", *units), (2, "M", 1)];
                world
                    .stock_sized(seller, nm_id(*article), name, units + 1, &sizes)
                    .await;
            }
        }
        Step::Orders(article, place) if shop.listed.contains(article) => {
            let name = WAREHOUSES.get(usize::from(*place)).copied().unwrap_or_default();
            world.orders(seller, nm_id(*article), &[(name, 2)]).await;
        }
        Step::Tell(tellings) => teller.tell(world, tellings).await,
        Step::Sizes(sizes) => {
            shop.sized |= *sizes == Sizes::Rows;
            let chosen = SheetLayoutChanged {
                sizes: *sizes,
                ..SheetLayoutChanged::default()
            };
            world.choose(seller, chosen).await;
        }
        Step::Round { late_model } => {
            if *late_model {
                world.mark().await;
                // Long enough for whatever failed to be tried again.
                world.clock.advance(TimeDelta::seconds(400));
            }
            world.round().await;
        }
        Step::Cut { nth, done } => {
            let effect = if *done {
                Effect::DoneButFailed
            } else {
                Effect::Status {
                    status: 503,
                    body: String::new(),
                    content_type: None,
                }
            };
            world
                .google
                .script(Fault::on("/v4/", effect).after(*nth).times(1));
        }
        Step::Again(place) => {
            let head = world.recorded_after(0).await.len();
            let client = support::connect(secrecy::ExposeSecret::expose_secret(&world.url)).await;
            let from = i64::try_from(place.index(head + 1)).unwrap();
            client
                .execute(
                    "UPDATE core.sheet_position SET position = least(position, $1)",
                    &[&from],
                )
                .await
                .unwrap();
        }
        Step::Damaged(damage) => {
            let listed = |article: u8| shop.listed.contains(&article).then(|| nm_id(article));
            world.strike(seller, &WAREHOUSES, listed, damage).await;
        }
        Step::Edit(edit) => by_hand(world, hands, edit),
        Step::Meanwhile { nth, edit } => round_while(world, *nth, || by_hand(world, hands, edit)).await,
        _ => {}
    }
}

/// A round whose n-th call is held until the person has acted; they act in any case.
async fn round_while(world: &World, nth: u64, act: impl FnOnce()) {
    world.mark().await;
    world.clock.advance(TimeDelta::seconds(400));
    world.google.script(
        Fault::on("/v4/", Effect::Hang { millis: None })
            .after(nth)
            .times(1),
    );
    let mut act = Some(act);
    let round = world.round();
    tokio::pin!(round);
    loop {
        tokio::select! {
            _ = &mut round => break,
            () = world.google.until_held(1), if act.is_some() => {
                if let Some(act) = act.take() {
                    act();
                }
                world.google.release();
            }
        }
    }
    // A hold that met no call would hold one for which nobody waits.
    world.google.clear_faults();
    if let Some(act) = act {
        act();
    }
}

/// A product that had left the catalogue is in it again.
async fn relist(world: &World, seller: Seller, nm_id: i64) {
    let event = ProductEvent::ProductRelisted(ProductRelisted {
        sync_id: SyncId(uuid::Uuid::from_u128(78)),
    });
    let id = ProductId::of(seller.cabinet, nm_id).uuid();
    let events = vec![Event::Product(event)];
    world.append(seller.tenant, StreamType::Product, id, events).await;
}

/// The log is followed to its end and no mark is missing, whatever the broker told.
async fn followed(world: &World, seller: Seller) -> Result<(), TestCaseError> {
    world.mark().await;
    let state = world.state(seller).await;
    let (dirty, written): (i64, i64) = (state.get("dirty_position"), state.get("written_position"));
    let last = world.recorded_after(0).await.last().map(|event| event.position);
    prop_assert!(last <= Some(dirty.max(written)), "{last:?}, {dirty}, {written}");
    Ok(())
}

/// Everything is quiet: what is due is written, and what people overwrote is read.
async fn settle(world: &World, seller: Seller, hands: &Hands) -> Result<(), TestCaseError> {
    world.google.clear_faults();
    tidy_up(world, hands);
    let question = sheets::wire::Sync {
        tenant_id: seller.tenant,
    };
    let mut last = sheets::Round::default();
    for _ in 0..3 {
        world.clock.advance(TimeDelta::seconds(400));
        world.project().await;
        world.mark().await;
        world.sheets.sync(question.clone()).await.unwrap();
        last = world.round().await;
    }
    let error = world.error(seller).await;
    prop_assert_eq!(last.failed, 0, "{:?}", error);
    world.google.clear_calls();
    world.clock.advance(TimeDelta::seconds(400));
    let quiet = world.round().await;
    prop_assert_eq!((quiet.batches, quiet.failed), (0, 0), "it is never done");
    prop_assert_eq!(world.calls().1, 0);
    Ok(())
}

/// What the seller made is there, and what they hid is hidden, no less and no more.
fn check_theirs(world: &World, hands: &Hands, grid: &[Vec<serde_json::Value>]) -> Result<(), TestCaseError> {
    let shown = lines(grid).join("\n");
    let own = grid.iter().flatten().map(text);
    let own: Vec<&str> = own.filter(|text| text.starts_with("own")).collect();
    prop_assert_eq!(
        own.len(),
        hands.own.len(),
        "of the seller's: {:?} in\n{}",
        hands.own,
        shown
    );
    prop_assert!(own.iter().all(|text| hands.own.contains(*text)));
    let notes = world.google.notes(&hands.spreadsheet, &hands.title);
    let notes: BTreeSet<String> = notes.into_iter().filter(|note| note.starts_with("own")).collect();
    prop_assert_eq!(&notes, &hands.own, "notes");
    prop_assert_eq!(&hidden(world, hands), &hands.hidden, "hidden columns");
    for (title, content) in &hands.copies {
        let now = world.google.grid(&hands.spreadsheet, title);
        prop_assert_eq!(now.as_ref(), Some(content), "the archive {}", title);
    }
    Ok(())
}

/// The managed cells are what a first write of the read model shows, and the seller's are there.
async fn check(world: &World, shop: &Shop, hands: &Hands) -> Result<(), TestCaseError> {
    let grid = world
        .google
        .grid(&hands.spreadsheet, &hands.title)
        .expect("the worksheet");
    check_theirs(world, hands, &grid)?;
    let shown = lines(&grid).join("\n");
    let struck = struck(world, hands);
    let expected = first_write(world, shop).await?;
    let (wanted, found) = (places(&expected).expect("titles"), places(&grid));
    let Some(found) = found else {
        return Err(TestCaseError::fail(format!("titles are missing in\n{shown}")));
    };
    // Columns are never taken away: not that of sizes when they are summed again, and not those of orders
    // without a warehouse when nothing that is listed has any.
    let size = (IDENTITY.to_owned(), SIZE.to_owned());
    let left = |key: &(String, String)| {
        // A warehouse that is gone gives its title up to one of the same name.
        let gone = key.0.contains(" (прежний");
        !wanted.columns.contains_key(key)
            && (gone || key.0 == NOWHERE || key.0.is_empty() || (shop.sized && *key == size))
    };
    let keys = |places: &Places| places.columns.keys().cloned().collect::<Vec<_>>();
    let mut there = keys(&found);
    there.retain(|key| !left(key));
    prop_assert_eq!(there, keys(&wanted), "{}", shown);
    let shows = |(key, row): &((i64, String), usize)| {
        let ours = (nm_id(0)..=nm_id(4)).contains(&key.0);
        ours && !struck.contains(row) && !wanted.rows.iter().any(|(known, _)| known == key)
    };
    let stale: Vec<_> = found.rows.iter().filter(|row| shows(row)).collect();
    prop_assert!(stale.is_empty(), "nobody updates {:?} in\n{}", stale, shown);
    for (key, from) in &wanted.rows {
        let rows = found.rows.iter().filter(|(known, _)| known == key);
        let rows: Vec<usize> = rows.map(|(_, row)| *row).collect();
        let listed: Vec<usize> = rows.iter().copied().filter(|row| !struck.contains(row)).collect();
        prop_assert_eq!(listed.len(), 1, "rows of {:?} in\n{}", key, shown);
        prop_assert!(shop.sized || rows.len() == 1, "rows of {:?} in\n{}", key, shown);
        for (title, column) in &wanted.columns {
            let (is, should) = (&grid[listed[0]][found.columns[title]], &expected[*from][*column]);
            let same = is == should
                || is
                    .as_f64()
                    .zip(should.as_f64())
                    .is_some_and(|(is, should)| is == should);
            prop_assert!(
                same,
                "{:?} {:?} is {} instead of {} in\n{}",
                key,
                title,
                is,
                should,
                shown
            );
        }
    }
    Ok(())
}

/// What the role writes into an empty spreadsheet; without sizes also what is put together from the read
/// model once more.
async fn first_write(world: &World, shop: &Shop) -> Result<Vec<Vec<serde_json::Value>>, TestCaseError> {
    let fresh = world.spreadsheet("Вторая");
    world.link(shop.seller, &fresh, None).await;
    let round = world.round().await;
    prop_assert_eq!((round.written, round.failed), (1, 0));
    let grid = world.grid(&fresh);
    let sizes = places(&grid).is_some_and(|places| {
        let mut keys = places.columns.keys();
        keys.any(|(_, title)| title == SIZE)
    });
    if !sizes {
        prop_assert_eq!(lines(&grid), lines(&world.expected(shop.seller).await));
    }
    Ok(grid)
}

async fn history(steps: Vec<Step>, carried: bool) -> Result<(), TestCaseError> {
    let mut teller = Teller::start().await;
    let world = World::with(Quotas::off(), |options| options.broker = teller.broker.clone()).await;
    let seller = world.seller();
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    let habits = Habits {
        duplicates_carry_metadata: carried,
        tables_rename_titles: carried,
        ..Habits::default()
    };
    world.google.habits(&spreadsheet, habits);
    let mut hands = Hands::on(spreadsheet);
    let mut shop = Shop {
        seller,
        listed: BTreeSet::new(),
        known: BTreeSet::new(),
        sized: false,
    };
    act(&world, &mut shop, &mut hands, &mut teller, &Step::List(0)).await;
    for step in &steps {
        act(&world, &mut shop, &mut hands, &mut teller, step).await;
    }
    followed(&world, seller).await?;
    settle(&world, seller, &hands).await?;
    check(&world, &shop, &hands).await
}

#[test]
fn whatever_happens_the_sheet_ends_as_the_read_model_and_the_seller_keeps_everything() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    for seed in seeds() {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let config = Config {
            cases: 1,
            failure_persistence: None,
            max_shrink_iters: 60,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let steps = (prop::collection::vec(step(), 5..40), any::<bool>());
        let outcome = runner.run(&steps, |(steps, carried)| {
            runtime.block_on(history(steps, carried))
        });
        if let Err(error) = outcome {
            panic!("seed {seed}: {error}");
        }
    }
}

/// Those of every run, or what `HISTORIES` asks for, such as `0..500`.
#[expect(clippy::disallowed_methods, reason = "the product has no such setting")]
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("HISTORIES").ok();
    let asked = asked.as_deref().map(|text| {
        let (from, to) = text.split_once("..").expect("HISTORIES=from..to");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    asked.unwrap_or(SEEDS)
}

#[tokio::test]
async fn a_row_that_was_struck_by_an_unrecorded_batch_is_restored_when_its_product_comes_back() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let hands = Hands::on(spreadsheet);
    world.google.script(
        Fault::on("/v4/", Effect::DoneButFailed)
            .containing(":batchUpdate")
            .times(1),
    );
    world.delist(seller, 111_111).await;
    assert_eq!(world.round().await.failed, 1);
    assert_eq!(struck(&world, &hands), BTreeSet::from([2]));
    relist(&world, seller, 111_111).await;
    world.clock.advance(TimeDelta::seconds(300));
    assert_eq!(world.round().await.failed, 0);
    assert_eq!(struck(&world, &hands), BTreeSet::new());
}
