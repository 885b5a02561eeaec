//! The largest sheet that is promised: it lays out, and a change in it stays as small as the change.

use sheet_layout::{Current, Options, Request, SheetInput, plan};

use crate::world::{product, warehouse};

const PRODUCTS: i64 = 10_000;
const WAREHOUSES: usize = 100;

fn input(moved: i64) -> SheetInput {
    let row = |index: i64| {
        let number = |place: usize| (index * 31 + i64::try_from(place).unwrap() * 17) % 211;
        let more = i64::from(moved > 0 && index % moved == 0);
        let cells: Vec<_> = (0..WAREHOUSES)
            .map(|place| (place, number(place) + more, number(place) % 9))
            .collect();
        product(100_000_000 + index, &cells)
    };
    SheetInput {
        products: (0..PRODUCTS).map(row).collect(),
        warehouses: (0..WAREHOUSES)
            .map(|place| warehouse(&format!("Склад {place:03}")))
            .collect(),
        ..SheetInput::default()
    }
}

#[test]
fn ten_thousand_products_in_a_hundred_warehouses_lay_out_and_differ_by_what_changed() {
    let options = Options {
        max_names: usize::MAX,
        ..Options::default()
    };
    let first = plan(&Current::default(), &input(0), &options).unwrap();
    let written = |requests: &[Request]| -> usize {
        let cells = requests.iter().map(|request| match request {
            Request::UpdateCells(block) => block.cells.len(),
            _ => 0,
        });
        cells.sum()
    };
    let columns = 9 + 3 * WAREHOUSES;
    assert_eq!(written(&first.requests), 10_002 * columns);
    let current = Current {
        sheet: Some(first.after),
    };
    assert!(plan(&current, &input(0), &options).unwrap().is_empty());
    let changed = plan(&current, &input(20), &options).unwrap();
    // In each of 500 products the stock changed everywhere, the totals with it, and at most the turnovers.
    let cells = written(&changed.requests);
    assert!(
        (500 * (WAREHOUSES + 2)..=500 * (2 * WAREHOUSES + 2)).contains(&cells),
        "{cells}"
    );
}
