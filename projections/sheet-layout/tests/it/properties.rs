//! Whatever products and warehouses come, go and are renamed, whatever the tenant chooses and whatever the
//! seller inserts: the sheet shows exactly what it should, nothing changes places, and nothing of the
//! seller's is lost. The model refuses what overlaps or lies outside the grid.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use sheet_layout::{
    Cell, CellFormat, ColumnKey, Decoration, ExtraField, Language, Level, LowStock, ProductFacts, ProductRow,
    SheetInput, Sort, SortBy, Tenths, View, WarehouseColumn, WarehouseField,
};

use crate::world::{World, product};

#[derive(Debug, Clone)]
enum Step {
    /// The marketplace's view: which warehouses and products exist, a seed for the numbers, and whether the
    /// warehouses have other names; and the tenant's choice.
    Sync {
        warehouses: BTreeSet<u8>,
        products: BTreeSet<u8>,
        numbers: u8,
        renamed: bool,
        view: Box<View>,
        /// The process dies before or after the batch is done.
        crash: Option<bool>,
        /// Decorations that Google refuses this time.
        refused: BTreeSet<Decoration>,
    },
    /// The seller freezes columns, and splits first what lies across the border.
    Freeze(prop::sample::Index),
    InsertColumn(prop::sample::Index),
    InsertRow(prop::sample::Index),
    /// The seller swaps two product rows.
    Sort(prop::sample::Index, prop::sample::Index),
    DeleteManagedColumn(prop::sample::Index),
    /// Any row, also of the header or of a product.
    DeleteRow(prop::sample::Index),
    /// A managed cell of a product is overwritten, and somebody asks for a sync.
    Overwrite(prop::sample::Index, prop::sample::Index),
}

/// Without a choice of cabinets, which changes what counts as listed.
fn view() -> impl Strategy<Value = View> {
    let low_stock =
        (prop::option::of(0_i64..5), prop::option::of(0_u32..12)).prop_map(|(below_units, below_days)| {
            LowStock {
                below_units,
                below_days,
            }
        });
    let extras = prop::collection::btree_set(prop::sample::select(ExtraField::ALL.to_vec()), 0..3);
    let sort = (
        prop::sample::select(vec![SortBy::Given, SortBy::NmId, SortBy::Turnover]),
        any::<bool>(),
    );
    let chosen = (prop::option::of(low_stock), extras, sort, any::<[bool; 3]>());
    let chosen = chosen.prop_map(
        |(low_stock, extra_columns, (by, descending), [english, hide, formats])| View {
            language: if english {
                Language::English
            } else {
                Language::Russian
            },
            low_stock,
            extra_columns,
            sort: Sort { by, descending },
            hide_empty_warehouses: hide,
            number_formats: formats,
            ..View::default()
        },
    );
    prop_oneof![1 => Just(View::default()), 2 => chosen]
}

fn refused() -> impl Strategy<Value = BTreeSet<Decoration>> {
    let some = prop::collection::btree_set(prop::sample::select(Decoration::ALL.to_vec()), 1..4);
    prop_oneof![3 => Just(BTreeSet::new()), 1 => some]
}

fn step() -> impl Strategy<Value = Step> {
    let set = |size| prop::collection::btree_set(0_u8..7, 0..size);
    prop_oneof![
        5 => (set(6), set(6), any::<u8>(), any::<bool>(), view(), prop::option::weighted(0.2, any::<bool>()),
                refused())
            .prop_map(|(warehouses, products, numbers, renamed, view, crash, refused)| {
                Step::Sync { warehouses, products, numbers, renamed, view: Box::new(view), crash, refused }
            }),
        1 => any::<prop::sample::Index>().prop_map(Step::Freeze),
        2 => any::<prop::sample::Index>().prop_map(Step::InsertColumn),
        2 => any::<prop::sample::Index>().prop_map(Step::InsertRow),
        1 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Step::Sort(a, b)),
        1 => any::<prop::sample::Index>().prop_map(Step::DeleteManagedColumn),
        1 => any::<prop::sample::Index>().prop_map(Step::DeleteRow),
        1 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Step::Overwrite(a, b)),
    ]
}

fn input(warehouses: &BTreeSet<u8>, products: &BTreeSet<u8>, numbers: u8, renamed: bool) -> SheetInput {
    let name = if renamed { "Новый" } else { "Склад" };
    let names: Vec<WarehouseColumn> = warehouses
        .iter()
        .rev()
        .map(|id| WarehouseColumn {
            key: format!("w{id}").into(),
            name: format!("{name} {id}").into(),
            ..WarehouseColumn::default()
        })
        .collect();
    let row = |id: &u8| -> ProductRow {
        let number = |place: usize, factor: usize| {
            i64::try_from((place * factor + usize::from(*id) * 5 + usize::from(numbers)) % 11).unwrap() / 4
        };
        let cells: Vec<_> = (0..names.len())
            .map(|place| (place, number(place, 3), number(place, 7)))
            .collect();
        ProductRow {
            orders_without_warehouse: i64::from(numbers.is_multiple_of(5) && id.is_multiple_of(2)),
            ..product(i64::from(*id) + 100, &cells)
        }
    };
    let facts = |product: &ProductRow| {
        let known = ProductFacts {
            orders_14: Some(i64::from(numbers)),
            days_of_stock: Some(Tenths(i64::from(numbers))),
            ..ProductFacts::default()
        };
        (Arc::clone(&product.key), known)
    };
    let products: Vec<ProductRow> = products.iter().map(row).collect();
    SheetInput {
        facts: products.iter().map(facts).collect(),
        products,
        warehouses: names,
        ..SheetInput::default()
    }
}

fn own(world: &World) -> Vec<String> {
    let mut found: Vec<String> = (world.model.cells.iter().flatten())
        .filter_map(|cell| cell.value.as_ref().and_then(Value::as_str))
        .filter(|text| text.starts_with("own"))
        .map(str::to_owned)
        .collect();
    found.sort();
    found
}

/// Order of the managed columns that exist in both.
fn common(before: &[String], after: &[String]) -> (Vec<String>, Vec<String>) {
    let keep = |from: &[String], other: &[String]| {
        from.iter()
            .filter(|value| other.contains(value))
            .cloned()
            .collect::<Vec<_>>()
    };
    (keep(before, after), keep(after, before))
}

fn managed(world: &World) -> Vec<String> {
    world
        .model
        .managed()
        .iter()
        .map(|(key, _)| key.to_string())
        .collect()
}

/// Physical rows of products, by key.
fn rows(world: &World) -> BTreeMap<Arc<str>, u32> {
    let read = world.model.read(world.written.clone(), &world.known).sheet;
    read.map(|sheet| sheet.row_of_product).unwrap_or_default()
}

/// Keys in the order of their rows.
fn order(rows: &BTreeMap<Arc<str>, u32>) -> Vec<String> {
    let mut keys: Vec<_> = rows.iter().map(|(key, row)| (*row, key.to_string())).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, key)| key).collect()
}

/// The totals in the sheet are the sums over the sheet's own warehouse columns.
fn assert_totals(world: &World) {
    for (_, row) in rows(world) {
        let row = row as usize;
        let whole = |column: &usize| world.model.value(row, *column).and_then(Value::as_i64).unwrap();
        let total = |name: &str| world.model.column(name).unwrap();
        let sum = |field: WarehouseField| -> i64 {
            let columns = world.model.managed();
            let blocks = columns
                .iter()
                .filter(|(key, _)| matches!(key, ColumnKey::Warehouse(_, of) if *of == field));
            blocks.map(|(_, column)| whole(column)).sum()
        };
        let available = total("base:available_total");
        assert_eq!(whole(&available), sum(WarehouseField::Stock));
        assert_eq!(whole(&total("base:orders_total")), sum(WarehouseField::Orders));
    }
}

/// Every managed column has the look of its title, whatever was refused before.
fn assert_dressed(world: &World) {
    let fields = world.model.header_row("header:fields").unwrap();
    for (key, column) in world.model.managed() {
        assert!(world.model.cells[fields][column].header, "{key} has no look");
        assert!(world.model.widths.contains_key(&column), "{key} has no width");
    }
}

/// The totals are in the colour of their level.
fn assert_levels(world: &World, input: &SheetInput) {
    let view = &world.options.view;
    for (key, row) in rows(world) {
        let row = row as usize;
        let whole = |column: &usize| world.model.value(row, *column).and_then(Value::as_i64).unwrap();
        let total = |name: &str| world.model.column(name).unwrap();
        let (available, turnover) = (total("base:available_total"), total("base:turnover"));

        let listed = input.products.iter().any(|product| product.key == key);
        let days = world.model.value(row, turnover).and_then(Value::as_f64);
        let days = days.map_or(Cell::Empty, |days| Cell::Tenths((days * 10.0).round() as i64));
        let level = view.low_stock.filter(|_| listed);
        let level = level.map_or(Level::Enough, |low| {
            low.level(&Cell::Int(whole(&available)), &days)
        });
        let wanted = serde_json::to_value(CellFormat::level(level)).unwrap();
        for (_, column) in world.model.managed() {
            let coloured = [available, turnover].contains(&column);
            let wanted = Some(&wanted["backgroundColorStyle"]).filter(|color| coloured && !color.is_null());
            assert_eq!(
                world.model.cells[row][column].background.as_ref(),
                wanted,
                "row {row} column {column}"
            );
        }
    }
}

/// One sync, of which Google refuses some decorations: values are right, and nothing but those is left to do.
fn written_right(world: &mut World, input: &SheetInput, refused: &BTreeSet<Decoration>) {
    if refused.is_empty() {
        world.sync(input);
        assert_totals(world);
        assert_levels(world, input);
        assert_dressed(world);
    } else {
        world.sync_without(input, refused);
        assert_totals(world);
        let again = world.plan(input);
        let asked = again
            .requests
            .iter()
            .all(|request| request.decoration().is_some_and(|kind| !refused.contains(&kind)));
        assert!(asked, "asked again: {:?}", again.requests);
    }
    world.assert_shows(input);
}

fn act(world: &mut World, step: &Step, written: &mut Vec<String>) {
    let mut label = |world: &mut World, row: usize, column: usize| {
        let text = format!("own {}", written.len());
        world.model.put(row, column, &text);
        written.push(text);
    };
    match step {
        Step::Sync {
            warehouses,
            products,
            numbers,
            renamed,
            view,
            crash,
            refused,
        } => {
            let input = input(warehouses, products, *numbers, *renamed);
            world.options.view = View::clone(view);
            // Every step has a sheet of its own kind, so that what is owed is tried again.
            world.options.structure = Some(world.options.structure.unwrap_or_default() + 1);
            if let Some(applied) = crash {
                return world.crash(&input, *applied);
            }
            let (before, rows_before) = (managed(world), order(&rows(world)));
            written_right(world, &input, refused);
            let (old, new) = common(&before, &managed(world));
            assert_eq!(old, new, "managed columns changed places");
            let (old, new) = common(&rows_before, &order(&rows(world)));
            assert_eq!(old, new, "rows changed places");
        }
        _ if world.model.cells.is_empty() => {}
        Step::Freeze(place) => {
            let border = place.index(world.model.width());
            let border32 = u32::try_from(border).unwrap();
            world
                .model
                .merges
                .retain(|merge| !(merge.start_column_index < border32 && border32 < merge.end_column_index));
            world.model.frozen_columns = border;
        }
        Step::InsertColumn(place) => {
            let at = place.index(world.model.width() + 1);
            world.model.insert(false, at, 1);
            let row = world.model.cells.len() - 1;
            label(world, row, at);
        }
        Step::InsertRow(place) => {
            let at = place.index(world.model.cells.len() + 1);
            world.model.insert(true, at, 1);
            let column = world.model.width() - 1;
            // A cell of a column of ours in a row of the seller's is the seller's.
            label(world, at, column);
        }
        Step::Sort(a, b) => {
            let mut rows: Vec<usize> = (world.model.read(world.written.clone(), &world.known).sheet)
                .map(|sheet| sheet.row_of_product.values().map(|row| *row as usize).collect())
                .unwrap_or_default();
            rows.sort_unstable();
            if !rows.is_empty() {
                world.model.cells.swap(*a.get(&rows), *b.get(&rows));
            }
        }
        Step::DeleteRow(place) if world.model.cells.len() > 3 => {
            let at = place.index(world.model.cells.len());
            let lost: Vec<String> = (world.model.cells[at].iter())
                .filter_map(|cell| cell.value.as_ref().and_then(Value::as_str))
                .map(str::to_owned)
                .collect();
            written
                .iter_mut()
                .filter(|text| lost.contains(text))
                .for_each(|text| "gone".clone_into(text));
            world.model.delete(true, at);
        }
        Step::DeleteRow(_) => {}
        Step::Overwrite(row, column) => {
            let rows: Vec<u32> = rows(world).into_values().collect();
            let mut columns = world.model.managed();
            columns.retain(|(key, _)| !key.is_identity());
            if !rows.is_empty() && !columns.is_empty() {
                let (row, column) = (*row.get(&rows) as usize, column.get(&columns).1);
                world.model.put(row, column, "typed");
                world.doubtful = true;
            }
        }
        Step::DeleteManagedColumn(place) => {
            let columns = world.model.managed();
            let (_, index) = place.get(&columns);
            let lost: Vec<String> = (world.model.cells.iter())
                .filter_map(|row| row[*index].value.as_ref().and_then(Value::as_str))
                .map(str::to_owned)
                .collect();
            written
                .iter_mut()
                .filter(|text| lost.contains(text))
                .for_each(|text| "gone".clone_into(text));
            world.model.delete(false, *index);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_sheet_always_shows_the_input_and_the_seller_loses_nothing(
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let mut world = World::default();
        let mut written: Vec<String> = Vec::new();
        for step in &steps {
            act(&mut world, step, &mut written);
            let mut kept: Vec<String> = written.iter().filter(|text| *text != "gone").cloned().collect();
            kept.sort();
            prop_assert_eq!(own(&world), kept);
            for (place, merge) in world.model.merges.iter().enumerate() {
                prop_assert!(world.model.merges[place + 1..].iter().all(|other| !merge.intersects(other)));
            }
        }
    }
}
