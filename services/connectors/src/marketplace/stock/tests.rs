//! Levels of one article over sizes and warehouses: what adds up, what is unknown, and what overflows.

use super::{Fulfilment, InWay, MASKED_KEY, SizeLabel, StockBuilder, StockLevel, WarehouseRef};

fn level(warehouse: u32, available: i64) -> StockLevel {
    StockLevel {
        warehouse,
        available,
        in_way_to_client: 1,
        in_way_from_client: 0,
    }
}

#[test]
fn sizes_are_summed_into_the_product() {
    let mut builder = StockBuilder::default();
    let koledino = builder.warehouse(WarehouseRef::with_id(507, "Коледино", Fulfilment::Fbo, None));
    builder.add(1, level(koledino, 7)).unwrap();
    builder.add(1, level(koledino, 5)).unwrap();
    builder
        .add_in_way(
            1,
            InWay {
                to_client: 3,
                from_client: 2,
            },
        )
        .unwrap();
    let snapshot = builder.finish();
    let product = snapshot.product(1).unwrap();
    assert_eq!(product.levels.len(), 1);
    assert_eq!(product.available(), 12);
    assert_eq!(
        product.in_way_total(),
        InWay {
            to_client: 5,
            from_client: 2
        }
    );
}

#[test]
fn every_masked_name_is_the_same_warehouse() {
    for name in ["Склад WB", "Склад WB РФ", "Склад WB СГТ РФ"] {
        assert_eq!(WarehouseRef::named(name, Fulfilment::Fbo).key, MASKED_KEY);
    }
    assert_eq!(
        WarehouseRef::named("Остальные", Fulfilment::Fbo).key,
        "fbo:name:Остальные"
    );
    assert_eq!(
        WarehouseRef::named("Склад WB", Fulfilment::Fbs).key,
        "fbs:name:Склад WB"
    );
}

#[test]
fn a_name_with_two_ids_resolves_to_neither() {
    let mut builder = StockBuilder::default();
    builder.warehouse(WarehouseRef::with_id(1, "Казань", Fulfilment::Fbo, None));
    builder.warehouse(WarehouseRef::with_id(2, "Казань", Fulfilment::Fbo, None));
    builder.warehouse(WarehouseRef::with_id(3, "Тула", Fulfilment::Fbo, None));
    let snapshot = builder.finish();
    let keys = snapshot.keys_by_name();
    assert_eq!(keys.get("Казань"), None);
    assert_eq!(keys.get("Тула"), Some(&"fbo:3"));
}

#[test]
fn sizes_are_named_once_and_their_units_are_told_by_warehouse_without_zeros() {
    let mut builder = StockBuilder::default();
    let one = builder.warehouse(WarehouseRef::with_id(1, "Казань", Fulfilment::Fbo, None));
    let two = builder.warehouse(WarehouseRef::with_id(2, "Тула", Fulfilment::Fbo, None));
    for (warehouse, size, units) in [(two, 42, 3), (one, 42, 1), (one, 44, 0), (one, 44, 5)] {
        builder.add(7, level(warehouse, units)).unwrap();
        builder
            .add_size(7, warehouse, SizeLabel::Id(size), units)
            .unwrap();
    }
    assert!(builder.add_size(7, one, SizeLabel::Id(42), 1 << 33).is_err());
    let snapshot = builder.finish();
    let told: Vec<_> = snapshot.products[0]
        .sizes
        .iter()
        .map(|row| {
            (
                row.warehouse,
                snapshot.sizes[row.size as usize].clone(),
                row.units,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (one, SizeLabel::Id(42), 1),
            (one, SizeLabel::Id(44), 5),
            (two, SizeLabel::Id(42), 3)
        ]
    );
}

#[test]
fn a_level_with_a_row_that_could_not_be_read_is_unknown_and_the_others_stay() {
    let mut builder = StockBuilder::default();
    let one = builder.warehouse(WarehouseRef::with_id(1, "1", Fulfilment::Fbo, None));
    let two = builder.warehouse(WarehouseRef::with_id(2, "2", Fulfilment::Fbo, None));
    builder.add(9, level(one, 4)).unwrap();
    builder.add_size(9, one, SizeLabel::Id(42), 4).unwrap();
    builder.unread(9, Some(one));
    builder.add(9, level(two, 3)).unwrap();
    builder.add(8, level(one, 5)).unwrap();
    builder.add(7, level(one, 6)).unwrap();
    builder.unread(7, None);
    let stock = builder.finish();
    let nine = stock.product(9).unwrap();
    assert_eq!(nine.levels, [level(two, 3)]);
    assert_eq!((nine.sizes.len(), nine.torn), (0, false));
    assert_eq!(stock.unread_warehouses(nine).collect::<Vec<_>>(), ["fbo:1"]);
    assert_eq!(stock.product(8).unwrap().levels, [level(one, 5)]);
    let seven = stock.product(7).unwrap();
    assert!(seven.torn && seven.levels.is_empty(), "{seven:?}");
}

#[test]
fn sums_that_cannot_be_stock_are_refused() {
    let mut builder = StockBuilder::default();
    builder.add(9, level(0, 1 << 47)).unwrap();
    assert_eq!(builder.add(9, level(0, 1 << 47)).unwrap_err().nm_id, 9);
}
