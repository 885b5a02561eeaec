//! Sellers work in the sheet all day: what they did stays, and what they took away comes back and is said.

use events::sheet::{ExtraColumn, LowStock, SheetLayoutChanged, Sizes};
use serde_json::{Value, json};
use simulators::google::Role;

use crate::world::{PRODUCTS, Seller, World, lines};

impl World {
    async fn sheet_id(&self, seller: Seller) -> i32 {
        self.state(seller).await.get("sheet_id")
    }

    /// What was repaired last, in one word, and the same for the seller.
    async fn repaired(&self, seller: Seller) -> (Option<String>, Option<String>) {
        let state = self.state(seller).await;
        (state.get("notice_kind"), state.get("notice"))
    }
}

/// The seller freezes so many columns.
fn freeze(sheet_id: i32, columns: i32) -> Value {
    json!({"updateSheetProperties": {"properties": {"sheetId": sheet_id,
        "gridProperties": {"frozenColumnCount": columns}}, "fields": "gridProperties.frozenColumnCount"}})
}

fn columns(sheet_id: i32, start: i32, end: i32) -> Value {
    json!({"sheetId": sheet_id, "dimension": "COLUMNS", "startIndex": start, "endIndex": end})
}

#[tokio::test]
async fn filters_notes_protection_hidden_and_moved_columns_stay_while_rows_and_warehouses_come() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    let table = json!({"sheetId": sheet, "startRowIndex": 1, "endRowIndex": 4, "startColumnIndex": 0,
        "endColumnIndex": 9});
    world.edit(
        &spreadsheet,
        &json!([
            {"moveDimension": {"source": columns(sheet, 2, 3), "destinationIndex": 1}},
            {"updateDimensionProperties": {"range": columns(sheet, 5, 6), "properties": {"hiddenByUser": true},
                "fields": "hiddenByUser"}},
            {"setBasicFilter": {"filter": {"range": table, "criteria": {"0": {"hiddenValues": ["x"]}}}}},
            {"addFilterView": {"filter": {"filterViewId": 7, "title": "мои", "range": table}}},
        ]),
    );
    // A column of the seller's right of ours, with a note, a formula, and a protection of its own.
    let width: i32 = 21;
    world.edit(
        &spreadsheet,
        &json!([
            {"updateCells": {"start": {"sheetId": sheet, "rowIndex": 2, "columnIndex": 4}, "fields": "note",
                "rows": [{"values": [{"note": "звонил на склад"}]}]}},
            {"appendDimension": {"sheetId": sheet, "dimension": "COLUMNS", "length": 3}},
            {"addProtectedRange": {"protectedRange": {"protectedRangeId": 9, "description": "Только я",
                "range": {"sheetId": sheet, "startRowIndex": 0, "endRowIndex": 4, "startColumnIndex": 23,
                    "endColumnIndex": 24}}}},
            {"updateCells": {"start": {"sheetId": sheet, "rowIndex": 2, "columnIndex": width + 1},
                "fields": "userEnteredValue", "rows": [{"values": [{"userEnteredValue": {"formulaValue": "=H3*2"}}]}]}},
        ]),
    );
    let fields = "basicFilter,filterViews,protectedRanges(protectedRangeId,description)";
    let before = world.worksheet(&spreadsheet, sheet, fields);
    world.stock(seller, 111_111, &[("Подольск", 45)], None).await;
    world.stock(seller, 222_222, &[("Алексин", 7)], None).await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    let round = world.round().await;
    assert_eq!(
        (round.written, round.failed, round.batches),
        (1, 0, 1),
        "{:?}",
        world.error(seller).await
    );
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[1].starts_with("Бренд|Артикул продавца|Предмет|"),
        "{}",
        grid[1]
    );
    assert!(
        grid[2].starts_with("BrandA|COL-001|Коллаген|111111|5|2|50|110|"),
        "{}",
        grid[2]
    );
    assert!(grid[4].starts_with("BrandA|NEW-1|Новинки|333333|"), "{}", grid[4]);
    // Twice the 110 units that are there now.
    assert!(grid[2].ends_with("|220"), "{}", grid[2]);
    assert_eq!(world.worksheet(&spreadsheet, sheet, fields), before);
    let rest = world.worksheet(
        &spreadsheet,
        sheet,
        "data(columnMetadata(hiddenByUser),rowData(values(note)))",
    );
    let data = &rest["data"][0];
    assert_eq!(data["columnMetadata"][5]["hiddenByUser"], json!(true));
    assert_eq!(data["rowData"][2]["values"][4]["note"], json!("звонил на склад"));
}

#[tokio::test]
async fn what_somebody_wrote_over_a_managed_cell_is_put_right_with_the_next_change() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    world.edit(
        &spreadsheet,
        &json!([{"updateCells": {"start": {"sheetId": sheet, "rowIndex": 3, "columnIndex": 6},
            "fields": "userEnteredValue", "rows": [{"values": [{"userEnteredValue": {"stringValue": "много"}},
                {"userEnteredValue": {"formulaValue": "=1+1"}}]}]}}]),
    );
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(world.calls(), (1, 1));
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
}

#[tokio::test]
async fn an_article_that_somebody_wrote_over_is_put_right_in_its_row() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    let put = |row: usize, column: usize, value: Value| {
        json!({"updateCells": {"start": {"sheetId": sheet, "rowIndex": row, "columnIndex": column},
            "fields": "userEnteredValue", "rows": [{"values": [{"userEnteredValue": value}]}]}})
    };
    let theirs = json!([
        {"appendDimension": {"sheetId": sheet, "dimension": "COLUMNS", "length": 1}},
        put(2, 21, json!({"stringValue": "план"})),
    ]);
    world.edit(&spreadsheet, &theirs);
    let mut units = 40;
    for over in [
        json!({"stringValue": "много"}),
        json!({"numberValue": 5}),
        json!({"formulaValue": "=1+1"}),
        json!({}),
    ] {
        world.edit(&spreadsheet, &json!([put(2, 3, over)]));
        units += 1;
        world.stock(seller, 111_111, &[("Коледино", units)], None).await;
        assert_eq!(world.round().await.written, 1);
        let mut expected = lines(&world.expected(seller).await);
        expected.iter_mut().for_each(|line| line.push('|'));
        expected[2].push_str("план");
        assert_eq!(lines(&world.grid(&spreadsheet)), expected);
    }
    // Where the seller wrote down an article that comes later, the row stays theirs.
    let theirs = json!([
        {"appendDimension": {"sheetId": sheet, "dimension": "ROWS", "length": 1}},
        put(4, 2, json!({"stringValue": "NEW-1"})),
        put(4, 8, json!({"stringValue": "ждём"})),
    ]);
    world.edit(&spreadsheet, &theirs);
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    assert_eq!(world.round().await.written, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[4].starts_with("BrandA|Новинки|NEW-1|333333|0|"),
        "{}",
        grid[4]
    );
    assert!(grid[5].starts_with("||NEW-1||||||ждём|"), "{}", grid[5]);
}

#[tokio::test]
async fn a_protected_range_in_the_way_is_named_and_nothing_is_sent_until_we_may_edit_it() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    let email = world.google.service_account_email(0);
    let protect = |editors: Value| {
        json!([{"addProtectedRange": {"protectedRange": {"protectedRangeId": 5, "description": "Итоги",
            "editors": {"users": editors}, "range": {"sheetId": sheet, "startRowIndex": 2, "endRowIndex": 4,
                "startColumnIndex": 7, "endColumnIndex": 9}}}}])
    };
    world.edit(&spreadsheet, &protect(json!(["seller@example.com"])));
    let before = world.grid(&spreadsheet);
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.failed, 1);
    assert_eq!((world.calls(), world.grid(&spreadsheet)), ((1, 0), before));
    let state = world.state(seller).await;
    assert_eq!(
        state.get::<_, Option<String>>("error_kind").as_deref(),
        Some("protected")
    );
    let text: String = state.get("last_error");
    assert!(
        text.contains("Products!H3:I4 «Итоги»") && text.contains(&email),
        "{text}"
    );
    world.edit(
        &spreadsheet,
        &json!([{"deleteProtectedRange": {"protectedRangeId": 5}}]),
    );
    world.edit(&spreadsheet, &protect(json!(["seller@example.com", email])));
    world.clock.advance(chrono::TimeDelta::seconds(10));
    assert_eq!(world.round().await.written, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
    let state = world.state(seller).await;
    assert_eq!(state.get::<_, Option<String>>("error_kind"), None);
}

#[tokio::test]
async fn a_deleted_managed_column_comes_back_and_the_seller_is_told_to_hide_it_instead() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    world.edit(
        &spreadsheet,
        &json!([{"deleteDimension": {"range": columns(sheet, 1, 2)}}]),
    );
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.written, 1);
    let mut grid = lines(&world.grid(&spreadsheet));
    grid.iter_mut().for_each(|row| row.truncate(60));
    assert!(grid.iter().any(|row| row.contains("Коллаген")), "{grid:?}");
    let (kind, text) = world.repaired(seller).await;
    assert_eq!(kind.as_deref(), Some("columns_restored"));
    assert!(text.unwrap().contains("скройте его"));
}

#[tokio::test]
async fn a_column_that_the_seller_hid_stays_hidden_and_is_written_and_what_comes_beside_it_is_seen() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    let hide = |start: i32| {
        json!({"updateDimensionProperties": {"range": columns(sheet, start, start + 1),
            "properties": {"hiddenByUser": true}, "fields": "hiddenByUser"}})
    };
    // The totals' last column, and the last one of all. A column of the seller's keeps the edge of the grid
    // away, so that what comes is inserted.
    let theirs = json!({"appendDimension": {"sheetId": sheet, "dimension": "COLUMNS", "length": 1}});
    world.edit(&spreadsheet, &json!([theirs, hide(8), hide(20)]));
    let hidden = || {
        let read = world.worksheet(&spreadsheet, sheet, "data(columnMetadata(hiddenByUser))");
        let all = read["data"][0]["columnMetadata"].as_array().unwrap().clone();
        let hidden = all
            .iter()
            .enumerate()
            .filter(|(_, one)| one["hiddenByUser"] == json!(true));
        hidden.map(|(place, _)| place).collect::<Vec<_>>()
    };
    assert_eq!(hidden(), [8, 20]);
    world.stock(seller, 111_111, &[("Электросталь", 30)], None).await;
    assert_eq!(world.round().await.written, 1);
    let grid = world.grid(&spreadsheet);
    assert_eq!(lines(&grid), lines(&world.expected(seller).await));
    assert_eq!(
        (grid[2][8].as_f64(), grid[2][20].as_f64()),
        (Some(14.7), Some(17.5))
    );
    assert_eq!(hidden(), [8, 20]);

    // Left of the last one comes nothing, right of it a warehouse, and left of it an extra total.
    world.stock(seller, 222_222, &[("Юдино", 7)], None).await;
    let chosen = SheetLayoutChanged {
        extra_columns: vec![ExtraColumn::Orders14],
        ..SheetLayoutChanged::default()
    };
    world.choose(seller, chosen).await;
    assert_eq!(world.round().await.written, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(grid[0].ends_with("|Электросталь|||Юдино||"), "{}", grid[0]);
    assert!(
        grid[1].contains("|Оборачиваемость (дни)|Заказы за 14 дней|"),
        "{}",
        grid[1]
    );
    assert_eq!(hidden(), [8, 21]);
    world.stock(seller, 111_111, &[("Электросталь", 36)], None).await;
    assert_eq!(world.round().await.written, 1);
    let grid = world.grid(&spreadsheet);
    assert_eq!(
        (grid[2][8].as_f64(), grid[2][21].as_f64()),
        (Some(15.5), Some(21.0))
    );
    assert_eq!(hidden(), [8, 21]);
}

#[tokio::test]
async fn a_new_product_is_seen_also_where_the_last_one_was_hidden() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    let range = json!({"sheetId": sheet, "dimension": "ROWS", "startIndex": 3, "endIndex": 4});
    world.edit(
        &spreadsheet,
        &json!([
            {"appendDimension": {"sheetId": sheet, "dimension": "ROWS", "length": 5}},
            {"updateDimensionProperties": {"range": range, "properties": {"hiddenByUser": true},
                "fields": "hiddenByUser"}},
        ]),
    );
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.stock(seller, 222_222, &[("Коледино", 9)], None).await;
    assert_eq!(world.round().await.written, 1);
    assert_eq!(
        lines(&world.grid(&spreadsheet)),
        lines(&world.expected(seller).await)
    );
    let read = world.worksheet(&spreadsheet, sheet, "data(rowMetadata(hiddenByUser))");
    let rows = &read["data"][0]["rowMetadata"];
    assert_eq!(
        (&rows[3]["hiddenByUser"], &rows[4]["hiddenByUser"]),
        (&json!(true), &json!(null))
    );
}

#[tokio::test]
async fn a_renamed_and_moved_worksheet_is_followed_and_a_deleted_one_is_made_again_and_said() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    world.edit(
        &spreadsheet,
        &json!([{"updateSheetProperties": {"properties": {"sheetId": sheet, "title": "Мой сток", "index": 0},
            "fields": "title,index"}}]),
    );
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.written, 1);
    let state = world.state(seller).await;
    assert_eq!(
        state.get::<_, Option<String>>("worksheet_title").as_deref(),
        Some("Мой сток")
    );
    assert_eq!(world.repaired(seller).await.0, None);
    let grid = world.google.grid(&spreadsheet, "Мой сток").unwrap();
    assert_eq!(lines(&grid), lines(&world.expected(seller).await));

    world.edit(&spreadsheet, &json!([{"deleteSheet": {"sheetId": sheet}}]));
    world.stock(seller, 111_111, &[("Подольск", 37)], None).await;
    assert_eq!(world.round().await.written, 1);
    let grid = world.google.grid(&spreadsheet, PRODUCTS).unwrap();
    assert_eq!(lines(&grid), lines(&world.expected(seller).await));
    let (kind, text) = world.repaired(seller).await;
    assert_eq!(kind.as_deref(), Some("worksheet_recreated"));
    assert!(text.unwrap().contains("создан заново"));
}

#[tokio::test]
async fn another_choice_of_the_tenants_changes_the_sheet_and_the_words_of_its_troubles() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let chosen = SheetLayoutChanged {
        language: "en".to_owned(),
        extra_columns: vec![ExtraColumn::Orders14],
        low_stock: Some(LowStock {
            below_units: Some(120),
            below_days: None,
        }),
        ..SheetLayoutChanged::default()
    };
    world.choose(seller, chosen.clone()).await;
    let round = world.round().await;
    assert_eq!((round.written, round.batches), (1, 1));
    assert_eq!(world.calls(), (1, 1));
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[1].contains("Stock (total)|Turnover (days)|Orders in 14 days|"),
        "{}",
        grid[1]
    );
    assert!(
        grid[2].starts_with("BrandA|Коллаген|COL-001|111111|5|2|50|100|14|"),
        "{}",
        grid[2]
    );
    // The same again shows nothing new and costs nothing.
    world.google.clear_calls();
    world.choose(seller, chosen).await;
    assert_eq!(world.round().await.unchanged, 1);
    assert_eq!(world.calls(), (0, 0));
    let email = world.google.service_account_email(0);
    world.google.share(&spreadsheet, &email, Some(Role::Reader));
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.failed, 1);
    assert!(world.error(seller).await.unwrap().contains("as Editor"));
}

#[tokio::test]
async fn a_choice_that_was_made_before_the_link_is_in_the_first_write() {
    let world = World::new().await;
    let seller = world.worked_example().await;
    let chosen = SheetLayoutChanged {
        language: "en".to_owned(),
        hide_empty_warehouses: true,
        ..SheetLayoutChanged::default()
    };
    world.choose(seller, chosen).await;
    let spreadsheet = world.spreadsheet("Stock");
    world.link(seller, &spreadsheet, None).await;
    assert_eq!(world.round().await.written, 1);
    let grid = lines(&world.grid(&spreadsheet));
    assert!(grid[1].starts_with("Brand|"), "{}", grid[1]);
}

#[tokio::test]
async fn numbers_go_on_when_the_seller_splits_a_title_and_freezes_columns_under_it() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    // Google lets columns be frozen only where no merge is cut, so the seller unmerges the title first.
    let title = json!({"sheetId": sheet, "startRowIndex": 0, "endRowIndex": 1, "startColumnIndex": 0,
        "endColumnIndex": 4});
    world.edit(
        &spreadsheet,
        &json!([{"unmergeCells": {"range": title}}, freeze(sheet, 2)]),
    );
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.stock(seller, 222_222, &[("Алексин", 9)], None).await;
    let round = world.round().await;
    assert_eq!(
        (round.written, round.failed, round.batches),
        (1, 0, 1),
        "{:?}",
        world.error(seller).await
    );
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[0].starts_with("Основная информация||Основная информация||Общие метрики|"),
        "{}",
        grid[0]
    );
    assert!(grid[2].contains("|36|18|14|"), "{}", grid[2]);
    assert!(grid[3].ends_with("|9|0|"), "{}", grid[3]);
    let read = world.worksheet(&spreadsheet, sheet, "merges");
    let merges: Vec<(u64, u64)> = (read["merges"].as_array().unwrap().iter())
        .map(|merge| {
            let index = |name: &str| merge[name].as_u64().unwrap_or_default();
            (index("startColumnIndex"), index("endColumnIndex"))
        })
        .collect();
    assert!(merges.contains(&(0, 2)) && merges.contains(&(2, 4)), "{merges:?}");
    // Nothing is left to do, so nothing is asked and nothing sent.
    world.google.clear_calls();
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    assert_eq!(world.round().await.unchanged, 1);
    assert_eq!(world.calls(), (0, 0));
}

#[tokio::test]
async fn rows_of_sizes_come_also_where_the_identity_columns_are_frozen() {
    let world = World::new().await;
    let (seller, spreadsheet) = world.written_example().await;
    let sheet = world.sheet_id(seller).await;
    world.edit(&spreadsheet, &json!([freeze(sheet, 4)]));
    let chosen = SheetLayoutChanged {
        sizes: Sizes::Rows,
        ..SheetLayoutChanged::default()
    };
    world.choose(seller, chosen).await;
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    let round = world.round().await;
    assert_eq!(
        (round.written, round.failed),
        (1, 0),
        "{:?}",
        world.error(seller).await
    );
    let grid = lines(&world.grid(&spreadsheet));
    assert!(
        grid[1].starts_with("Бренд|Предмет|Артикул продавца|Артикул товара (nmid)|Размер|"),
        "{}",
        grid[1]
    );
    assert!(
        grid[2].starts_with("BrandA|Коллаген|COL-001|111111||5|2|50|101|"),
        "{}",
        grid[2]
    );
    world.stock(seller, 111_111, &[("Подольск", 37)], None).await;
    assert_eq!(world.round().await.written, 1);
    assert!(lines(&world.grid(&spreadsheet))[2].contains("|37|18|14.4|"));
}
