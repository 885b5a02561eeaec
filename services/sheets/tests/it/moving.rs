//! People work in the sheet while it is written: what they do between our reading and our writing, and what
//! two processes of ours do to each other. A batch is held at Google's door while they act.

use chrono::TimeDelta;
use messaging::{Broker, BrokerOptions};
use serde_json::{Value, json};
use sheets::{Round, Sheets};
use simulators::google::Habits;
use simulators::{Effect, Fault};

use crate::world::{PRODUCTS, Seller, World, lines};

impl World {
    /// The next batches are held before they are done.
    fn hold(&self, batches: u64) {
        let held = Fault::on("/v4/", Effect::Hang { millis: None });
        self.google.script(held.containing(":batchUpdate").times(batches));
    }

    /// A round in which a person acts while its first batch is on the way.
    async fn round_while(&self, act: impl FnOnce()) -> Round {
        self.hold(1);
        let (round, ()) = tokio::join!(self.round(), async {
            self.google.until_held(1).await;
            act();
            self.google.release();
        });
        round
    }

    async fn second(&self) -> Sheets {
        let nowhere = BrokerOptions::new("nats://127.0.0.1:9", "test");
        Sheets::new(self.options(Broker::connect(nowhere).await.unwrap()))
    }

    async fn id_of(&self, seller: Seller) -> i32 {
        self.state(seller).await.get("sheet_id")
    }

    /// Lines of the sheet that begin with a brand: the products'.
    fn products(&self, spreadsheet: &str) -> Vec<String> {
        let mut rows = lines(&self.grid(spreadsheet));
        rows.retain(|row| row.starts_with("BrandA"));
        rows.sort();
        rows
    }

    /// The same as a first write shows them.
    async fn should_be(&self, seller: Seller) -> Vec<String> {
        let mut rows = lines(&self.expected(seller).await);
        rows.retain(|row| row.starts_with("BrandA"));
        rows.sort();
        rows
    }
}

fn rows(sheet: i32, from: usize, to: usize) -> Value {
    json!({"sheetId": sheet, "dimension": "ROWS", "startIndex": from, "endIndex": to})
}

fn columns(sheet: i32, from: usize, to: usize) -> Value {
    json!({"sheetId": sheet, "dimension": "COLUMNS", "startIndex": from, "endIndex": to})
}

fn put(sheet: i32, row: usize, column: usize, text: &str) -> Value {
    json!({"updateCells": {"start": {"sheetId": sheet, "rowIndex": row, "columnIndex": column},
        "rows": [{"values": [{"userEnteredValue": {"stringValue": text}}]}], "fields": "userEnteredValue"}})
}

#[tokio::test]
async fn a_row_inserted_while_a_batch_is_on_its_way_costs_one_more_batch_and_no_cell_of_the_persons() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.id_of(seller).await;
    world.stock(seller, 111_111, &[("Коледино", 41)], None).await;
    world.stock(seller, 222_222, &[("Коледино", 151)], None).await;
    let mine: Vec<Value> = (0..21).map(|column| put(sheet, 2, column, "мой")).collect();
    let round = world
        .round_while(|| {
            let mut requests = vec![json!({"insertDimension": {"range": rows(sheet, 2, 3)}})];
            requests.extend(mine);
            world.edit(&spreadsheet, &Value::Array(requests));
        })
        .await;
    assert_eq!(
        (round.written, round.failed),
        (1, 0),
        "{:?}",
        world.error(seller).await
    );
    assert_eq!(world.calls(), (2, 2), "read and written once more");
    let grid = lines(&world.grid(&spreadsheet));
    assert_eq!(grid[2], vec!["мой"; 21].join("|"));
    assert_eq!(world.products(&spreadsheet), world.should_be(seller).await);
}

#[tokio::test]
async fn a_sort_a_moved_row_and_a_deleted_one_are_noticed_before_a_number_is_in_another_row() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.id_of(seller).await;
    let table = json!({"sheetId": sheet, "startRowIndex": 2, "endRowIndex": 4, "startColumnIndex": 0,
        "endColumnIndex": 21});
    let sort = json!([{"sortRange": {"range": table, "sortSpecs": [{"dimensionIndex": 3,
        "sortOrder": "DESCENDING"}]}}]);
    let swap = json!([{"moveDimension": {"source": rows(sheet, 2, 3), "destinationIndex": 4}}]);
    let gone = json!([{"deleteDimension": {"range": rows(sheet, 2, 3)}}]);
    let mut units = 41;
    for act in [sort, swap, gone] {
        units += 1;
        world.stock(seller, 111_111, &[("Коледино", units)], None).await;
        world
            .stock(seller, 222_222, &[("Коледино", 2 * units)], None)
            .await;
        world.google.clear_calls();
        let round = world.round_while(|| world.edit(&spreadsheet, &act)).await;
        assert_eq!(
            (round.written, round.failed),
            (1, 0),
            "{:?}",
            world.error(seller).await
        );
        assert_eq!(world.calls(), (2, 2), "{act}");
        assert_eq!(
            world.products(&spreadsheet),
            world.should_be(seller).await,
            "{act}"
        );
    }
}

#[tokio::test]
async fn a_column_inserted_or_moved_meanwhile_leaves_every_number_under_its_title() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.id_of(seller).await;
    let own = json!([
        {"insertDimension": {"range": columns(sheet, 4, 5)}},
        put(sheet, 2, 4, "мой"),
    ]);
    let moved = json!([{"moveDimension": {"source": columns(sheet, 4, 5), "destinationIndex": 0}}]);
    let mut units = 41;
    for (act, place) in [(own, 4), (moved, 0)] {
        units += 1;
        world.stock(seller, 111_111, &[("Коледино", units)], None).await;
        let round = world.round_while(|| world.edit(&spreadsheet, &act)).await;
        assert_eq!(
            (round.written, round.failed),
            (1, 0),
            "{:?}",
            world.error(seller).await
        );
        let grid = world.grid(&spreadsheet);
        let mut ours = grid.clone();
        assert_eq!(grid[2][place], json!("мой"));
        ours.iter_mut().for_each(|row| drop(row.remove(place)));
        assert_eq!(lines(&ours), lines(&world.expected(seller).await));
    }
}

#[tokio::test]
async fn a_product_that_is_cut_and_pasted_meanwhile_leaves_no_number_where_it_was() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.id_of(seller).await;
    world.stock(seller, 111_111, &[("Коледино", 41)], None).await;
    let source = json!({"sheetId": sheet, "startRowIndex": 2, "endRowIndex": 3, "startColumnIndex": 0,
        "endColumnIndex": 21});
    let place = json!({"sheetId": sheet, "rowIndex": 8, "columnIndex": 0});
    let cut = json!([{"cutPaste": {"source": source, "destination": place, "pasteType": "PASTE_NORMAL"}}]);
    let round = world.round_while(|| world.edit(&spreadsheet, &cut)).await;
    assert_eq!(
        (round.written, round.failed),
        (1, 0),
        "{:?}",
        world.error(seller).await
    );
    let grid = lines(&world.grid(&spreadsheet));
    assert_eq!(grid[2], "|".repeat(20), "the row that was emptied stays empty");
    assert!(
        grid[8].starts_with("BrandA|Коллаген|COL-001|111111|"),
        "{}",
        grid[8]
    );
    assert_eq!(world.products(&spreadsheet), world.should_be(seller).await);
}

#[tokio::test]
async fn a_large_sheet_that_is_sorted_meanwhile_is_put_right_in_the_same_round() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.large_example().await;
    assert_eq!(world.round().await.failed, 0, "{:?}", world.error(seller).await);
    let sheet = world.id_of(seller).await;
    let name = world.grid(&spreadsheet)[0][9].as_str().unwrap().to_owned();
    for nm_id in [3, 150, 298] {
        world.stock(seller, nm_id, &[(&name, 7_000 + nm_id)], None).await;
    }
    let table = json!({"sheetId": sheet, "startRowIndex": 2, "endRowIndex": 302, "startColumnIndex": 0,
        "endColumnIndex": 219});
    let sort = json!([{"sortRange": {"range": table, "sortSpecs": [{"dimensionIndex": 3,
        "sortOrder": "DESCENDING"}]}}]);
    let round = world.round_while(|| world.edit(&spreadsheet, &sort)).await;
    assert_eq!(
        (round.written, round.failed),
        (1, 0),
        "{:?}",
        world.error(seller).await
    );
    assert_eq!(world.products(&spreadsheet), world.should_be(seller).await);
}

#[tokio::test]
async fn two_processes_never_give_a_product_two_rows_however_late_a_batch_arrives() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let second = world.second().await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.hold(1);
    let (first, other) = tokio::join!(world.round(), async {
        world.google.until_held(1).await;
        // The lease ends while the batch is under way; another process takes the sheet and writes it.
        world.clock.advance(TimeDelta::seconds(300));
        let other = second.write_due_once().await.unwrap();
        world.google.release();
        other
    });
    assert_eq!((other.written, other.failed), (1, 0));
    assert_eq!((first.written, first.failed, first.dropped), (0, 0, 1));
    assert_eq!(world.products(&spreadsheet), world.should_be(seller).await);
    // Both have read before either writes.
    world.list(seller, 444_444, "NEW-2", "Новинки").await;
    world.hold(2);
    let (_, ()) = tokio::join!(world.round(), async {
        world.google.until_held(1).await;
        world.clock.advance(TimeDelta::seconds(300));
        let release = async {
            world.google.until_held(2).await;
            world.google.release();
        };
        let (other, ()) = tokio::join!(second.write_due_once(), release);
        assert_eq!(other.unwrap().failed, 0);
    });
    world.clock.advance(TimeDelta::seconds(600));
    assert_eq!(world.round().await.failed, 0);
    assert_eq!(world.products(&spreadsheet), world.should_be(seller).await);
}

#[tokio::test]
async fn a_file_in_the_bin_is_not_written_and_goes_on_when_it_is_restored() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.google.bin(&spreadsheet, true);
    world.clock.advance(TimeDelta::minutes(11));
    world.stock(seller, 111_111, &[("Коледино", 41)], None).await;
    assert_eq!(world.round().await.failed, 1);
    let kind: Option<String> = world.state(seller).await.get("error_kind");
    assert_eq!(kind.as_deref(), Some("trashed"));
    assert!(world.error(seller).await.unwrap().contains("корзине"));
    assert!(
        lines(&world.grid(&spreadsheet))[2].contains("|100|"),
        "nothing was written"
    );
    world.google.bin(&spreadsheet, false);
    world.clock.advance(TimeDelta::minutes(20));
    assert_eq!(world.round().await.written, 1);
    assert_eq!(world.products(&spreadsheet), world.should_be(seller).await);
}

#[tokio::test]
async fn a_copy_of_the_worksheet_stays_the_sellers_when_the_original_is_deleted() {
    for duplicates_carry_metadata in [false, true] {
        let world = World::new().await;
        let (seller, spreadsheet) = world.written_example().await;
        let habits = Habits {
            duplicates_carry_metadata,
            ..Habits::default()
        };
        world.google.habits(&spreadsheet, habits);
        let sheet = world.id_of(seller).await;
        world.edit(
            &spreadsheet,
            &json!([
                {"duplicateSheet": {"sourceSheetId": sheet, "newSheetName": "Архив", "insertSheetIndex": 1}},
                {"deleteSheet": {"sheetId": sheet}},
            ]),
        );
        let archive = |world: &World| lines(&world.google.grid(&spreadsheet, "Архив").unwrap());
        let before = archive(&world);
        world.stock(seller, 111_111, &[("Коледино", 41)], None).await;
        let round = world.round().await;
        assert_eq!(
            (round.written, round.failed),
            (1, 0),
            "{:?}",
            world.error(seller).await
        );
        assert_eq!(archive(&world), before);
        assert_eq!(world.products(&spreadsheet), world.should_be(seller).await);
        // Linked anew, the original is found beside its copy, whatever it is called.
        let sheet = world.id_of(seller).await;
        let renamed = json!({"sheetId": sheet, "title": "Сток"});
        world.edit(
            &spreadsheet,
            &json!([{"updateSheetProperties": {"properties": renamed, "fields": "title"}}]),
        );
        world.link(seller, &spreadsheet, None).await;
        world.stock(seller, 111_111, &[("Коледино", 42)], None).await;
        assert_eq!(world.round().await.failed, 0, "{:?}", world.error(seller).await);
        assert_eq!(archive(&world), before);
        assert_eq!(
            world.google.grid(&spreadsheet, PRODUCTS),
            None,
            "no third worksheet"
        );
        assert_eq!(world.id_of(seller).await, sheet);
    }
}
