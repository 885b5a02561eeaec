//! Totals equal the sums of warehouses, turnover is exact, contradictory input is refused.

use proptest::prelude::*;
use sheet_layout::{
    Cell, LayoutError, SheetInput, Tenths, UNPLACED_NAME, initial_columns, render_rows, turnover,
};

use crate::world::{World, product, warehouse};

#[test]
fn ties_round_to_the_even_tenth() {
    // 7 × 1 / 20 = 0.35 and 7 × 3 / 20 = 1.05 lie exactly between two tenths.
    assert_eq!(turnover(1, 20), Some(Tenths(4)));
    assert_eq!(turnover(3, 20), Some(Tenths(10)));
    assert_eq!(turnover(150, 80), Some(Tenths(131)));
    assert_eq!(turnover(0, 5), None);
    assert_eq!(turnover(5, 0), None);
    assert_eq!(turnover(-5, 5), None);
    assert_eq!(turnover(i64::MAX, 1), Some(Tenths(i64::MAX)));
}

#[test]
fn orders_without_a_warehouse_have_a_block_of_their_own_and_count() {
    let mut world = World::default();
    let mut input = SheetInput {
        products: vec![product(1, &[(0, 10, 2)])],
        warehouses: vec![warehouse("Тула")],
        ..SheetInput::default()
    };
    world.sync(&input);
    assert_eq!(world.model.width(), 12);
    input.products[0].orders_without_warehouse = 3;
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(world.model.value(0, 12), Some(&serde_json::json!(UNPLACED_NAME)));
    assert_eq!(world.model.value(2, 13), Some(&serde_json::json!(3)));
    assert_eq!(world.model.value(2, 6), Some(&serde_json::json!(5)));
    input.products[0].orders_without_warehouse = 0;
    world.sync(&input);
    assert_eq!(world.model.width(), 15);
}

#[test]
fn contradictory_input_is_refused_by_name() {
    let good = SheetInput {
        products: vec![product(1, &[]), product(2, &[])],
        warehouses: vec![warehouse("Тула")],
        ..SheetInput::default()
    };
    let refused = |change: &dyn Fn(&mut SheetInput)| {
        let mut input = good.clone();
        change(&mut input);
        render_rows(&input, &initial_columns(&input)).unwrap_err()
    };
    assert_eq!(
        refused(&|input| input.products[1].key = "p1".into()),
        LayoutError::DuplicateProduct("p1".into())
    );
    assert_eq!(
        refused(&|input| input.warehouses.push(warehouse("Тула"))),
        LayoutError::DuplicateWarehouse("key of Тула".into())
    );
    assert_eq!(
        refused(&|input| input.products[0].cells.push((1, 0, 0))),
        LayoutError::UnknownWarehouse {
            product: "p1".into(),
            index: 1,
            warehouses: 1
        }
    );
    let overflow = refused(&|input| input.products[0].cells = vec![(0, i64::MAX, 0), (0, 1, 0)]);
    assert_eq!(overflow, LayoutError::Overflow("p1".into()));
}

proptest! {
    #[test]
    fn turnover_is_the_nearest_tenth_with_ties_to_even(
        available in prop_oneof![1_i64..500, 1_i64..=i64::MAX],
        orders in prop_oneof![1_i64..500, 1_i64..=i64::MAX],
    ) {
        // Independent of the division: |70·a − t·d| is compared with that of both neighbours.
        let days = turnover(available, orders).unwrap();
        let (exact, unit, tenths) = (i128::from(available) * 70, i128::from(orders), i128::from(days.0));
        prop_assume!(days.0 < i64::MAX);
        let twice = (exact - tenths * unit).abs() * 2;
        prop_assert!(twice <= unit);
        prop_assert!(twice < unit || tenths % 2 == 0);
    }

    #[test]
    fn totals_are_the_sums_over_warehouses(
        cells in prop::collection::vec((0_usize..4, 0_i64..1000, 0_i64..1000), 0..8),
        unplaced in 0_i64..5,
    ) {
        let mut row = product(1, &cells);
        row.orders_without_warehouse = unplaced;
        let warehouses = ["А", "Б", "В", "Г"].map(warehouse).to_vec();
        let input = SheetInput { products: vec![row], warehouses, ..SheetInput::default() };
        let rows = render_rows(&input, &initial_columns(&input)).unwrap();
        let number = |cell: &Cell| if let Cell::Int(number) = cell { *number } else { 0 };
        let sum = |first: usize| rows[2].iter().skip(first).step_by(3).map(number).sum::<i64>();
        prop_assert_eq!(number(&rows[2][7]), sum(9));
        prop_assert_eq!(number(&rows[2][6]), sum(10));
        prop_assert_eq!(sum(9), cells.iter().map(|cell| cell.1).sum::<i64>());
    }
}
