//! What was written must come back exactly, and damage must be noticed instead of believed.

use proptest::prelude::*;
use sheet_layout::{Cell, ColumnKey, Current, Grid, GridDecodeError, GridRow, Options, WarehouseField, plan};

use crate::world::worked_example;

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        3 => Just(Cell::Empty),
        5 => Just(Cell::Int(0)),
        2 => any::<i64>().prop_map(Cell::Int),
        2 => any::<i64>().prop_map(Cell::Tenths),
        2 => "[а-я]{1,3}".prop_map(|text| Cell::Text(text.into())),
    ]
}

#[test]
fn another_version_and_damage_are_refused() {
    let grid = plan(&Current::default(), &worked_example(), &Options::default())
        .unwrap()
        .after
        .written;
    let bytes = grid.to_bytes();
    let mut other = bytes.clone();
    other[0] = 9;
    assert_eq!(Grid::from_bytes(&other), Err(GridDecodeError::Version(9)));
    for position in 1..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        assert_eq!(Grid::from_bytes(&damaged), Err(GridDecodeError::Checksum));
    }
    assert_eq!(Grid::from_bytes(&[]), Err(GridDecodeError::Malformed));
}

#[test]
fn a_different_cell_gives_a_different_hash() {
    let mut grid = plan(&Current::default(), &worked_example(), &Options::default())
        .unwrap()
        .after
        .written;
    let before = grid.hash();
    assert!(grid.set(2, 9, Cell::Int(1)));
    assert_ne!(grid.hash(), before);
    assert!(!grid.set(2, 99, Cell::Int(1)));
}

proptest! {
    #[test]
    fn every_grid_survives_its_bytes(
        width in 0_usize..7,
        cells in prop::collection::vec(cell(), 80),
        listed in prop::collection::vec(any::<bool>(), 0..9),
    ) {
        let name = |column: usize| {
            ColumnKey::warehouse(&column.to_string(), WarehouseField::Stock).to_string()
        };
        let columns = (0..width).map(|column| name(column).into()).collect();
        let row = |(listed, row): (&bool, u32)| GridRow { key: format!("p{row}").into(), listed: *listed };
        let rows = listed.iter().zip(0..).map(row);
        let mut grid = Grid::new(columns, rows.collect());
        for (place, cell) in cells.into_iter().enumerate().take((listed.len() + 2) * width) {
            prop_assert!(grid.set(place / width, place % width, cell));
        }
        let back = Grid::from_bytes(&grid.to_bytes()).unwrap();
        prop_assert_eq!(&back, &grid);
        prop_assert_eq!(back.hash(), grid.hash());
    }

    #[test]
    fn foreign_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        prop_assert!(Grid::from_bytes(&bytes).is_err());
    }
}
