//! What writing costs: calls, bytes, time, and whose turn it is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use connectors::google::{Accounts, Turn, Turns as _};
use database::{Pool, Role};
use serde_json::json;
use sheets::{Notice, Queues};
use simulators::google::Quotas;

use crate::world::{Seller, World, lines};

#[tokio::test]
async fn a_first_write_takes_three_calls_a_change_two_and_nothing_none() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    let spreadsheet = world.spreadsheet("Остатки");
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.calls(), (2, 1));
    world.google.clear_calls();
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.stock(seller, 222_222, &[("Алексин", 9)], None).await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(world.calls(), (1, 1));
    let grid = lines(&world.grid(&spreadsheet));
    assert!(grid[3].ends_with("|9|0|") && grid[4].starts_with("BrandA|Новинки|NEW-1|333333|"));
    world.google.clear_calls();
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.unchanged, 1);
    assert_eq!(world.calls(), (0, 0));
}

/// Names whose letters have different sums, of which the keys are made.
fn warehouse(number: u32) -> String {
    format!("Склад {}", char::from_u32(0x400 + number).unwrap())
}

impl World {
    /// A seller with more managed cells than are read before every write.
    pub(crate) async fn large_example(&self) -> (Seller, String) {
        let seller = self.seller();
        let names: Vec<String> = (0..70).map(warehouse).collect();
        for nm_id in 1..=300 {
            self.list(seller, nm_id, &format!("V-{nm_id}"), "Предмет").await;
            let levels: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), nm_id)).collect();
            self.stock(seller, nm_id, &levels, None).await;
        }
        let spreadsheet = self.spreadsheet("Большая");
        self.link(seller, &spreadsheet, None).await;
        (seller, spreadsheet)
    }
}

#[tokio::test]
async fn a_large_sheet_is_hidden_until_it_is_whole_read_by_one_call_and_looked_through_once_a_day() {
    let told: Arc<Mutex<Vec<usize>>> = Arc::default();
    let hears = Arc::clone(&told);
    let world = World::with(Quotas::off(), |options| {
        options.observer = Arc::new(move |notice| {
            if let Notice::Sent { cells } = notice {
                hears.lock().unwrap().push(cells);
            }
        });
    })
    .await;
    let (seller, spreadsheet) = world.large_example().await;
    // The process dies after some batches: what is there is not shown yet.
    world.google.script(
        simulators::Fault::on("/v4/", simulators::Effect::DoneButFailed)
            .containing(":batchUpdate")
            .after(1)
            .times(1),
    );
    assert_eq!(world.round().await.failed, 1);
    let hidden = |sheet_id| {
        world.worksheet(&spreadsheet, sheet_id, "properties(hidden)")["properties"]["hidden"].clone()
    };
    let sheet_id: i32 = world.state(seller).await.get("sheet_id");
    assert_eq!(hidden(sheet_id), json!(true));
    world.clock.advance(TimeDelta::minutes(5));
    assert_eq!(world.round().await.failed, 0);
    assert_eq!(hidden(sheet_id), json!(null));
    // The one whose answer was lost is not told.
    assert!(told.lock().unwrap().len() >= 2, "it came in several batches");
    assert_eq!(world.grid(&spreadsheet).len(), 302);

    let theirs = json!([{"updateCells": {"start": {"sheetId": sheet_id, "rowIndex": 100, "columnIndex": 9},
        "fields": "userEnteredValue", "rows": [{"values": [{"userEnteredValue": {"numberValue": 5000}}]}]}}]);
    world.edit(&spreadsheet, &theirs);
    world.google.clear_calls();
    world.stock(seller, 1, &[(&warehouse(0), 77)], None).await;
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(world.calls(), (1, 1));
    assert!(lines(&world.grid(&spreadsheet))[100].contains("|5000|"));
    world.clock.advance(TimeDelta::days(1));
    assert_eq!(world.round().await.written, 1);
    assert!(!lines(&world.grid(&spreadsheet))[100].contains("|5000|"));
}

#[tokio::test]
async fn under_steady_changes_the_sheet_is_never_older_than_the_bound_and_few_batches_are_sent() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let (mut batches, mut unshown_since) = (0, None);
    for second in 0..90_i64 {
        world
            .stock(seller, 111_111, &[("Подольск", 100 + second)], None)
            .await;
        world.project().await;
        world.mark().await;
        let now = world.clock.now();
        unshown_since.get_or_insert(now);
        batches += world.sheets.write_due_once().await.unwrap().batches;
        if lines(&world.grid(&spreadsheet))[2].contains(&format!("|{}|18|", 100 + second)) {
            unshown_since = None;
        }
        // 15 s is promised; 5 of them are for reading and writing, which take no time here.
        let age = unshown_since.map_or_else(TimeDelta::zero, |since| now - since);
        assert!(age <= TimeDelta::seconds(10), "{age} old in second {second}");
        world.clock.advance(TimeDelta::seconds(1));
    }
    assert!((6..=10).contains(&batches), "{batches} batches in 90 s");
}

#[tokio::test]
async fn a_tenant_with_thousands_of_changes_lets_the_others_go_first() {
    let told: Arc<Mutex<Vec<usize>>> = Arc::default();
    let hears = Arc::clone(&told);
    let world = World::with(Quotas::off(), |options| {
        // One request in 20 ms for all, in the queues that all processes share.
        let queues = Arc::new(Queues::new(options.pool.clone()));
        options.google.accounts = Arc::new(Accounts::new(50, 60.0).shared(queues));
        options.google.options.patience = Duration::from_secs(60);
        options.cells_per_batch = 120;
        options.observer = Arc::new(move |notice| {
            if let Notice::Sent { cells } = notice {
                hears.lock().unwrap().push(cells);
            }
        });
    })
    .await;
    let large = world.seller();
    for nm_id in 1..=200 {
        world.list(large, nm_id, &format!("V-{nm_id}"), "Предмет").await;
        world.stock(large, nm_id, &[("Коледино", nm_id)], None).await;
    }
    world.link(large, &world.spreadsheet("Большая"), None).await;
    for n in 0..5 {
        let small = world.seller();
        world.list(small, 900 + n, "ONE", "Предмет").await;
        world
            .link(small, &world.spreadsheet(&format!("Малая {n}")), None)
            .await;
    }
    let round = world.round().await;
    assert_eq!((round.written, round.failed), (6, 0));
    let told = told.lock().unwrap().clone();
    // Sheets of one product have 27 cells; batches of the large one have more, but perhaps its last.
    let last_small = told.iter().rposition(|cells| *cells == 27).unwrap();
    assert!(told.len() >= 25, "{told:?}");
    assert!(
        last_small < 12,
        "the small ones waited for the large one: {told:?}"
    );
}

#[tokio::test]
async fn processes_keep_to_one_quota_together_and_a_queue_that_is_too_long_is_refused() {
    let world = World::new().await;
    let process = || Queues::new(Pool::open(&world.url, Role::Sheets, 2).unwrap());
    let (first, second) = (process(), process());
    let turn = |patience| Turn {
        queue: "account robot writes",
        interval: Duration::from_secs(10),
        burst: 2,
        patience: Duration::from_secs(patience),
    };
    let mut waits = Vec::new();
    for queues in [&first, &second, &first, &second] {
        waits.push(
            queues
                .take(turn(60))
                .await
                .unwrap()
                .unwrap()
                .as_secs_f64()
                .round(),
        );
    }
    // Two at once after a rest, then one every 10 s, whoever asks.
    assert_eq!(waits, [0.0, 0.0, 10.0, 20.0]);
    let missing = second.take(turn(5)).await.unwrap().unwrap_err();
    assert!((25..=30).contains(&missing.as_secs()), "{missing:?}");
    second
        .close("account robot writes", Duration::from_secs(90))
        .await;
    let wait = first.take(turn(120)).await.unwrap().unwrap();
    assert!((85..=90).contains(&wait.as_secs()), "{wait:?}");
    // The API tests links with the same accounts.
    let api = Queues::new(Pool::open(&world.url, Role::Api, 2).unwrap());
    assert!(api.take(turn(300)).await.unwrap().is_ok());
}
