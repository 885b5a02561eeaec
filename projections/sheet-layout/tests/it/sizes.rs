//! A product in rows of its sizes: nothing is counted twice or lost, and a row stays that of its size
//! whatever comes, goes, is sorted or copied.

use proptest::prelude::*;
use serde_json::{Value, json};
use sheet_layout::export::Table;
use sheet_layout::{
    Grid, Level, LowStock, Options, ProductFacts, ProductRow, SheetInput, SizeRow, Sizes, Sort, SortBy, View,
    render_rows,
};

use crate::world::{World, product, warehouse};

fn size(id: &str, name: &str, cells: &[(usize, i64, i64)]) -> SizeRow {
    SizeRow {
        id: id.into(),
        name: name.into(),
        cells: cells.to_vec(),
        orders_without_warehouse: 0,
    }
}

fn by_size() -> View {
    View {
        sizes: Sizes::Rows,
        ..View::default()
    }
}

fn world() -> World {
    World {
        options: Options {
            view: by_size(),
            ..Options::default()
        },
        ..World::default()
    }
}

/// A dress of two sizes, of which 3 units and 2 orders are known as a whole only, and a jar without sizes.
fn input() -> SheetInput {
    let dress = ProductRow {
        in_way_to_client: 4,
        orders_without_warehouse: 2,
        sizes: vec![
            SizeRow {
                orders_without_warehouse: 1,
                ..size("11", "42", &[(0, 5, 7), (1, 1, 0)])
            },
            size("12", "44", &[(0, 2, 1)]),
        ],
        ..product(5, &[(0, 10, 8), (1, 1, 1)])
    };
    let jar = ProductRow {
        sizes: vec![size("21", "0", &[(1, 6, 3)])],
        ..product(6, &[(1, 6, 3)])
    };
    SheetInput {
        products: vec![dress, jar],
        warehouses: ["Казань", "Тула"].map(warehouse).to_vec(),
        ..SheetInput::default()
    }
}

/// Size, in way, orders, stock, turnover, then parts of the blocks without warehouse, of Казань and of Тула.
fn rows(table: &Table) -> Vec<String> {
    let cell = |row: &[sheet_layout::Cell], place: usize| row[place].to_string();
    let shown = [4, 5, 7, 8, 9, 10, 11, 13, 14, 17];
    let rows = table.rows().skip(2);
    rows.map(|row| shown.map(|place| cell(row, place)).join("|"))
        .collect()
}

/// What the sheet shows in these columns, product rows only.
fn sheet(world: &World, names: &[&str]) -> Vec<String> {
    let columns: Vec<usize> = names
        .iter()
        .map(|name| world.model.column(name).unwrap())
        .collect();
    let text = |value: Option<&Value>| match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(number) => number.to_string(),
    };
    let rows = world.model.cells.iter().skip(2);
    rows.map(|row| {
        let cells = columns.iter().map(|column| text(row[*column].value.as_ref()));
        cells.collect::<Vec<_>>().join("|")
    })
    .collect()
}

const SIZE_AND_STOCK: [&str; 3] = ["base:nm_id", "base:size", "base:available_total"];

#[test]
fn a_product_of_sizes_is_a_row_of_what_no_size_was_told_of_and_a_row_for_each_size() {
    let table = Table::new(&input(), &by_size()).unwrap();
    assert_eq!(table.rows().nth(1).unwrap()[4].to_string(), "Размер");
    assert_eq!(
        rows(&table),
        [
            "|4|2|3|10.5|0|1|3|0|1",
            "42|0|8|6|5.2|0|1|5|7|0",
            "44|0|1|2|14|0|0|2|1|0",
            // The name says nothing, but the marketplace gave it.
            "0|0|3|6|14|0|0|0|0|3",
        ]
    );
    // The same product in one row has the sums of its rows.
    let summed = Table::new(&input(), &View::default()).unwrap();
    let totals: Vec<String> = summed.rows().nth(2).unwrap()[4..9]
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(totals, ["4", "0", "11", "11", "7"]);
}

#[test]
fn a_size_without_a_name_is_told_apart_by_its_id() {
    let mut input = input();
    input.products[0].sizes[1].name = "".into();
    let table = Table::new(&input, &by_size()).unwrap();
    let names: Vec<String> = table.rows().skip(2).map(|row| row[4].to_string()).collect();
    assert_eq!(names, ["", "42", "12", "0"]);
}

#[test]
fn sizes_of_a_product_stay_together_in_any_order_of_products() {
    let view = View {
        sort: Sort {
            by: SortBy::Available,
            descending: false,
        },
        ..by_size()
    };
    let table = Table::new(&input(), &view).unwrap();
    let articles: Vec<String> = table.rows().skip(2).map(|row| row[3].to_string()).collect();
    assert_eq!(articles, ["6", "5", "5", "5"]);
}

#[test]
fn a_size_that_comes_later_gets_a_row_and_one_that_goes_is_struck() {
    let (mut world, mut input) = (world(), input());
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||3", "5|42|6", "5|44|2", "6|0|6"]
    );
    input.products[0].sizes.insert(0, size("10", "40", &[(1, 1, 1)]));
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||2", "5|42|6", "5|44|2", "6|0|6", "5|40|1"]
    );
    input.products[0].sizes.remove(1);
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||8", "5|42|0", "5|44|2", "6|0|6", "5|40|1"]
    );
    assert!(world.model.cells[3][4].struck && !world.model.cells[2][4].struck);
}

#[test]
fn a_sorted_sheet_and_a_copied_row_mix_no_sizes_up() {
    let (mut world, mut input) = (world(), input());
    world.sync(&input);
    world.model.cells.swap(3, 4);
    let copy = world.model.cells[3].clone();
    world.model.insert(true, 6, 1);
    world.model.cells[6] = copy;
    input.products[0].sizes[0].cells[0].1 = 6;
    input.products[0].cells[0].1 = 11;
    input.products[0].sizes.push(size("13", "46", &[(0, 1, 0)]));
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||2", "5|44|2", "5|42|7", "6|0|6", "5|46|1", "5|44|2"],
        "the copy stays the seller's"
    );
}

#[test]
fn sizes_that_were_written_over_are_put_right_in_their_rows() {
    let (mut world, input) = (world(), input());
    world.sync(&input);
    let before = sheet(&world, &SIZE_AND_STOCK);
    let size = world.model.column("base:size").unwrap();
    for row in [2, 3] {
        world.model.put(row, size, "typed");
    }
    world.written = Grid::default();
    world.known = input.identities(&world.options.view).unwrap();
    world.sync(&input);
    assert_eq!(sheet(&world, &SIZE_AND_STOCK), before);
}

#[test]
fn a_deleted_size_column_comes_back_and_every_row_is_written_anew() {
    let (mut world, mut input) = (world(), input());
    world.sync(&input);
    world.model.cells.swap(3, 4);
    world.model.delete(false, 4);
    input.products[1].in_way_to_client = 1;
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||3", "5|42|6", "5|44|2", "6|0|6"]
    );
    assert_eq!(world.model.column("base:size"), Some(4));
}

#[test]
fn sizes_that_are_summed_again_leave_struck_rows_of_zeros_and_come_back() {
    let (mut world, input) = (world(), input());
    world.sync(&input);
    world.options.view.sizes = Sizes::Summed;
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||11", "5|42|0", "5|44|0", "6||6"]
    );
    assert!(world.model.cells[3][0].struck);
    world.options.view.sizes = Sizes::Rows;
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||3", "5|42|6", "5|44|2", "6|0|6"]
    );
    assert!(!world.model.cells[3][0].struck);
}

#[test]
fn a_sheet_of_whole_products_becomes_one_of_sizes_without_losing_a_row() {
    let (mut world, input) = (world(), input());
    world.options.view.sizes = Sizes::Summed;
    world.sync(&input);
    world.model.insert(false, 9, 1);
    world.model.put(2, 9, "own");
    world.options.view.sizes = Sizes::Rows;
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||3", "6|0|6", "5|42|6", "5|44|2"]
    );
    assert_eq!(world.model.value(2, 10), Some(&json!("own")));
}

#[test]
fn a_sheet_of_sizes_of_which_nothing_is_remembered_is_taken_up_as_it_is() {
    let (mut world, input) = (world(), input());
    world.sync(&input);
    world.model.cells.swap(3, 4);
    world.written = Grid::default();
    world.known = input.identities(&world.options.view).unwrap();
    world.sync(&input);
    assert_eq!(
        sheet(&world, &SIZE_AND_STOCK),
        ["5||3", "5|44|2", "5|42|6", "6|0|6"]
    );
}

#[test]
fn a_size_has_its_own_colour_and_what_is_left_of_its_product_has_none() {
    let mut view = by_size();
    view.low_stock = Some(LowStock {
        below_units: Some(5),
        below_days: None,
    });
    let mut input = input();
    input.products[0].sizes[0].cells.clear();
    let table = Table::new(&input, &view).unwrap();
    let wanted = [Level::Enough, Level::Out, Level::Low, Level::Enough];
    assert_eq!(table.levels(), wanted);
    let mut world = world();
    world.options.view = view;
    world.sync(&input);
    let stock = world.model.column("base:available_total").unwrap();
    let coloured: Vec<bool> = (2..6)
        .map(|row| world.model.cells[row][stock].background.is_some())
        .collect();
    assert_eq!(coloured, wanted.map(|level| level != Level::Enough));
}

#[test]
fn a_view_of_one_cabinet_knows_the_sizes_of_its_products() {
    let mut input = input();
    for (product, cabinet) in input.products.iter().zip(["first", "second"]) {
        let facts = ProductFacts {
            cabinet: cabinet.into(),
            orders_14: Some(9),
            ..ProductFacts::default()
        };
        input.facts.insert(product.key.clone(), facts);
    }
    let mut view = by_size();
    view.cabinets.insert("first".into());
    view.extra_columns.insert(sheet_layout::ExtraField::Orders14);
    let table = Table::new(&input, &view).unwrap();
    let forecast: Vec<String> = table.rows().skip(2).map(|row| row[10].to_string()).collect();
    // It is told of the whole product, and stands once.
    assert_eq!(forecast, ["9", "", ""]);
}

prop_compose! {
    fn cells()(
        cells in prop::collection::vec((0_usize..3, -2_i64..40, 0_i64..9), 0..5),
    ) -> Vec<(usize, i64, i64)> {
        cells
    }
}

prop_compose! {
    fn any_product(nm_id: i64)(
        cells in cells(),
        sizes in prop::collection::vec((cells(), 0_i64..3), 0..4),
        in_way in 0_i64..5,
        orders in 0_i64..4,
    ) -> ProductRow {
        let size = |(place, (cells, orders_without_warehouse)): (usize, (Vec<_>, i64))| SizeRow {
            id: place.to_string().into(),
            name: format!("size {place}").into(),
            cells,
            orders_without_warehouse,
        };
        ProductRow {
            in_way_to_client: in_way,
            orders_without_warehouse: orders,
            sizes: sizes.into_iter().enumerate().map(size).collect(),
            ..product(nm_id, &cells)
        }
    }
}

proptest! {
    #[test]
    fn rows_of_sizes_always_sum_to_the_product(first in any_product(1), second in any_product(2)) {
        let input = SheetInput {
            products: vec![first, second],
            warehouses: ["А", "Б", "В"].map(warehouse).to_vec(),
            ..SheetInput::default()
        };
        let table = Table::new(&input, &by_size()).unwrap();
        let mut columns = table.columns().to_vec();
        let whole = |cell: &sheet_layout::Cell| match cell {
            sheet_layout::Cell::Int(number) => *number,
            _ => 0,
        };
        let summable: Vec<usize> = (0..columns.len())
            .filter(|place| columns[*place].kind() == sheet_layout::Kind::Count)
            .collect();
        let size = columns.iter().position(|column| *column == sheet_layout::ColumnKey::Size).unwrap();
        columns.remove(size);
        let summed = render_rows(&input, &columns).unwrap();
        for product in &summed[2..] {
            let rows = table.rows().skip(2).filter(|row| row[3] == product[3]);
            let rows: Vec<&[sheet_layout::Cell]> = rows.collect();
            for place in &summable {
                let sum: i64 = rows.iter().map(|row| whole(&row[*place])).sum();
                prop_assert_eq!(sum, whole(&product[place - 1]), "column {}", place);
            }
        }
        // And the sheet that is made of it is read back as it is.
        let mut world = world();
        world.sync(&input);
        world.written = Grid::default();
        world.sync(&input);
        prop_assert_eq!(world.model.cells.len(), table.rows().len().max(3));
    }
}
