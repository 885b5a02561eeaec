//! Names of columns are short and few at a time, those that were given earlier are still known, and a sheet
//! that has no room for more goes on.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sheet_layout::migrate::migrate;
use sheet_layout::{
    BaseField, ColumnKey, Current, Grid, NAMES_A_BATCH, NAMES_BUDGET, Request, SheetInput, WarehouseColumn,
    WarehouseField, plan,
};

use crate::model::{Meta, Model};
use crate::world::{World, product, warehouse, worked_example};

impl Model {
    /// Characters of all names.
    pub(crate) fn names(&self) -> usize {
        let length = |meta: &Meta| meta.key.chars().count() + meta.value.chars().count();
        self.metadata.iter().map(length).sum()
    }

    /// Names as they were given by an earlier version: in full.
    pub(crate) fn lengthen(&mut self, long: impl Fn(&str) -> Option<String>) {
        for meta in &mut self.metadata {
            if let Some(value) = long(&meta.value) {
                meta.value = value;
            }
        }
    }

    pub(crate) fn values(&self) -> Vec<String> {
        self.metadata.iter().map(|meta| meta.value.clone()).collect()
    }
}

/// A seller with so many warehouses, each with stock of one product.
fn wide(warehouses: usize) -> SheetInput {
    let name = |number: usize| format!("Склад {number:04} на Большой Складской улице");
    let cells: Vec<_> = (0..warehouses).map(|place| (place, 1, 1)).collect();
    SheetInput {
        warehouses: (0..warehouses).map(|number| warehouse(&name(number))).collect(),
        products: vec![product(111_111, &cells)],
        ..SheetInput::default()
    }
}

fn names_given(requests: &[Request]) -> usize {
    let given = requests
        .iter()
        .filter(|one| matches!(one, Request::CreateDeveloperMetadata { .. }));
    given.count()
}

/// Plans and applies until nothing waits; answers the number of batches.
fn settle(world: &mut World, input: &SheetInput) -> usize {
    let mut batches = 0;
    loop {
        let planned = world.step(input);
        assert!(names_given(&planned.requests) <= NAMES_A_BATCH);
        batches += usize::from(!planned.is_empty());
        if planned.is_complete() {
            return batches;
        }
    }
}

#[test]
fn six_hundred_warehouses_have_room_for_their_names_and_come_in_batches_of_few() {
    let mut world = World::default();
    let input = wide(600);
    let batches = settle(&mut world, &input);
    assert!((10..=11).contains(&batches), "{batches}");
    assert!(world.model.names() <= NAMES_BUDGET, "{}", world.model.names());
    assert_eq!(world.model.managed().len(), 9 + 1800);
    world.assert_shows(&input);
    // In the order of their names, as if they had come at once.
    let groups: Vec<String> = (world.model.cells[0].iter().skip(9).step_by(3))
        .map(|cell| cell.value.as_ref().unwrap().as_str().unwrap().to_owned())
        .collect();
    assert!(groups.is_sorted() && groups.len() == 600);
}

#[test]
fn a_process_that_dies_between_two_batches_of_warehouses_loses_none() {
    let mut world = World::default();
    let input = wide(150);
    world.step(&input);
    world.crash(&input, true);
    world.doubtful = true;
    settle(&mut world, &input);
    let keys: BTreeSet<String> = world
        .model
        .managed()
        .iter()
        .map(|(key, _)| key.to_string())
        .collect();
    assert_eq!((keys.len(), world.model.managed().len()), (9 + 450, 9 + 450));
    world.assert_shows(&input);
}

#[test]
fn names_that_were_given_in_full_are_known_and_shortened_when_new_ones_come() {
    let mut world = World::default();
    let mut input = worked_example();
    world.sync(&input);
    let long = |short: &str| {
        let key = ColumnKey::parse(short)?;
        let ColumnKey::Warehouse(..) = key else {
            return None;
        };
        let of = |name: &str| {
            let fields = [
                (WarehouseField::Stock, "stock"),
                (WarehouseField::Orders, "orders"),
                (WarehouseField::Turnover, "turnover"),
            ];
            let mut fields = fields.into_iter();
            let field = fields.find(|(field, _)| {
                ColumnKey::warehouse(&format!("key of {name}"), *field).to_string() == short
            })?;
            Some(format!("wh:key of {name}:{}", field.1))
        };
        ["Электросталь", "Коледино", "Подольск", "Казань"]
            .iter()
            .find_map(|name| of(name))
    };
    world.model.lengthen(long);
    assert!(
        world
            .model
            .values()
            .iter()
            .filter(|value| value.starts_with("wh:"))
            .count()
            == 12
    );
    assert!(world.plan(&input).is_empty(), "{:?}", world.plan(&input).requests);
    input.products[0].cells[0].1 = 41;
    world.sync(&input);
    assert!(world.model.values().iter().any(|value| value.starts_with("wh:")));
    // Columns come, so names are given anyway.
    input.warehouses.push(warehouse("Алексин"));
    world.sync(&input);
    assert!(!world.model.values().iter().any(|value| value.starts_with("wh:")));
    world.assert_shows(&input);
    assert_eq!(world.model.managed().len(), 9 + 15);
}

#[test]
fn a_grid_that_was_stored_with_full_names_is_read_with_short_ones() {
    let long = vec!["base:nm_id".into(), "wh:fbo:507:stock".into()];
    let grid = Grid::new(long, Vec::new());
    let read = Grid::from_bytes(&grid.to_bytes()).unwrap();
    let short = ColumnKey::warehouse("fbo:507", WarehouseField::Stock).to_string();
    assert_eq!(read.columns(), ["base:nm_id".into(), short.into()]);
}

#[test]
fn where_no_room_is_left_columns_come_without_names_and_it_is_said() {
    let mut world = World::default();
    world.sync(&worked_example());
    world.options.unnamed = true;
    let mut input = worked_example();
    input.warehouses.push(warehouse("Алексин"));
    input.products[0].cells.push((4, 7, 1));
    let planned = world.plan(&input);
    assert_eq!((planned.unnamed, names_given(&planned.requests)), (3, 0));
    world.model.apply(&planned.to_json().unwrap());
    let stock = world.model.width() - 3;
    assert_eq!(world.model.value(0, stock).unwrap(), "Алексин");
    assert_eq!(world.model.value(2, stock).unwrap(), 7);
    let written = Grid::from_bytes(&planned.after.written.to_bytes()).unwrap();
    assert_eq!(written, planned.after.written);
    let unnamed: Vec<String> = (written.unnamed())
        .map(|(_, group, title)| format!("{group}|{title}"))
        .collect();
    assert_eq!(unnamed, ["Алексин|Остатки", "Алексин|Заказы", "Алексин|Оборач."]);
    // More than fit: the first ones are named.
    let mut world = World::default();
    let input = wide(700);
    let mut unnamed = 0;
    loop {
        let planned = world.step(&input);
        unnamed += planned.unnamed;
        if planned.is_complete() {
            break;
        }
    }
    assert!(unnamed > 0 && unnamed < 3 * 60, "{unnamed}");
}

#[test]
fn a_wide_sheet_of_an_earlier_layout_gets_its_names_in_batches_of_few_and_no_column_twice() {
    let mut world = World::default();
    let input = wide(100);
    settle(&mut world, &input);
    let width = world.model.width();
    world.model.metadata.clear();
    let moved = migrate(&world.model.worksheet(), &world.known, &input, &world.options).unwrap();
    let mut after = None;
    let mut planned = moved.plan.unwrap();
    for _ in 0..5 {
        assert!(names_given(&planned.requests) <= NAMES_A_BATCH);
        world.model.apply(&planned.to_json().unwrap());
        let complete = planned.is_complete();
        // As the sheet is read: columns without names by their titles.
        let current = Current {
            sheet: Some(planned.after.clone()),
        };
        after = Some(planned.after);
        if complete {
            break;
        }
        planned = plan(&current, &input, &world.options).unwrap();
    }
    assert_eq!(after.unwrap().written.unnamed().count(), 0);
    assert_eq!(
        (world.model.width(), world.model.managed().len()),
        (width, 9 + 300)
    );
    world.assert_shows(&input);
}

#[test]
fn no_two_groups_have_one_title() {
    let mut world = World::default();
    let named = |key: &str, name: &str| WarehouseColumn {
        key: key.into(),
        name: name.into(),
        ..WarehouseColumn::default()
    };
    let mut input = SheetInput {
        warehouses: vec![
            named("fbo:507", "Коледино"),
            named("fbs:1", "Коледино"),
            named("fbs:2", " коледино"),
        ],
        products: vec![product(111_111, &[(0, 1, 1), (1, 2, 0), (2, 3, 0)])],
        ..SheetInput::default()
    };
    world.sync(&input);
    let titles = |world: &World| {
        let row = world.model.cells[0].iter().filter_map(|cell| cell.value.as_ref());
        row.map(|value| value.as_str().unwrap().trim().to_lowercase())
            .collect::<Vec<_>>()
    };
    let unique = |world: &World| {
        let titles = titles(world);
        assert_eq!(
            titles.iter().collect::<BTreeSet<_>>().len(),
            titles.len(),
            "{titles:?}"
        );
    };
    unique(&world);
    assert!(titles(&world).contains(&"коледино".to_owned()));
    // A warehouse that is gone keeps its columns, and another one has its name by now.
    input.warehouses[0].key = "fbo:508".into();
    world.sync(&input);
    unique(&world);
    assert_eq!(titles(&world).len(), 2 + 4);
}

proptest! {
    #[test]
    fn every_name_is_read_as_what_it_was_given_for(key in "[a-zа-я0-9: -]{1,40}", field in 0_usize..3) {
        let field = WarehouseField::ALL[field];
        let given = ColumnKey::warehouse(&key, field);
        prop_assert_eq!(ColumnKey::parse(&given.to_string()), Some(given.clone()));
        prop_assert_eq!(given.to_string().chars().count(), 9);
        let long = format!("wh:{key}:stock");
        prop_assert_eq!(ColumnKey::parse(&long), Some(ColumnKey::warehouse(&key, WarehouseField::Stock)));
    }
}

#[test]
fn names_of_other_columns_stay_as_they_are() {
    for name in ["base:brand", "base:size", "extra:orders_14"] {
        assert_eq!(ColumnKey::parse(name).unwrap().to_string(), name);
    }
    assert_eq!(
        ColumnKey::parse("base:nm_id"),
        Some(ColumnKey::Base(BaseField::NmId))
    );
    assert_eq!(ColumnKey::parse("not of ours"), None);
}

#[test]
fn thirty_warehouses_that_are_renamed_twenty_times_still_have_names() {
    let mut world = World::default();
    for time in 0..20 {
        let named = |number: usize| WarehouseColumn {
            key: format!("fbo:name:Склад на Большой Складской улице {number}, {time}").into(),
            name: format!("Склад {number}").into(),
            ..WarehouseColumn::default()
        };
        let input = SheetInput {
            warehouses: (0..30).map(named).collect(),
            products: vec![product(111_111, &[(0, 1, 1)])],
            ..SheetInput::default()
        };
        let planned = world.sync(&input);
        assert_eq!(planned.unnamed, 0);
    }
    assert_eq!(world.model.managed().len(), 9 + 20 * 30 * 3);
    assert!(world.model.names() <= NAMES_BUDGET);
}
