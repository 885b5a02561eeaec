//! Sheets of earlier Stock Trackers, at a real Google's door: held back, moved with everything of the
//! seller's, and followed from then on.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sheet_layout::migrate::{Fate, Layout, OUTDATED_TOTAL};
use sheets::{Choice, MigrateError, Moved, Round};
use simulators::{Effect, Fault};

use crate::world::{PRODUCTS, Seller, World, lines};

const VERTICAL: [&str; 9] = [
    "Артикул продавца",
    "Артикул товара",
    "Заказы (всего)",
    "Остатки (всего)",
    "Оборачиваемость",
    "Название склада",
    "Заказы со склада",
    "Остатки на складе",
    "Оборачиваемость по складам",
];

/// A cell as somebody types it.
fn typed(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::String(text) if text.starts_with('=') => json!({"userEnteredValue": {"formulaValue": text}}),
        Value::String(text) => json!({"userEnteredValue": {"stringValue": text}}),
        number => json!({"userEnteredValue": {"numberValue": number}}),
    }
}

fn write(sheet_id: i32, row: usize, values: &[Value]) -> Value {
    let cells: Vec<Value> = values.iter().map(typed).collect();
    json!({"updateCells": {"start": {"sheetId": sheet_id, "rowIndex": row, "columnIndex": 0},
        "rows": [{"values": cells}], "fields": "userEnteredValue"}})
}

fn texts(titles: &[&str]) -> Vec<Value> {
    titles.iter().map(|title| json!(title)).collect()
}

const OLD_SHEET: i32 = 77;

fn worksheet(title: &str) -> Value {
    json!({"addSheet": {"properties": {"sheetId": OLD_SHEET, "title": title,
        "gridProperties": {"rowCount": 300, "columnCount": 15, "frozenRowCount": 1}}}})
}

/// The worked example by the first writer, with a column, a row, a formula and a note of the seller's.
fn vertical(title: &str) -> Vec<Value> {
    let lines = |parts: &[&str]| json!(parts.join("\n\n"));
    let mut titles = texts(&VERTICAL);
    titles.push(json!("Заметка"));
    let first = [
        json!("COL-001"),
        json!(111_111),
        json!(50),
        json!(100),
        json!(14),
        lines(&["Коледино", "Подольск", "Электросталь"]),
        lines(&["20", "18", "12"]),
        lines(&["40", "35", "25"]),
        lines(&["14", "14", "15"]),
        json!("=D2*2"),
    ];
    let second = [
        json!("VIT-D3"),
        json!(222_222),
        json!(80),
        json!(150),
        json!(13),
        lines(&["Коледино", "Казань"]),
        lines(&["78", "2"]),
        lines(&["150", "0"]),
        lines(&["13", ""]),
        json!("дозаказать"),
    ];
    let note = json!({"updateCells": {"start": {"sheetId": OLD_SHEET, "rowIndex": 2, "columnIndex": 9},
        "rows": [{"values": [{"note": "в понедельник"}]}], "fields": "note"}});
    let red = json!({"repeatCell": {"range": {"sheetId": OLD_SHEET, "startRowIndex": 1, "endRowIndex": 3,
        "startColumnIndex": 4, "endColumnIndex": 5}, "fields": "userEnteredFormat.backgroundColor",
        "cell": {"userEnteredFormat": {"backgroundColor": {"red": 1.0}}}}});
    vec![
        worksheet(title),
        write(OLD_SHEET, 0, &titles),
        write(OLD_SHEET, 1, &first),
        write(OLD_SHEET, 2, &second),
        write(OLD_SHEET, 4, &[json!("Итого"), Value::Null, json!("=SUM(C2:C3)")]),
        note,
        red,
    ]
}

/// The worked example with two header rows, by the writer of today's predecessor.
fn horizontal(title: &str, six: bool) -> Vec<Value> {
    let mut titles = vec![
        "Бренд",
        "Предмет",
        "Артикул продавца",
        "Артикул товара (nmid)",
        "В пути до покупателя",
        "В пути конв. на склад WB",
    ];
    titles.extend(six.then_some(OUTDATED_TOTAL));
    titles.extend(["Заказы (всего)", "Остатки (всего)", "Оборачиваемость (дни)"]);
    let general = titles.len();
    let mut groups = vec![Value::Null; general];
    (groups[0], groups[4]) = (json!("Основная информация"), json!("Общие метрики"));
    let mut merges = vec![(0, 4), (4, general)];
    for name in ["Казань", "Коледино"] {
        merges.push((titles.len(), titles.len() + 3));
        titles.extend(["Остатки", "Заказы", "Оборач."]);
        groups.extend([json!(name), Value::Null, Value::Null]);
    }
    titles.push("Моё");
    let row = |article: i64| {
        let mut values = texts(&["BrandA", "", "old"]);
        values.push(json!(article));
        values.extend((4..titles.len()).map(|column| json!(column)));
        values
    };
    let merge = |(left, right): &(usize, usize)| {
        json!({"mergeCells": {"mergeType": "MERGE_ALL", "range": {"sheetId": OLD_SHEET, "startRowIndex": 0,
            "endRowIndex": 1, "startColumnIndex": left, "endColumnIndex": right}}})
    };
    let mut requests = vec![
        json!({"addSheet": {"properties": {"sheetId": OLD_SHEET, "title": title,
            "gridProperties": {"rowCount": 12, "columnCount": titles.len() + 5, "frozenRowCount": 2}}}}),
        write(OLD_SHEET, 0, &groups),
        write(OLD_SHEET, 1, &texts(&titles)),
        write(OLD_SHEET, 2, &row(111_111)),
        write(OLD_SHEET, 3, &row(222_222)),
    ];
    requests.extend(merges.iter().map(merge));
    requests
}

/// The worked example linked to a spreadsheet with these edits.
async fn linked(world: &World, edits: Vec<Value>) -> (Seller, String) {
    let seller = world.worked_example().await;
    let spreadsheet = world.spreadsheet("Остатки");
    if !edits.is_empty() {
        let done = world.google.edit(&spreadsheet, &json!(edits));
        done.expect("the earlier writer's work");
    }
    world.link(seller, &spreadsheet, None).await;
    world.project().await;
    world.mark().await;
    (seller, spreadsheet)
}

async fn migrate(world: &World, seller: Seller, choice: Choice) -> Result<Moved, MigrateError> {
    let mut moved = world.sheets.migrate(Some(seller.tenant), choice).await.unwrap();
    assert_eq!(moved[0].0, seller.tenant);
    moved.remove(0).1
}

const DRY: Choice = Choice {
    dry_run: true,
    backup: false,
};
const MOVE: Choice = Choice {
    dry_run: false,
    backup: false,
};

/// The first columns of the first rows of a worksheet.
fn part(world: &World, spreadsheet: &str, title: &str, columns: usize) -> Vec<String> {
    let grid = world.google.grid(spreadsheet, title).expect("the worksheet");
    let rows: Vec<Vec<Value>> = grid
        .into_iter()
        .map(|row| row.into_iter().take(columns).collect())
        .collect();
    lines(&rows)
}

#[tokio::test]
async fn an_old_sheet_is_not_written_beside_but_held_until_it_is_moved() {
    let world = World::new().await;
    let (seller, spreadsheet) = linked(&world, vertical(PRODUCTS)).await;
    let before = lines(&world.grid(&spreadsheet));
    let round = world.round().await;
    assert_eq!((round.failed, round.batches), (1, 0));
    let told = world.error(seller).await.unwrap_or_default();
    assert!(
        told.contains("stock-tracker sheets migrate") && told.contains("warehouses in the lines of cells"),
        "{told}"
    );
    assert_eq!(lines(&world.grid(&spreadsheet)), before);

    let told = migrate(&world, seller, DRY).await.unwrap();
    assert_eq!((told.report.layout, told.changed), (Layout::Vertical, false));
    assert!(
        told.report
            .entries
            .iter()
            .any(|entry| entry.fate == Fate::Removed)
    );
    assert_eq!(lines(&world.grid(&spreadsheet)), before);
    assert!(world.error(seller).await.is_some(), "a look changes nothing");
}

#[tokio::test]
async fn a_vertical_sheet_is_moved_with_its_copy_and_everything_of_the_sellers() {
    let world = World::new().await;
    let (seller, spreadsheet) = linked(&world, vertical(PRODUCTS)).await;
    let before = lines(&world.grid(&spreadsheet));
    let backup = Choice { backup: true, ..MOVE };
    world.google.clear_calls();
    let moved = migrate(&world, seller, backup).await.unwrap();
    assert!(moved.changed);
    assert_eq!(world.calls().1, 1, "copy and move are one batch");
    let copy = moved.backup.unwrap();
    assert!(copy.starts_with("Products_backup_20261120_0900"), "{copy}");
    assert_eq!(part(&world, &spreadsheet, &copy, 20), before);

    let expected = lines(&world.expected(seller).await);
    let width = world.expected(seller).await[0].len();
    let shown = part(&world, &spreadsheet, PRODUCTS, width);
    assert_eq!(shown[..4], expected);
    let rest: Vec<String> = lines(&world.grid(&spreadsheet))
        .iter()
        .map(|line| line.split('|').skip(width).collect::<Vec<_>>().join("|"))
        .collect();
    // The formula doubles the total, which has another column now.
    assert_eq!(rest[1..4], ["Заметка", "200", "дозаказать"]);
    assert!(shown[5].starts_with("||Итого||||130|"), "{}", shown[5]);

    // From now on it is a sheet like any other.
    assert_eq!(world.round().await, Round::default());
    world.stock(seller, 111_111, &[("Подольск", 36)], None).await;
    world.google.clear_calls();
    assert_eq!(world.round().await.batches, 1);
    assert_eq!(world.calls(), (1, 1));
    assert_eq!(
        part(&world, &spreadsheet, PRODUCTS, width)[..4],
        lines(&world.expected(seller).await)
    );
    let again = migrate(&world, seller, backup).await.unwrap();
    assert_eq!(
        (again.report.layout, again.changed, again.backup),
        (Layout::Current, false, None)
    );
}

#[tokio::test]
async fn a_horizontal_sheet_of_another_title_is_found_moved_and_followed_under_its_title() {
    for six in [true, false] {
        let world = World::new().await;
        let (seller, spreadsheet) = linked(&world, horizontal("Stock Tracker", six)).await;
        assert_eq!(world.round().await.failed, 1, "nothing is written beside it");
        let moved = migrate(&world, seller, MOVE).await.unwrap();
        assert_eq!(moved.worksheet.as_deref(), Some("Stock Tracker"));
        assert_eq!(moved.report.layout, Layout::Horizontal { six_totals: six });
        assert_eq!(world.error(seller).await, None);
        let titles = part(&world, &spreadsheet, "Stock Tracker", 40);
        assert!(
            !titles[1].contains(OUTDATED_TOTAL) && titles[1].contains("Моё"),
            "{}",
            titles[1]
        );
        // Its warehouses stand where they stood; the others came behind, before the seller's column.
        let names: Vec<&str> = titles[0].split('|').filter(|title| !title.is_empty()).collect();
        assert_eq!(
            names[..4],
            ["Основная информация", "Общие метрики", "Казань", "Коледино"]
        );
        assert!(titles[2].starts_with("BrandA|Коллаген|COL-001|111111|5|2|50|100|14|0|0||40|20|14|"));
        assert_eq!(world.round().await, Round::default());
        world.rename(seller, 222_222, "VIT-D4", "Витамины").await;
        assert_eq!(world.round().await.batches, 1);
        let renamed = part(&world, &spreadsheet, "Stock Tracker", 4);
        assert_eq!(renamed[3], "BrandA|Витамины|VIT-D4|222222");
        assert_eq!(world.google.grid(&spreadsheet, PRODUCTS), None);
    }
}

#[tokio::test]
async fn a_column_that_another_worksheet_reads_stays_and_goes_on_being_read() {
    let world = World::new().await;
    let mut edits = horizontal("Stock Tracker", true);
    edits.push(json!({"addSheet": {"properties": {"sheetId": 78, "title": "Сводка"}}}));
    // Far down, and beside what has a successor.
    let formulas = [json!("='Stock Tracker'!G3"), json!("='Stock Tracker'!I3*2")];
    edits.push(write(78, 900, &formulas));
    let (seller, spreadsheet) = linked(&world, edits).await;
    let told = migrate(&world, seller, DRY).await.unwrap().report;
    let moved = migrate(&world, seller, MOVE).await.unwrap();
    assert!(moved.changed);
    assert_eq!(moved.report, told, "the look told the truth");
    let said = format!(
        "column G “{OUTDATED_TOTAL}” stays as it is, because a formula in the worksheet “Сводка” reads it; nobody \
         updates it"
    );
    let entries = &moved.report.entries;
    assert!(entries.iter().any(|entry| entry.what == said), "{entries:?}");
    assert!(entries.iter().all(|entry| entry.fate != Fate::Removed));
    let read = &world.google.grid(&spreadsheet, "Сводка").unwrap()[900];
    // What stood there before, and twice the 100 units that are there now.
    assert_eq!((read[0].as_f64(), read[1].as_f64()), (Some(6.0), Some(200.0)));
    assert_eq!(world.round().await, Round::default());
}

#[tokio::test]
async fn a_move_that_was_cut_is_found_out_and_never_done_twice() {
    for effect in [
        Effect::CutBody,
        Effect::DoneButFailed,
        Effect::Status {
            status: 503,
            body: String::new(),
            content_type: None,
        },
    ] {
        let world = World::new().await;
        let (seller, spreadsheet) = linked(&world, vertical(PRODUCTS)).await;
        world.google.script(
            Fault::on("/v4/", effect.clone())
                .containing(":batchUpdate")
                .times(1),
        );
        let cut = migrate(&world, seller, MOVE).await.unwrap_err();
        assert!(matches!(cut, MigrateError::Trouble(_)), "{cut}");
        world.clock.advance(TimeDelta::seconds(300));
        let again = migrate(&world, seller, MOVE).await.unwrap();
        let done = again.report.layout == Layout::Current;
        assert_eq!(done, !matches!(effect, Effect::Status { .. }), "{effect:?}");
        world.clock.advance(TimeDelta::seconds(300));
        assert_eq!(world.round().await.failed, 0);
        let width = world.expected(seller).await[0].len();
        assert_eq!(
            part(&world, &spreadsheet, PRODUCTS, width)[..4],
            lines(&world.expected(seller).await)
        );
    }
}

#[tokio::test]
async fn all_sheets_are_looked_at_and_one_that_cannot_be_opened_stops_no_other() {
    let world = World::new().await;
    let (first, _) = linked(&world, vertical(PRODUCTS)).await;
    let (second, spreadsheet) = linked(&world, vertical("Товары")).await;
    world
        .google
        .share(&spreadsheet, &world.google.service_account_email(0), None);
    let (third, _) = linked(&world, Vec::new()).await;
    let moved = world.sheets.migrate(None, MOVE).await.unwrap();
    assert_eq!(moved.len(), 3);
    for (tenant, outcome) in moved {
        if tenant == first.tenant {
            assert!(outcome.unwrap().changed);
        } else if tenant == second.tenant {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("share it with"), "{error}");
        } else {
            let outcome = outcome.unwrap();
            assert_eq!((outcome.report.layout, outcome.changed), (Layout::Empty, false));
            assert_eq!(outcome.worksheet, None);
        }
    }
    let unknown = migrate(&world, world.seller(), MOVE).await.unwrap_err();
    assert!(matches!(unknown, MigrateError::NotLinked));
    // A sheet that is only looked at is free for its first write.
    assert_eq!(world.round().await.written, 1);
    assert!(world.error(third).await.is_none());
}

#[tokio::test]
async fn a_large_old_sheet_is_moved_in_batches_of_bounded_size() {
    let world = World::with(simulators::google::Quotas::off(), |options| {
        options.cells_per_batch = 20;
        options.bytes_per_batch = 2_000;
    })
    .await;
    let (seller, spreadsheet) = linked(&world, vertical(PRODUCTS)).await;
    world.list(seller, 333_333, "NEW-1", "Новинки").await;
    world.project().await;
    world.mark().await;
    world.google.clear_calls();
    let moved = migrate(&world, seller, MOVE).await.unwrap();
    assert!(moved.changed && world.calls().1 > 1);
    world.clock.advance(TimeDelta::seconds(300));
    assert_eq!(world.round().await.failed, 0);
    let width = world.expected(seller).await[0].len();
    let shown = part(&world, &spreadsheet, PRODUCTS, width);
    let expected = lines(&world.expected(seller).await);
    assert_eq!((&shown[..4], &shown[4]), (&expected[..4], &expected[4]));
}
