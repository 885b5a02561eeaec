//! Whatever products and warehouses come and go and whatever the seller inserts: the sheet shows exactly what
//! it should, and nothing of the seller's is lost.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;
use sheet_layout::{ProductRow, SheetInput, WarehouseColumn};

use crate::world::{World, product, warehouse};

#[derive(Debug, Clone)]
enum Step {
    /// The marketplace's view: which warehouses and products exist, and a seed for the numbers.
    Sync {
        warehouses: BTreeSet<u8>,
        products: BTreeSet<u8>,
        numbers: u8,
    },
    InsertColumn(prop::sample::Index),
    InsertRow(prop::sample::Index),
    /// The seller swaps two product rows.
    Sort(prop::sample::Index, prop::sample::Index),
    DeleteManagedColumn(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let set = |size| prop::collection::btree_set(0_u8..7, 0..size);
    prop_oneof![
        5 => (set(6), set(6), any::<u8>())
            .prop_map(|(warehouses, products, numbers)| Step::Sync { warehouses, products, numbers }),
        2 => any::<prop::sample::Index>().prop_map(Step::InsertColumn),
        2 => any::<prop::sample::Index>().prop_map(Step::InsertRow),
        1 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Step::Sort(a, b)),
        1 => any::<prop::sample::Index>().prop_map(Step::DeleteManagedColumn),
    ]
}

fn input(warehouses: &BTreeSet<u8>, products: &BTreeSet<u8>, numbers: u8) -> SheetInput {
    let names: Vec<WarehouseColumn> = warehouses
        .iter()
        .rev()
        .map(|id| warehouse(&format!("Склад {id}")))
        .collect();
    let row = |id: &u8| -> ProductRow {
        let number = |place: usize, factor: usize| {
            i64::try_from((place * factor + usize::from(*id) * 5 + usize::from(numbers)) % 11).unwrap() / 4
        };
        let cells: Vec<_> = (0..names.len())
            .map(|place| (place, number(place, 3), number(place, 7)))
            .collect();
        product(i64::from(*id) + 100, &cells)
    };
    SheetInput {
        products: products.iter().map(row).collect(),
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
        } => {
            let input = input(warehouses, products, *numbers);
            let before = managed(world);
            world.sync(&input);
            world.assert_shows(&input);
            let (old, new) = common(&before, &managed(world));
            assert_eq!(old, new, "managed columns changed places");
        }
        _ if world.model.cells.is_empty() => {}
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
