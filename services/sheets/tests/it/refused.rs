//! What Google refuses of the look holds back no number, is named with what to do, and is asked again when
//! the seller has changed something.

use events::sheet::{LowStock, SheetLayoutChanged};
use serde_json::{Value, json};
use simulators::google::Habits;
use simulators::{Effect, Fault};

use crate::world::{Seller, World, lines};

impl World {
    async fn notice(&self, seller: Seller) -> (String, String) {
        let state = self.state(seller).await;
        let kind: Option<String> = state.get("notice_kind");
        let text: Option<String> = state.get("notice");
        (kind.unwrap_or_default(), text.unwrap_or_default())
    }

    /// A change of stock is written by so many batches, and the sheet shows it.
    async fn takes(&self, seller: Seller, spreadsheet: &str, units: i64, batches: u64) {
        self.google.clear_calls();
        self.stock(seller, 111_111, &[("Подольск", units)], None).await;
        let round = self.round().await;
        let error = self.error(seller).await;
        assert_eq!((round.written, round.failed), (1, 0), "{error:?}");
        assert_eq!(self.calls(), (1, batches));
        assert_eq!(error, None);
        let shown = lines(&self.grid(spreadsheet));
        assert!(shown[2].contains(&format!("|{units}|18|")), "{}", shown[2]);
    }

    /// The next batch is refused in these words.
    fn refuse_next(&self, words: &str) {
        let body = json!({"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}});
        let effect = Effect::Status {
            status: 400,
            body: body.to_string(),
            content_type: None,
        };
        self.google
            .script(Fault::on("/v4/", effect).containing(":batchUpdate").times(1));
    }
}

fn frozen_rows(world: &World, spreadsheet: &str, sheet: i32) -> Value {
    let read = world.worksheet(spreadsheet, sheet, "properties(gridProperties(frozenRowCount))");
    read["properties"]["gridProperties"]["frozenRowCount"].clone()
}

#[tokio::test]
async fn a_freeze_through_the_sellers_merge_is_refused_named_and_done_when_the_merge_is_gone() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    let theirs = json!({"sheetId": sheet, "startRowIndex": 0, "endRowIndex": 4, "startColumnIndex": 21,
        "endColumnIndex": 22});
    world.edit(
        &spreadsheet,
        &json!([
            {"appendDimension": {"sheetId": sheet, "dimension": "COLUMNS", "length": 1}},
            {"updateSheetProperties": {"properties": {"sheetId": sheet, "gridProperties": {"frozenRowCount": 0}},
                "fields": "gridProperties.frozenRowCount"}},
            {"mergeCells": {"range": theirs, "mergeType": "MERGE_ALL"}},
        ]),
    );
    // Refused together, done alone.
    world.takes(seller, &spreadsheet, 36, 2).await;
    let (kind, text) = world.notice(seller).await;
    assert_eq!(kind, "merged");
    assert!(
        text.contains("цифры записаны") && text.contains("Отменить объединение"),
        "{text}"
    );
    assert_eq!(frozen_rows(&world, &spreadsheet, sheet), json!(null));
    // Nothing has changed there, so nothing is tried.
    world.takes(seller, &spreadsheet, 37, 1).await;
    world.takes(seller, &spreadsheet, 38, 1).await;
    world.edit(&spreadsheet, &json!([{"unmergeCells": {"range": theirs}}]));
    // Numbers first, and the look apart from them.
    world.takes(seller, &spreadsheet, 39, 2).await;
    assert_eq!(frozen_rows(&world, &spreadsheet, sheet), json!(2));
    assert_eq!(world.notice(seller).await.0, "look_restored");
    world.takes(seller, &spreadsheet, 40, 1).await;
}

#[tokio::test]
async fn formats_that_typed_columns_refuse_hold_back_neither_numbers_nor_lines() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.refuse_next(
        "Invalid requests[3].repeatCell: This operation is not allowed on cells in typed columns.",
    );
    // The numbers alone, then what else there is of the look.
    world.takes(seller, &spreadsheet, 36, 3).await;
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
    let (kind, text) = world.notice(seller).await;
    assert_eq!(kind, "table");
    assert!(text.contains("Преобразовать в диапазон"), "{text}");
}

#[tokio::test]
async fn a_refusal_that_names_nothing_known_is_quoted_and_leaves_the_numbers_alone() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.refuse_next("Request contains an invalid argument.");
    world.takes(seller, &spreadsheet, 36, 2).await;
    let (kind, text) = world.notice(seller).await;
    assert_eq!(kind, "refused");
    assert!(text.contains("«Request contains an invalid argument.»"), "{text}");
}

#[tokio::test]
async fn a_process_that_dies_before_the_decorations_sends_them_with_the_next_round() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.refuse_next(
        "Invalid requests[3].repeatCell: This operation is not allowed on cells in typed columns.",
    );
    // The third batch, the lines, is done but its answer is lost.
    world.google.script(
        Fault::on("/v4/", Effect::DoneButFailed)
            .containing(":batchUpdate")
            .after(1)
            .times(1),
    );
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.failed, 1);
    assert!(lines(&world.grid(&spreadsheet))[2].contains("|36|18|"));
    world.clock.advance(chrono::TimeDelta::minutes(5));
    assert_eq!(world.round().await.failed, 0);
    let read = world.worksheet(
        &spreadsheet,
        sheet,
        "data(rowData(values(userEnteredFormat(horizontalAlignment))))",
    );
    let rows = &read["data"][0]["rowData"];
    let aligned = |row: usize| rows[row]["values"][5]["userEnteredFormat"]["horizontalAlignment"].clone();
    assert_eq!((aligned(3), aligned(4)), (json!("CENTER"), json!("CENTER")));
}

#[tokio::test]
async fn a_protected_row_of_titles_keeps_the_note_out_and_lets_the_numbers_in() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    world.edit(
        &spreadsheet,
        &json!([{"addProtectedRange": {"protectedRange": {"protectedRangeId": 5, "description": "Шапка",
            "editors": {"users": ["seller@example.com"]},
            "range": {"sheetId": sheet, "startRowIndex": 0, "endRowIndex": 2}}}}]),
    );
    world.completed_sync(seller).await;
    world.takes(seller, &spreadsheet, 36, 1).await;
    let (kind, text) = world.notice(seller).await;
    assert_eq!(kind, "protected");
    assert!(
        text.contains("«Шапка»") && text.contains(&world.google.service_account_email(0)),
        "{text}"
    );
    let note = || {
        let read = world.worksheet(&spreadsheet, sheet, "data(rowData(values(note)))");
        read["data"][0]["rowData"][1]["values"][7]["note"].clone()
    };
    let before = note();
    world.edit(
        &spreadsheet,
        &json!([{"deleteProtectedRange": {"protectedRangeId": 5}}]),
    );
    world.takes(seller, &spreadsheet, 37, 2).await;
    assert_ne!(note(), before);
    assert_eq!(world.notice(seller).await.0, "look_restored");
}

#[tokio::test]
async fn a_sheet_without_room_for_names_goes_on_by_titles_and_says_so() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    world.stock(seller, 222_222, &[("Алексин", 9)], None).await;
    world.refuse_next("Developer metadata exceeds the limit of 30000 characters.");
    world.takes(seller, &spreadsheet, 36, 2).await;
    let (kind, text) = world.notice(seller).await;
    assert_eq!(kind, "metadata_full");
    assert!(text.contains("не меняйте их"), "{text}");
    // The columns are known by what stands above them, also where the seller moves them.
    let places = json!({"sheetId": sheet, "dimension": "COLUMNS", "startIndex": 9, "endIndex": 10});
    world.edit(
        &spreadsheet,
        &json!([{"insertDimension": {"range": places, "inheritFromBefore": false}}]),
    );
    world.stock(seller, 222_222, &[("Алексин", 8)], None).await;
    world.takes(seller, &spreadsheet, 37, 1).await;
    let grid = lines(&world.grid(&spreadsheet));
    assert!(grid[0].ends_with("|Электросталь|||Алексин||"), "{}", grid[0]);
    assert_eq!(grid[0].matches("Алексин").count(), 1);
    assert!(grid[3].ends_with("|8|0|"), "{}", grid[3]);
    world.google.clear_calls();
    world.stock(seller, 222_222, &[("Алексин", 8)], None).await;
    assert_eq!(world.round().await.unchanged, 1);
    assert_eq!(world.calls(), (0, 0));
}

#[tokio::test]
async fn more_warehouses_than_one_batch_may_name_come_hidden_until_all_are_there() {
    let world = World::new().await;
    let seller = world.seller();
    world.list(seller, 111_111, "COL-001", "Коллаген").await;
    let names: Vec<String> = (0..130)
        .map(|number| format!("Склад {}", char::from_u32(0x400 + number).unwrap()))
        .collect();
    let levels: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 5)).collect();
    world.stock(seller, 111_111, &levels, None).await;
    let spreadsheet = world.spreadsheet("Широкая");
    world.link(seller, &spreadsheet, None).await;
    let round = world.round().await;
    assert_eq!((round.written, round.failed, round.batches), (1, 0, 3));
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    let read = world.worksheet(&spreadsheet, sheet, "properties(hidden)");
    assert_eq!(read["properties"]["hidden"], json!(null));
}

/// A Table over the rows of products and the titles of fields, with numbers for its types.
fn table(sheet: i32) -> Value {
    let typed: Vec<Value> = (4..21)
        .map(|column| json!({"columnIndex": column, "columnType": "DOUBLE"}))
        .collect();
    json!([{"addTable": {"table": {"tableId": "t1", "name": "Остатки", "range": {"sheetId": sheet,
        "startRowIndex": 1, "endRowIndex": 4, "startColumnIndex": 0, "endColumnIndex": 21},
        "columnProperties": typed}}}])
}

#[tokio::test]
async fn a_table_over_the_rows_stops_no_number_and_no_new_row_or_warehouse_or_choice() {
    for tables_rename_titles in [false, true] {
        let world = World::new().await;
        let (seller, spreadsheet) = world.written_example().await;
        let sheet: i32 = world.state(seller).await.get("sheet_id");
        // What Google does to titles that are there already is not known, so both are tried.
        let habits = Habits {
            tables_rename_titles,
            ..Habits::default()
        };
        world.google.habits(&spreadsheet, habits);
        world.edit(&spreadsheet, &table(sheet));
        let titles = lines(&world.grid(&spreadsheet))[1].clone();
        assert!(
            titles.contains("|Остатки|") && titles.contains("|Остатки 2|"),
            "{titles}"
        );
        world.takes(seller, &spreadsheet, 36, 1).await;
        // The titles are Google's by now, and nothing fights over them.
        assert_eq!(lines(&world.grid(&spreadsheet))[1], titles);
        let chosen = SheetLayoutChanged {
            number_formats: true,
            low_stock: Some(LowStock {
                below_units: Some(120),
                below_days: None,
            }),
            ..SheetLayoutChanged::default()
        };
        world.choose(seller, chosen).await;
        world.list(seller, 333_333, "NEW-1", "Новинки").await;
        world.stock(seller, 222_222, &[("Алексин", 9)], None).await;
        // Values alone, then what the Table lets pass of the look.
        world.takes(seller, &spreadsheet, 37, 2).await;
        let grid = lines(&world.grid(&spreadsheet));
        assert!(grid[1].starts_with(&titles), "{}", grid[1]);
        assert!(
            grid[0].ends_with("|Алексин||") && grid[3].ends_with("|9|0|"),
            "{grid:?}"
        );
        assert!(grid[4].starts_with("BrandA|Новинки|NEW-1|333333|"), "{}", grid[4]);
        assert_eq!(world.notice(seller).await.0, "");
        world.takes(seller, &spreadsheet, 38, 1).await;
        // A column that the seller deletes comes back inside the Table, under a title that no other has.
        let gone = json!({"sheetId": sheet, "dimension": "COLUMNS", "startIndex": 13, "endIndex": 14});
        world.edit(&spreadsheet, &json!([{"deleteDimension": {"range": gone}}]));
        world.takes(seller, &spreadsheet, 39, 2).await;
        let grid = lines(&world.grid(&spreadsheet));
        assert!(grid[1].contains("|Заказы · Коледино|"), "{}", grid[1]);
        world.takes(seller, &spreadsheet, 40, 1).await;
    }
}

#[tokio::test]
async fn a_new_warehouse_waits_where_its_titles_are_protected_and_the_other_numbers_do_not() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    let protect = json!([{"addProtectedRange": {"protectedRange": {"protectedRangeId": 5, "description": "Шапка",
        "editors": {"users": ["seller@example.com"]},
        "range": {"sheetId": sheet, "startRowIndex": 0, "endRowIndex": 2}}}}]);
    world.edit(&spreadsheet, &protect);
    world.stock(seller, 222_222, &[("Алексин", 9)], None).await;
    world.takes(seller, &spreadsheet, 36, 1).await;
    let (kind, text) = world.notice(seller).await;
    assert_eq!(kind, "protected");
    assert!(
        text.contains("новые столбцы вставить нельзя") && text.contains("«Шапка»"),
        "{text}"
    );
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        !grid[0].contains("Алексин") && grid[3].contains("|80|159|"),
        "{grid:?}"
    );
    // Nothing changed there: nothing is looked for, and a repetition shows nothing new.
    world.takes(seller, &spreadsheet, 37, 1).await;
    world.google.clear_calls();
    world.stock(seller, 111_111, &[("Подольск", 37)], None).await;
    assert_eq!(world.round().await.unchanged, 1);
    assert_eq!(world.calls(), (0, 0));
    let open = json!([{"deleteProtectedRange": {"protectedRangeId": 5}}]);
    world.edit(&spreadsheet, &open);
    world.takes(seller, &spreadsheet, 38, 1).await;
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[0].ends_with("|Алексин||") && grid[3].ends_with("|9|0|"),
        "{grid:?}"
    );
    assert_eq!(world.notice(seller).await.0, "look_restored");
}

#[tokio::test]
async fn a_column_that_google_does_not_insert_holds_back_no_number() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    world.stock(seller, 222_222, &[("Алексин", 9)], None).await;
    let words = "Invalid requests[0].insertDimension: You can't insert a column here right now. Try dragging the \
                 freeze bar to the left, then insert the column.";
    world.refuse_next(words);
    world.takes(seller, &spreadsheet, 36, 2).await;
    let (kind, text) = world.notice(seller).await;
    assert_eq!(kind, "frozen");
    assert!(text.contains("Вид → Закрепить"), "{text}");
    world.takes(seller, &spreadsheet, 37, 1).await;
    assert!(!lines(&world.grid(&spreadsheet))[0].contains("Алексин"));
    // The seller freezes fewer columns, which makes it another sheet.
    let sheet: i32 = world.state(seller).await.get("sheet_id");
    let fewer = json!([{"updateSheetProperties": {"properties": {"sheetId": sheet,
        "gridProperties": {"frozenColumnCount": 4}}, "fields": "gridProperties.frozenColumnCount"}}]);
    world.edit(&spreadsheet, &fewer);
    world.takes(seller, &spreadsheet, 38, 1).await;
    assert!(lines(&world.grid(&spreadsheet))[0].ends_with("|Алексин||"));
}
