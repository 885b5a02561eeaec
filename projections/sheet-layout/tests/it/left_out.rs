//! A warehouse whose units are no part of the totals: its columns stay and keep their numbers, and its title
//! says why.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use sheet_layout::export::{CsvDialect, Table};
use sheet_layout::{
    BaseField, Cell, ColumnKey, Decoration, Grid, Language, LowStock, SheetInput, Sort, SortBy, View,
    WarehouseField, initial_columns, render_rows,
};

use crate::world::{World, worked_example};

const OURS: &str = "Не учитывается в «Остатки (всего)»: зависли";

/// The worked example without the units at Коледино, of the first product or of both.
fn without_koledino(products: usize) -> SheetInput {
    let mut input = worked_example();
    input.warehouses[1].left_out = "зависли".into();
    for product in input.products.iter_mut().take(products) {
        product.uncounted = [1].into();
    }
    input
}

fn places(input: &SheetInput, keys: &[ColumnKey]) -> Vec<Vec<Cell>> {
    let columns = initial_columns(input);
    let place = |key| columns.iter().position(|column| column == key).unwrap();
    let rows = render_rows(input, &columns).unwrap();
    let pick = |row: &Vec<Cell>| keys.iter().map(|key| row[place(key)].clone()).collect();
    rows[2..].iter().map(pick).collect()
}

/// The note on the title of Коледино.
fn note(world: &World) -> Option<&str> {
    let code = ColumnKey::warehouse("key of Коледино", WarehouseField::Stock);
    let column = world.model.column(&code.to_string()).unwrap();
    world.model.cells[0][column].note.as_deref()
}

#[test]
fn totals_and_turnover_are_without_its_units_and_with_its_orders() {
    let input = without_koledino(1);
    let own = ColumnKey::warehouse("key of Коледино", WarehouseField::Stock);
    let shown = places(
        &input,
        &[
            ColumnKey::Base(BaseField::AvailableTotal),
            ColumnKey::Base(BaseField::OrdersTotal),
            ColumnKey::Base(BaseField::Turnover),
            own,
        ],
    );
    let int = Cell::Int;
    assert_eq!(
        shown,
        [
            [int(60), int(50), Cell::Tenths(84), int(40)],
            [int(150), int(80), Cell::Tenths(131), int(150)],
        ]
    );
}

#[test]
fn an_export_sorts_and_colours_by_what_counts_and_marks_the_title() {
    let view = View {
        sort: Sort {
            by: SortBy::Available,
            descending: true,
        },
        low_stock: Some(LowStock {
            below_units: Some(61),
            below_days: None,
        }),
        language: Language::English,
        ..View::default()
    };
    let table = Table::new(&without_koledino(2), &view).unwrap();
    let csv = String::from_utf8(table.to_csv(CsvDialect::Machine).unwrap()).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].contains(",Коледино (not counted),"), "{}", lines[0]);
    assert!(lines[2].contains("COL-001"), "{csv}");
    let levels: Vec<String> = table.levels().iter().map(|level| format!("{level:?}")).collect();
    assert_eq!(levels, ["Low", "Out"]);
    let [(column, note)] = table.title_notes() else {
        panic!("{:?}", table.title_notes())
    };
    assert_eq!(&**note, "Not part of “Stock (total)”: зависли");
    assert_eq!(
        table.rows().next().unwrap()[*column].to_string(),
        "Коледино (not counted)"
    );
    let bytes = table.to_xlsx("Products").unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut comments = String::new();
    let mut part = archive.by_name("xl/comments1.xml").unwrap();
    part.read_to_string(&mut comments).unwrap();
    assert!(
        comments.contains("Not part of “Stock (total)”: зависли"),
        "{comments}"
    );
}

#[test]
fn the_note_on_the_title_comes_changes_and_goes_with_the_reason() {
    let mut world = World::default();
    world.sync(&worked_example());
    assert_eq!(note(&world), None);
    let planned = world.sync(&without_koledino(2));
    assert_eq!(note(&world), Some(OURS));
    assert!(!planned.values().is_empty() && !planned.is_freshness_only());
    let mut other = without_koledino(2);
    other.warehouses[1].left_out = "закрыт".into();
    world.sync(&other);
    assert_eq!(note(&world), Some("Не учитывается в «Остатки (всего)»: закрыт"));
    world.options.view.language = Language::English;
    world.sync(&other);
    assert_eq!(note(&world), Some("Not part of “Stock (total)”: закрыт"));
    world.sync(&worked_example());
    assert_eq!(note(&world), None);
}

#[test]
fn a_first_write_has_the_note() {
    let mut world = World::default();
    world.sync(&without_koledino(2));
    assert_eq!(note(&world), Some(OURS));
}

#[test]
fn a_note_that_was_refused_comes_later_and_so_does_its_end() {
    let refused: BTreeSet<Decoration> = [Decoration::Note].into();
    let mut world = World::default();
    world.options.structure = Some(1);
    world.sync(&worked_example());
    world.sync_without(&without_koledino(2), &refused);
    assert_eq!(note(&world), None);
    world.options.structure = Some(2);
    world.sync(&without_koledino(2));
    assert_eq!(note(&world), Some(OURS));
    world.sync_without(&worked_example(), &refused);
    assert_eq!(note(&world), Some(OURS));
    world.options.structure = Some(3);
    world.sync(&worked_example());
    assert_eq!(note(&world), None);
}

#[test]
fn after_a_batch_of_which_nothing_is_known_the_note_is_right_again() {
    for applied in [false, true] {
        for (before, after) in [
            (worked_example(), without_koledino(2)),
            (without_koledino(2), worked_example()),
        ] {
            let mut world = World::default();
            world.sync(&before);
            world.crash(&after, applied);
            world.sync(&after);
            let wanted = (!after.warehouses[1].left_out.is_empty()).then_some(OURS);
            assert_eq!(note(&world), wanted, "applied: {applied}");
        }
    }
}

#[test]
fn a_note_of_the_sellers_own_that_was_read_stays() {
    let mut world = World::default();
    world.sync(&worked_example());
    let key = ColumnKey::warehouse("key of Коледино", WarehouseField::Stock);
    let column = world.model.column(&key.to_string()).unwrap();
    world.model.cells[0][column].note = Some("сверить".to_owned());
    let read = |world: &World| world.written.clone().with_title_notes([(&key, "сверить")]);
    for input in [without_koledino(2), worked_example()] {
        world.written = read(&world);
        world.sync(&input);
        assert_eq!(note(&world), Some("сверить"));
    }
    // The seller took it away.
    world.model.cells[0][column].note = None;
    world.written = world.written.clone().with_title_notes([]);
    world.sync(&without_koledino(2));
    assert_eq!(note(&world), Some(OURS));
    let bytes = world.written.to_bytes();
    assert_eq!(Grid::from_bytes(&bytes).unwrap(), world.written);
}
