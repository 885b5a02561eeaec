//! Values are right without their decorations, what was refused is asked again only where there is a reason,
//! and nothing that people put in the way is run into.

use std::collections::BTreeSet;
use std::sync::Arc;

use sheet_layout::{Decoration, ExtraField, GridRange, Request, SheetInput, Table, View};

use crate::world::{World, product, warehouse, worked_example};

fn refused(kinds: &[Decoration]) -> BTreeSet<Decoration> {
    kinds.iter().copied().collect()
}

fn with_another_warehouse() -> SheetInput {
    let mut input = worked_example();
    input.warehouses.push(warehouse("Алексин"));
    input.products[0].cells.push((4, 7, 1));
    input.products.push(product(333_333, &[(4, 1, 1)]));
    input
}

fn kinds(requests: &[Request]) -> BTreeSet<Decoration> {
    requests.iter().filter_map(Request::decoration).collect()
}

#[test]
fn values_are_whole_before_any_decoration() {
    let mut world = World::default();
    for input in [worked_example(), with_another_warehouse()] {
        let planned = world.plan(&input);
        assert_eq!(kinds(planned.values()), refused(&[]));
        assert!(planned.decorations().iter().all(|one| one.decoration().is_some()));
        assert!(!planned.decorations().is_empty());
        world.sync(&input);
    }
}

#[test]
fn what_a_sheet_refused_is_not_asked_again_until_the_sheet_is_another_one() {
    let mut world = World::default();
    world.options.structure = Some(1);
    world.sync(&worked_example());
    let input = with_another_warehouse();
    let kinds_of_it = refused(&[Decoration::Merge, Decoration::Format]);
    world.sync_without(&input, &kinds_of_it);
    world.assert_shows(&input);
    assert!(world.written.lacks_look());
    for structure in [Some(1), None] {
        world.options.structure = structure;
        assert!(world.plan(&input).is_empty(), "{:?}", world.plan(&input).requests);
    }
    // Another number changes, and nothing but the number.
    let mut moved = with_another_warehouse();
    moved.products[0].cells[3].1 = 8;
    world.options.structure = Some(1);
    let planned = world.sync_without(&moved, &kinds_of_it);
    assert!(planned.decorations().is_empty(), "{:?}", planned.decorations());
    assert!(world.written.lacks_look());
    // The seller took away what was in the way.
    world.options.structure = Some(2);
    let planned = world.sync(&moved);
    assert!(planned.values().is_empty());
    assert!(kinds(planned.decorations()).is_superset(&kinds_of_it));
    assert!(!world.written.lacks_look());
    let (_, column) = world.model.managed().pop().unwrap();
    assert!(world.model.cells[1][column].header);
    assert_eq!(world.model.merges.len(), 7);
}

#[test]
fn a_refused_colour_comes_later_for_the_rows_that_changed_meanwhile() {
    let mut world = World::default();
    world.options.structure = Some(1);
    world.options.view = View {
        low_stock: Some(sheet_layout::LowStock::default()),
        ..View::default()
    };
    world.sync(&worked_example());
    let mut input = worked_example();
    input.products[0].cells.iter_mut().for_each(|cell| cell.1 = 0);
    world.sync_without(&input, &refused(&[Decoration::Format]));
    let total = world.model.column("base:available_total").unwrap();
    assert_eq!(world.model.cells[2][total].background, None);
    world.options.structure = Some(2);
    world.sync(&input);
    assert_ne!(world.model.cells[2][total].background, None);
    assert_eq!(world.model.cells[3][total].background, None);
}

#[test]
fn a_process_that_dies_between_values_and_decorations_leaves_nothing_bare() {
    let mut world = World::default();
    world.sync(&worked_example());
    let input = with_another_warehouse();
    let planned = world.plan(&input);
    world.model.apply_all(planned.values());
    // Either it was recorded that the values are there, or nothing was.
    let mut recorded = World {
        model: world.model.clone(),
        written: planned.before_decorations(),
        known: world.known.clone(),
        ..World::default()
    };
    world.doubtful = true;
    for world in [&mut recorded, &mut world] {
        world.sync(&input);
        world.assert_shows(&input);
        for (_, column) in world.model.managed() {
            assert!(world.model.cells[1][column].header);
        }
    }
}

#[test]
fn a_title_stands_on_either_side_of_the_frozen_border() {
    for border in 0..21 {
        let mut world = World::default();
        world.sync(&worked_example());
        world.model.merges.clear();
        world.model.frozen_columns = border;
        world.options.view = View {
            extra_columns: [ExtraField::Orders14].into(),
            ..View::default()
        };
        // The model refuses merges across it.
        world.sync(&with_another_warehouse());
        let border = world.model.frozen_columns;
        assert!(world.model.value(0, border).is_some(), "frozen at {border}");
    }
}

#[test]
fn a_table_over_the_rows_keeps_its_titles_and_its_types() {
    let mut world = World::default();
    world.sync(&worked_example());
    let range = GridRange {
        sheet_id: 1,
        start_row_index: 1,
        end_row_index: 4,
        start_column_index: 0,
        end_column_index: 21,
    };
    let typed = (4..21).collect();
    world.model.tables = vec![Table { range, typed }];
    // Google made the titles unique.
    for column in 9..21 {
        let title = world.model.value(1, column).unwrap().as_str().unwrap().to_owned();
        world.model.put(1, column, &format!("{title} {column}"));
    }
    world.doubtful = true;
    world.options.view.number_formats = true;
    let input = with_another_warehouse();
    // The model refuses number formats and merges inside the Table.
    let planned = world.plan(&input);
    world.model.apply(&planned.to_json().unwrap());
    assert_eq!(world.model.value(1, 9).unwrap(), "Остатки 9");
    world.written = planned.after.written;
    world.doubtful = true;
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(world.model.value(1, 9).unwrap(), "Остатки 9");
}

#[test]
fn a_column_that_is_made_inside_a_table_has_a_title_that_no_other_has() {
    let mut world = World::default();
    world.sync(&worked_example());
    let range = GridRange {
        sheet_id: 1,
        start_row_index: 1,
        end_row_index: 4,
        start_column_index: 0,
        end_column_index: 21,
    };
    let typed = Vec::new();
    world.model.tables = vec![Table { range, typed }];
    let gone = world.model.column("wh:key of Коледино:orders").unwrap();
    world.model.delete(false, gone);
    world.model.tables[0].range.end_column_index -= 1;
    world.sync(&worked_example());
    assert_eq!(world.model.value(1, gone).unwrap(), "Заказы · Коледино");
    let names: BTreeSet<Arc<str>> = world.written.columns().iter().cloned().collect();
    assert_eq!(names.len(), 21);
}

#[test]
fn a_sheet_that_refuses_new_columns_shows_the_numbers_of_the_others() {
    let mut world = World::default();
    world.options.structure = Some(1);
    world.sync(&worked_example());
    let input = with_another_warehouse();
    world.options.keep_columns = true;
    let planned = world.step(&input);
    assert_eq!(
        (planned.left_out, planned.makes_columns(), planned.is_complete()),
        (3, false, true)
    );
    world.assert_shows(&input);
    let total = world.model.column("base:available_total").unwrap();
    assert_eq!(world.model.value(2, total).unwrap(), 107);
    // It is remembered which sheet refused them.
    world.options.keep_columns = false;
    assert!(world.plan(&input).is_empty() && world.written.lacks_columns());
    world.options.structure = Some(2);
    world.sync(&input);
    assert_eq!(world.model.managed().len(), 9 + 15);
    assert!(!world.written.lacks_columns());
}

#[test]
fn a_table_that_begins_with_a_product_holds_back_none_of_its_numbers() {
    let mut world = World::default();
    world.sync(&worked_example());
    let range = GridRange {
        sheet_id: 1,
        start_row_index: 2,
        end_row_index: 4,
        start_column_index: 0,
        end_column_index: 21,
    };
    let typed = Vec::new();
    world.model.tables = vec![Table { range, typed }];
    let mut input = worked_example();
    input.products[0].cells[0].1 = 41;
    world.sync(&input);
    world.assert_shows(&input);
}
