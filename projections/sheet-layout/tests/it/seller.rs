//! What a seller may do to the sheet without losing anything, and what happens to products and warehouses
//! over time.

use serde_json::json;
use sheet_layout::{IdentityCells, Options, ProductRow, Request, SheetInput, locate_rows, plan};

use crate::model::Model;
use crate::world::{World, product, warehouse, worked_example};

fn small() -> SheetInput {
    SheetInput {
        products: vec![
            product(1, &[(0, 7, 7), (1, 3, 0)]),
            product(2, &[(0, 0, 1), (1, 5, 10)]),
        ],
        warehouses: vec![warehouse("Коледино"), warehouse("Тула")],
        ..SheetInput::default()
    }
}

fn order(world: &World) -> Vec<String> {
    world
        .model
        .managed()
        .into_iter()
        .map(|(key, _)| key.to_string())
        .collect()
}

#[test]
fn a_new_warehouse_goes_right_of_ours_and_left_of_the_sellers_columns() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    let before = order(&world);
    let own = world.model.width();
    world.model.insert(false, own, 1);
    world.model.put(2, own, "=J3*2");
    input.warehouses.insert(0, warehouse("Алексин"));
    input
        .products
        .iter_mut()
        .flat_map(|product| &mut product.cells)
        .for_each(|cell| cell.0 += 1);
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(order(&world)[..before.len()], before);
    assert_eq!(world.model.column("wh:key of Алексин:stock"), Some(own));
    assert_eq!(world.model.value(2, own + 3), Some(&json!("=J3*2")));
    assert!(
        world.model.cells[2][own - 1].thick_right,
        "the former last block gets its line"
    );
    assert!(
        !world.model.cells[2][own + 2].thick_right,
        "the last block has none"
    );
}

#[test]
fn a_vanished_warehouse_keeps_its_columns_its_name_and_shows_zero() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    let columns = order(&world);
    input.warehouses.remove(0);
    for product in &mut input.products {
        product.cells.remove(0);
        product.cells[0].0 = 0;
    }
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(order(&world), columns);
    let stock = world.model.column("wh:key of Коледино:stock").unwrap();
    assert_eq!(world.model.value(0, stock), Some(&json!("Коледино")));
    assert_eq!(world.model.value(2, stock), Some(&json!(0)));
    assert_eq!(world.model.value(2, stock + 2), None);
}

#[test]
fn a_renamed_warehouse_changes_one_cell() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    input.warehouses[1].name = "Склад WB".into();
    let planned = world.sync(&input);
    let [Request::UpdateCells(block)] = planned.requests.as_slice() else {
        panic!("{:?}", planned.requests)
    };
    assert_eq!((block.start.row_index, block.cells.len()), (0, 1));
}

#[test]
fn a_delisted_product_keeps_its_row_with_zeros_struck_through_until_it_returns() {
    let (mut world, input) = (World::default(), small());
    world.sync(&input);
    let mut without = input.clone();
    without.products.remove(0);
    world.sync(&without);
    world.assert_shows(&without);
    let (nm_id, total) = (
        world.model.column("base:nm_id").unwrap(),
        world.model.column("base:available_total").unwrap(),
    );
    assert_eq!(world.model.value(2, nm_id), Some(&json!(1)));
    assert_eq!(world.model.value(2, total), Some(&json!(0)));
    assert_eq!(world.model.value(2, total + 1), None);
    assert!(world.model.cells[2][0].struck && !world.model.cells[3][0].struck);
    world.sync(&input);
    world.assert_shows(&input);
    assert!(!world.model.cells[2][0].struck);
}

#[test]
fn new_products_go_below_ours_and_above_the_sellers_rows() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    world.model.insert(true, 4, 1);
    world.model.put(4, 0, "Итого");
    input.products.insert(0, product(3, &[(1, 1, 1)]));
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(world.model.value(5, 0), Some(&json!("Итого")));
}

#[test]
fn rows_that_a_seller_sorted_stay_with_their_products() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    world.model.cells.swap(2, 3);
    assert!(world.plan(&input).is_empty());
    input.products[0].cells[0].1 = 8;
    world.sync(&input);
    world.assert_shows(&input);
}

#[test]
fn a_row_inserted_above_the_header_moves_the_header_and_is_frozen_with_it() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    world.model.insert(true, 0, 1);
    world.model.put(0, 0, "Мой магазин");
    input.warehouses.push(warehouse("Ярославль"));
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(world.model.frozen, 3);
    assert_eq!(world.model.value(0, 0), Some(&json!("Мой магазин")));
    let stock = world.model.column("wh:key of Ярославль:stock").unwrap();
    assert_eq!(world.model.value(1, stock), Some(&json!("Ярославль")));
}

#[test]
fn deleted_managed_columns_and_header_rows_come_back_beside_their_neighbours() {
    for (rows, at) in [(false, 0), (false, 3), (false, 10), (true, 0), (true, 1)] {
        let (mut world, input) = (World::default(), small());
        world.sync(&input);
        let before = order(&world);
        world.model.delete(rows, at);
        world.sync(&input);
        world.assert_shows(&input);
        assert_eq!(order(&world), before, "after deleting {at}");
        assert_eq!(world.model.cells.len(), 4, "no product was added again");
    }
}

#[test]
fn a_deleted_product_row_comes_back_only_while_the_product_is_listed() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    world.model.delete(true, 2);
    world.sync(&input);
    world.assert_shows(&input);
    input.products.remove(0);
    world.sync(&input);
    world.model.delete(true, 3);
    world.sync(&input);
    assert_eq!(world.model.cells.len(), 3);
}

#[test]
fn merges_of_the_sellers_never_hide_our_numbers_but_stay_in_their_own_cells() {
    let (mut world, input) = (World::default(), small());
    world.sync(&input);
    world.model.insert(false, world.model.width(), 2);
    let title = world.model.merges[0];
    let theirs = sheet_layout::GridRange {
        start_row_index: 2,
        end_row_index: 4,
        start_column_index: 15,
        end_column_index: 17,
        ..title
    };
    let hiding = sheet_layout::GridRange {
        start_column_index: 8,
        end_column_index: 10,
        ..theirs
    };
    world.model.merges.extend([theirs, hiding]);
    world.model.cells[3][9].value = None;
    world.sync(&input);
    world.assert_shows(&input);
    assert!(world.model.merges.contains(&theirs) && !world.model.merges.contains(&hiding));
}

#[test]
fn a_column_inserted_inside_a_block_stays_inside_it() {
    let (mut world, mut input) = (World::default(), small());
    world.sync(&input);
    world.model.insert(false, 10, 1);
    world.model.put(2, 10, "моё");
    input.products[0].cells[0] = (0, 9, 9);
    let planned = world.sync(&input);
    world.assert_shows(&input);
    assert!(
        planned
            .requests
            .iter()
            .all(|request| matches!(request, Request::UpdateCells(_)))
    );
    assert_eq!(world.model.value(2, 10), Some(&json!("моё")));
}

#[test]
fn a_worksheet_with_foreign_content_keeps_it_to_the_right_and_below() {
    let mut world = World {
        model: Model::of_seller(7, 5, 4),
        ..World::default()
    };
    world.model.put(0, 0, "заметки");
    world.model.put(4, 3, "низ");
    let input = small();
    world.sync(&input);
    world.assert_shows(&input);
    let found: Vec<_> = world
        .model
        .cells
        .iter()
        .flatten()
        .filter_map(|cell| cell.value.as_ref())
        .collect();
    assert!(found.contains(&&json!("заметки")) && found.contains(&&json!("низ")));
}

#[test]
fn a_sheet_without_products_is_valid_and_grows() {
    let (mut world, mut input) = (World::default(), SheetInput::default());
    world.sync(&input);
    assert_eq!((world.model.cells.len(), world.model.width()), (3, 9));
    input = small();
    world.sync(&input);
    world.assert_shows(&input);
    assert!(
        world.model.cells[1]
            .iter()
            .all(|cell| cell.thick_bottom && cell.header)
    );
}

#[test]
fn a_forgotten_grid_is_written_again_in_place() {
    let (mut world, input) = (World::default(), small());
    world.sync(&input);
    world.model.put(2, 9, "испорчено");
    world.written = sheet_layout::Grid::default();
    let planned = world.sync(&input);
    world.assert_shows(&input);
    // What cannot be read back is given anew, and nothing is moved.
    assert!(planned.requests.iter().all(|request| match request {
        Request::UpdateCells(_) | Request::UpdateNote(_) => true,
        Request::RepeatCell { fields, .. } => {
            [
                "userEnteredFormat.numberFormat",
                "userEnteredFormat.backgroundColorStyle",
            ]
            .contains(fields)
        }
        _ => false,
    }));
}

#[test]
fn a_seller_who_overwrote_a_number_gets_it_back_once_it_was_read() {
    let (mut world, input) = (World::default(), small());
    world.sync(&input);
    world.model.put(2, 9, "испорчено");
    assert!(
        world
            .written
            .set(2, 9, sheet_layout::Cell::Text("испорчено".into()))
    );
    let planned = world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(planned.requests.len(), 1);
}

#[test]
fn only_the_note_changes_when_only_the_time_does() {
    let (mut world, mut input) = (World::default(), worked_example());
    world.sync(&input);
    input.freshness.observed_at = "2026-11-20 10:00 UTC".to_owned();
    assert!(world.sync(&input).is_freshness_only());
}

#[test]
fn a_first_write_can_come_in_parts() {
    let mut input = small();
    input
        .products
        .extend((3..10).map(|nm_id| product(nm_id, &[(0, nm_id, 1)])));
    let options = Options {
        max_new_rows: 4,
        ..Options::default()
    };
    let mut current = sheet_layout::Current::default();
    let mut model = Model::default();
    let mut deferred = Vec::new();
    loop {
        let planned = plan(&current, &input, &options).unwrap();
        model.apply(&planned.to_json().unwrap());
        current.sheet = Some(planned.after);
        deferred.push(planned.deferred_products);
        if planned.deferred_products == 0 {
            break;
        }
    }
    assert_eq!(deferred, [5, 1, 0]);
    assert!(plan(&current, &input, &options).unwrap().is_empty());
    assert_eq!(model.cells.len(), 11);
}

#[test]
fn text_that_looks_like_a_formula_is_sent_as_text() {
    let (mut world, mut input) = (World::default(), small());
    input.products[0] = ProductRow {
        brand: "=HYPERLINK(\"x\")".into(),
        ..input.products[0].clone()
    };
    let body = String::from_utf8(world.sync(&input).to_json().unwrap()).unwrap();
    assert!(body.contains(r#"{"stringValue":"=HYPERLINK(\"x\")"}"#));
    assert!(!body.contains("formulaValue"));
}

#[test]
fn one_article_in_two_cabinets_is_told_apart_by_vendor_code() {
    let identity = |of: &str, vendor: &str| IdentityCells {
        of: of.into(),
        nm_id: Some(5),
        vendor_code: vendor.into(),
        size: None,
    };
    let row = |of, vendor: &str| IdentityCells {
        of,
        nm_id: Some(5),
        vendor_code: vendor.into(),
        size: None,
    };
    let found = locate_rows(
        &[row(2, "B"), row(3, "A"), row(9, "A")],
        &[identity("a", "A"), identity("b", "B")],
    );
    assert_eq!((found["a"], found["b"]), (3, 2));
    let renamed = locate_rows(
        &[row(2, "B"), row(3, "old")],
        &[identity("a", "new"), identity("b", "B")],
    );
    assert_eq!((renamed["a"], renamed["b"]), (3, 2));
}

#[test]
fn one_article_column_suffices_to_find_rows_again() {
    let (mut world, input) = (World::default(), small());
    world.sync(&input);
    world.model.delete(false, 3);
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(world.model.cells.len(), 4);
    assert_eq!(world.model.value(2, 3), Some(&json!(1)));
}
