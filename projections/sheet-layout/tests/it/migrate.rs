//! Sheets of earlier layouts, whole, damaged and mixed: they become what this layout would have made, and
//! nothing of the seller's is lost on the way.

use proptest::prelude::*;
use serde_json::{Value, json};
use sheet_layout::migrate::{
    Elsewhere, Fate, Layout, Migration, OUTDATED_TOTAL, Worksheet, migrate, recognise,
};
use sheet_layout::{Grid, GridRange, Request, SheetInput, initial_columns};

use crate::model::Model;
use crate::world::{World, warehouse, worked_example};

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

fn sheet(rows: usize, columns: usize) -> Model {
    Model::of_seller(9, rows, columns)
}

fn fill(model: &mut Model, row: usize, values: &[Value]) {
    for (column, value) in values.iter().enumerate() {
        model.cells[row][column].value = Some(value.clone()).filter(|value| *value != json!(""));
    }
}

fn texts(titles: &[&str]) -> Vec<Value> {
    titles.iter().map(|title| json!(title)).collect()
}

/// The worked example as the oldest writer left it.
fn vertical() -> Model {
    let mut model = sheet(5, 12);
    fill(&mut model, 0, &texts(&VERTICAL));
    let lines = |parts: &[&str]| json!(parts.join("\n\n"));
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
    ];
    let second = [
        json!("VIT-D3"),
        json!(222_222),
        json!(79),
        json!(149),
        json!(13),
        lines(&["Коледино", "Казань", "Остальные"]),
        lines(&["78", "2", "0"]),
        lines(&["150", "0", "4"]),
        lines(&["13", "", ""]),
    ];
    fill(&mut model, 1, &first);
    fill(&mut model, 2, &second);
    model
}

/// The worked example with two header rows and no names, with five or six columns of totals.
fn horizontal(six: bool) -> Model {
    let mut totals = vec!["В пути до покупателя", "В пути конв. на склад WB"];
    if six {
        totals.push(OUTDATED_TOTAL);
    }
    totals.extend(["Заказы (всего)", "Остатки (всего)", "Оборачиваемость (дни)"]);
    let mut titles = vec!["Бренд", "Предмет", "Артикул продавца", "Артикул товара (nmid)"];
    titles.extend(totals);
    let general = titles.len();
    let names = ["Казань", "Коледино", "Подольск", "Электросталь"];
    for _ in names {
        titles.extend(["Остатки", "Заказы", "Оборач."]);
    }
    let mut model = sheet(6, titles.len() + 2);
    fill(&mut model, 1, &texts(&titles));
    model.put(0, 0, "Основная информация");
    model.put(0, 4, "Общие метрики");
    model.join(0, 0, 4);
    model.join(0, 4, general);
    for (place, name) in names.iter().enumerate() {
        let column = general + 3 * place;
        model.put(0, column, name);
        model.join(0, column, column + 3);
    }
    for (row, article) in [(2, 111_111), (3, 222_222)] {
        let mut values = vec![json!("BrandA"), json!("old"), json!("old"), json!(article)];
        values.extend((4..titles.len()).map(|column| json!(column)));
        fill(&mut model, row, &values);
    }
    model.frozen = 2;
    model
}

/// Migrates and applies; what follows is an ordinary world.
fn move_on(model: Model, input: &SheetInput) -> (World, Migration) {
    let mut world = World {
        model,
        known: input.identities(&World::default().options.view).unwrap(),
        ..World::default()
    };
    let migration = migrate(&world.model.worksheet(), &world.known, input, &world.options).unwrap();
    if let Some(plan) = &migration.plan {
        world.model.apply(&plan.to_json().unwrap());
        world.written = plan.after.written.clone();
    }
    (world, migration)
}

fn assert_done(world: &mut World, input: &SheetInput) {
    world.assert_shows(input);
    assert!(world.plan(input).is_empty(), "{:?}", world.plan(input).requests);
    // Also by what is in the sheet alone.
    assert_eq!(recognise(&world.model.worksheet()), Layout::Current);
    let again = migrate(&world.model.worksheet(), &world.known, input, &world.options).unwrap();
    assert_eq!(again.plan, None);
    world.written = Grid::default();
    world.sync(input);
    world.assert_shows(input);
}

fn told(migration: &Migration, fate: Fate) -> Vec<&str> {
    let entries = migration.report.entries.iter().filter(|entry| entry.fate == fate);
    entries.map(|entry| entry.what.as_str()).collect()
}

fn order(world: &World) -> Vec<String> {
    world
        .model
        .managed()
        .iter()
        .map(|(key, _)| key.to_string())
        .collect()
}

fn usual_order(input: &SheetInput) -> Vec<String> {
    initial_columns(input).iter().map(ToString::to_string).collect()
}

#[test]
fn a_vertical_sheet_becomes_what_a_first_write_would_have_made() {
    let input = worked_example();
    let (mut world, migration) = move_on(vertical(), &input);
    assert_eq!(migration.report.layout, Layout::Vertical);
    assert_eq!(order(&world), usual_order(&input));
    let columns: Vec<usize> = world.model.managed().iter().map(|(_, column)| *column).collect();
    assert_eq!(columns, (0..21).collect::<Vec<_>>());
    assert_eq!(world.model.value(0, 0), Some(&json!("Основная информация")));
    assert_eq!(world.model.value(1, 3), Some(&json!("Артикул товара (nmid)")));
    assert_eq!((world.model.frozen, world.model.widths[&1]), (2, 200));
    assert!(world.model.cells[0][9].header && world.model.cells[1][20].header);
    assert!(world.model.cells[2][8].thick_right && world.model.cells[1][0].thick_bottom);
    assert!(world.model.cells[1][7].note.is_some() && world.model.cells[1][8].note.is_some());
    let removed = told(&migration, Fate::Removed);
    assert_eq!(removed.len(), 4, "{removed:?}");
    assert!(removed[0].starts_with("column F “Название склада”"));
    let unclear = told(&migration, Fate::Unclear);
    assert_eq!(
        unclear,
        ["nothing is known of “Остальные”, which was named as a warehouse"]
    );
    assert_done(&mut world, &input);
}

#[test]
fn what_a_seller_put_beside_and_below_a_vertical_sheet_moves_along() {
    let mut model = vertical();
    fill(&mut model, 0, &texts(&VERTICAL));
    model.put(0, 9, "Заметка");
    model.put(1, 9, "дозаказать");
    model.put(1, 10, "=D2*2");
    model.put(4, 0, "Итого");
    model.put(4, 2, "=SUM(C2:C3)");
    model.cells[2][9].note = Some("звонить в понедельник".to_owned());
    let input = worked_example();
    let (mut world, migration) = move_on(model, &input);
    assert_eq!(world.model.value(1, 21), Some(&json!("Заметка")));
    assert_eq!(world.model.value(2, 21), Some(&json!("дозаказать")));
    assert_eq!(
        world.model.value(2, 22),
        Some(&json!("=D2*2")),
        "Google follows the cells"
    );
    assert_eq!(
        world.model.cells[3][21].note.as_deref(),
        Some("звонить в понедельник")
    );
    assert_eq!(world.model.value(5, 2), Some(&json!("Итого")));
    assert_eq!(world.model.value(5, 6), Some(&json!("=SUM(C2:C3)")));
    let kept = told(&migration, Fate::Kept);
    assert!(kept.contains(&"your column J “Заметка” is column V"), "{kept:?}");
    assert!(
        kept.contains(&"your rows 5") && kept.contains(&"1 notes on their cells"),
        "{kept:?}"
    );
    assert_done(&mut world, &input);
}

#[test]
fn a_column_without_a_successor_stays_while_something_of_the_seller_hangs_on_it() {
    type Change = fn(&mut Model);
    let changes: [(Change, &str, &str); 4] = [
        (
            |model| model.put(4, 5, "мой склад"),
            "column F",
            "something of yours stands in it",
        ),
        (
            |model| model.cells[1][6].note = Some("?".to_owned()),
            "column G",
            "a note of yours hangs on it",
        ),
        (
            |model| model.put(1, 7, "=1+1"),
            "column H",
            "it holds a formula of yours",
        ),
        (
            |model| model.put(1, 10, "=LEN($I2)"),
            "column I",
            "a formula reads it",
        ),
    ];
    for (change, column, why) in changes {
        let (mut model, input) = (vertical(), worked_example());
        change(&mut model);
        let (mut world, migration) = move_on(model, &input);
        let kept = told(&migration, Fate::Kept);
        assert!(
            kept.iter()
                .any(|kept| kept.starts_with(column) && kept.contains(why)),
            "{kept:?}"
        );
        assert_eq!(told(&migration, Fate::Removed).len(), 3);
        assert_eq!(world.model.width(), 12 - 3 + 4 + 12);
        assert_done(&mut world, &input);
    }
}

#[test]
fn the_sixth_column_of_totals_goes_and_the_others_stay_where_they_are() {
    let input = worked_example();
    let (mut world, migration) = move_on(horizontal(true), &input);
    assert_eq!(migration.report.layout, Layout::Horizontal { six_totals: true });
    assert_eq!(order(&world), usual_order(&input));
    assert_eq!(told(&migration, Fate::Removed).len(), 1);
    let plan = migration.plan.as_ref().unwrap();
    let insertions = plan
        .requests
        .iter()
        .filter(|request| matches!(request, Request::InsertDimension { .. }));
    assert_eq!(insertions.count(), 0, "nothing had to be inserted");
    assert_eq!(world.model.merges.len(), 6);
    assert_done(&mut world, &input);
}

#[test]
fn formulas_keep_the_sixth_column_and_spanning_it_does_not() {
    for (formula, removed) in [
        ("=G3*2", 0),
        ("=SUM($G:$G)", 0),
        ("='Products'!g$3", 0),
        ("=SUM(E3:I3)", 1),
        ("=AG3+G_name+LOG(3)", 1),
    ] {
        let (mut model, input) = (horizontal(true), worked_example());
        let last = model.width() - 1;
        model.put(2, last, formula);
        let (_, migration) = move_on(model, &input);
        assert_eq!(told(&migration, Fate::Removed).len(), removed, "{formula}");
    }
}

#[test]
fn a_column_that_another_worksheet_reads_stays_and_the_report_says_which() {
    for (formula, removed) in [
        ("=Products!G3", 0),
        ("=SUM('Products'!G3:G9)", 0),
        ("=VLOOKUP(A1,Products!$D:$K,4,0)", 0),
        ("=SUM(Products!E3:I3)", 1),
        ("=G3+'Products 2'!G3", 1),
    ] {
        let (model, input) = (horizontal(true), worked_example());
        let options = World::default().options;
        let known = input.identities(&options.view).unwrap();
        let found = Worksheet {
            elsewhere: vec![Elsewhere {
                worksheet: "Сводка".into(),
                formula: formula.into(),
            }],
            ..model.worksheet()
        };
        let migration = migrate(&found, &known, &input, &options).unwrap();
        assert_eq!(told(&migration, Fate::Removed).len(), removed, "{formula}");
        let said = "column G “Всего заказов на складах WB” stays as it is, because a formula in the worksheet \
                    “Сводка” reads it";
        let kept = told(&migration, Fate::Kept);
        let says = kept.iter().any(|kept| kept.starts_with(said));
        assert_eq!(says, removed == 0, "{formula}: {kept:?}");
    }
}

#[test]
fn a_sheet_of_today_without_names_only_gets_them_and_its_numbers() {
    let input = worked_example();
    let (mut world, migration) = move_on(horizontal(false), &input);
    assert_eq!(migration.report.layout, Layout::Horizontal { six_totals: false });
    assert_eq!(order(&world), usual_order(&input));
    let moved = told(&migration, Fate::Moved);
    assert_eq!(moved, ["2 rows of products keep their places"]);
    assert_done(&mut world, &input);
}

#[test]
fn a_warehouse_that_nobody_knows_any_more_keeps_its_columns_and_shows_zeros() {
    let mut input = worked_example();
    // Подольск is masked now: its stock comes under another name.
    input.warehouses[2] = warehouse("Склад WB РФ");
    let (mut world, migration) = move_on(horizontal(false), &input);
    let columns = order(&world);
    assert!(
        columns.contains(
            &sheet_layout::ColumnKey::warehouse("fbo:name:Подольск", sheet_layout::WarehouseField::Stock)
                .to_string()
        ),
        "{columns:?}"
    );
    assert_eq!(world.model.value(0, 15), Some(&json!("Подольск")));
    assert_eq!(world.model.value(2, 15), Some(&json!(0)));
    assert_eq!(world.model.value(0, 21), Some(&json!("Склад WB РФ")));
    assert_eq!(told(&migration, Fate::Unclear).len(), 1);
    assert_done(&mut world, &input);
}

#[test]
fn retyped_titles_moved_columns_and_a_heading_above_are_still_recognised() {
    let (mut model, input) = (horizontal(true), worked_example());
    model.put(1, 3, " артикул  ТОВАРА\u{a0}(nmid)");
    model.put(0, 10, "КАЗАНЬ ");
    model.insert(true, 0, 2);
    model.put(0, 0, "Мой магазин");
    model.insert(false, 5, 1);
    model.put(3, 5, "Цена");
    for row in &mut model.cells {
        row.swap(0, 1);
    }
    let (mut world, migration) = move_on(model, &input);
    assert_eq!(migration.report.layout, Layout::Horizontal { six_totals: true });
    assert_eq!(
        world.model.value(0, 0).or(world.model.value(0, 1)),
        Some(&json!("Мой магазин"))
    );
    assert_eq!(world.model.column("base:subject"), Some(0));
    assert_eq!(world.model.value(3, 5), Some(&json!("Цена")));
    assert_done(&mut world, &input);
}

#[test]
fn a_deleted_title_row_leaves_warehouses_without_a_name_to_the_seller() {
    let (mut model, input) = (horizontal(false), worked_example());
    model.delete(true, 0);
    let (mut world, migration) = move_on(model, &input);
    assert_eq!(migration.report.layout, Layout::Horizontal { six_totals: false });
    let kept = told(&migration, Fate::Kept);
    assert!(
        kept.iter()
            .any(|kept| kept.starts_with("your column J “Остатки”")),
        "{kept:?}"
    );
    assert_eq!(
        world.model.value(0, 9),
        Some(&json!("Казань")),
        "the named ones stand before them"
    );
    assert_done(&mut world, &input);
}

#[test]
fn a_vertical_sheet_without_article_numbers_is_found_by_vendor_codes() {
    let (mut model, input) = (vertical(), worked_example());
    model.delete(false, 1);
    let (mut world, _) = move_on(model, &input);
    assert_eq!(world.model.cells.len(), 6, "no row was added");
    assert_done(&mut world, &input);
}

#[test]
fn rows_of_strangers_and_copies_stay_and_are_told() {
    let (mut model, input) = (vertical(), worked_example());
    model.put(3, 0, "GONE");
    model.cells[3][1].value = Some(json!("999"));
    let copy = model.cells[2].clone();
    model.cells[4] = copy;
    // An article that became a text is still one.
    model.cells[2][1].value = Some(json!(" 222222"));
    let (mut world, migration) = move_on(model, &input);
    let unclear = told(&migration, Fate::Unclear);
    assert!(
        unclear
            .iter()
            .any(|line| line.starts_with("row 4 shows article 999")),
        "{unclear:?}"
    );
    assert!(
        unclear
            .iter()
            .any(|line| line.starts_with("row 5 shows article 222222")),
        "{unclear:?}"
    );
    assert_eq!(world.model.value(4, 2), Some(&json!("GONE")));
    assert_eq!(world.model.value(3, 3), Some(&json!(222_222)));
    assert_done(&mut world, &input);
}

#[test]
fn products_without_a_row_get_one_below_and_delisted_ones_are_struck() {
    let (model, mut input) = (vertical(), worked_example());
    let known = input.identities(&World::default().options.view).unwrap();
    input.products.remove(0);
    input.products.push(crate::world::product(333, &[(0, 1, 1)]));
    let mut world = World {
        model,
        known,
        ..World::default()
    };
    let migration = migrate(&world.model.worksheet(), &world.known, &input, &world.options).unwrap();
    let plan = migration.plan.unwrap();
    world.model.apply(&plan.to_json().unwrap());
    world.written = plan.after.written.clone();
    world.sync(&input);
    world.assert_shows(&input);
    assert!(world.model.cells[2][0].struck && !world.model.cells[3][0].struck);
    assert_eq!(world.model.value(4, 3), Some(&json!(333)));
}

#[test]
fn an_empty_sheet_and_one_of_somebody_else_are_left_alone() {
    let input = worked_example();
    let mut other = sheet(5, 5);
    other.put(0, 0, "Дата");
    other.put(0, 1, "Заказы (всего)");
    for (model, layout) in [(sheet(5, 5), Layout::Empty), (other, Layout::Unknown)] {
        let before = model.cells.clone();
        let (world, migration) = move_on(model, &input);
        assert_eq!((migration.report.layout, migration.plan), (layout, None));
        assert_eq!(world.model.cells, before);
    }
}

#[test]
fn an_old_layout_beside_the_current_one_is_told_and_left_alone() {
    let (mut world, input) = (World::default(), worked_example());
    world.sync(&input);
    world.model.insert(false, 21, 9);
    for (place, title) in VERTICAL.iter().enumerate() {
        world.model.put(1, 21 + place, title);
    }
    let migration = migrate(&world.model.worksheet(), &world.known, &input, &world.options).unwrap();
    assert_eq!(
        (migration.report.layout, &migration.plan),
        (Layout::Current, &None)
    );
    let unclear = told(&migration, Fate::Unclear);
    assert!(
        unclear[0].starts_with("columns V to AD still have the layout with one header row"),
        "{unclear:?}"
    );
}

#[test]
fn a_report_reads_as_a_list() {
    let (_, migration) = move_on(horizontal(true), &worked_example());
    let text = migration.report.to_string();
    assert!(
        text.starts_with("found the layout with six columns of totals\n  removed  column G"),
        "{text}"
    );
}

#[derive(Debug, Clone)]
enum Damage {
    Column(prop::sample::Index),
    Row(prop::sample::Index),
    /// The seller writes beside, below or above.
    Cell(prop::sample::Index, prop::sample::Index),
    Delete(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        place().prop_map(Damage::Column),
        place().prop_map(Damage::Row),
        (place(), place()).prop_map(|(row, column)| Damage::Cell(row, column)),
        place().prop_map(Damage::Delete),
    ]
}

/// All texts of the seller's, sorted.
fn own(model: &Model) -> Vec<String> {
    let cells = model
        .cells
        .iter()
        .flatten()
        .filter_map(|cell| cell.value.as_ref()?.as_str());
    let mut found: Vec<String> = cells
        .filter(|text| text.starts_with("own"))
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_done_to_an_old_sheet_the_seller_loses_nothing_and_a_repetition_changes_nothing(
        which in 0..3,
        damages in prop::collection::vec(damage(), 0..6),
    ) {
        let input = worked_example();
        let mut model = match which {
            0 => vertical(),
            1 => horizontal(true),
            _ => horizontal(false),
        };
        for (number, damage) in damages.iter().enumerate() {
            let text = format!("own {number}");
            let (height, width) = (model.cells.len(), model.width());
            match damage {
                Damage::Column(place) => {
                    let at = place.index(width + 1);
                    model.insert(false, at, 1);
                    model.put(height - 1, at, &text);
                }
                Damage::Row(place) => {
                    let at = place.index(height + 1);
                    model.insert(true, at, 1);
                    model.put(at, width - 1, &text);
                }
                Damage::Cell(row, column) => {
                    let (row, column) = (row.index(height), column.index(width));
                    // Inside a product's row the layout's columns are the layout's.
                    if model.cells[row][column].value.is_none() && row + 2 > height {
                        model.put(row, column, &text);
                    }
                }
                Damage::Delete(place) => {
                    let at = place.index(width);
                    if model.cells.iter().all(|row| {
                        !row[at].value.as_ref().and_then(Value::as_str).is_some_and(|text| text.starts_with("own"))
                    }) {
                        model.delete(false, at);
                    }
                }
            }
        }
        let before = own(&model);
        let (mut world, migration) = move_on(model.clone(), &input);
        prop_assert_eq!(own(&world.model), before);
        if migration.plan.is_some() {
            assert_done(&mut world, &input);
        } else {
            prop_assert!(!migration.report.layout.is_old());
            prop_assert_eq!(world.model.cells, model.cells);
        }
    }
}

#[test]
fn a_column_that_a_chart_or_a_named_range_reads_stays() {
    let (model, input) = (horizontal(true), worked_example());
    let mut found = model.worksheet();
    found.objects = vec![GridRange {
        sheet_id: found.sheet_id,
        start_row_index: 2,
        end_row_index: 6,
        start_column_index: 6,
        end_column_index: 7,
    }];
    let known = input.identities(&World::default().options.view).unwrap();
    let kept = migrate(&found, &known, &input, &World::default().options).unwrap();
    assert!(told(&kept, Fate::Kept)[0].contains("a named range or a chart reads it"));
}
