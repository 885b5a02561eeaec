//! Groups of one name are told apart, and a warehouse that gets an id stays where it was.

use chrono::NaiveDate;
use read_models::inventory::queries::{
    Exclusion, KnownOrders, SheetCell, SheetProduct, SheetRows, Warehouse,
};
use sheet_layout::Language;
use uuid::Uuid;

use super::Columns;

fn cabinet(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn warehouse(of: u128, key: &str, name: &str, in_stock: bool) -> Warehouse {
    Warehouse {
        cabinet_id: cabinet(of),
        warehouse: key.to_owned(),
        name: name.to_owned(),
        fulfilment: key.get(..3).unwrap().to_owned(),
        masked: false,
        in_stock,
        excluded: None,
        same_as: None,
        first_position: 0,
        first_index: 0,
    }
}

/// An article of a cabinet with units and orders by warehouse.
fn product(of: u128, marketplace: &str, cells: &[(&str, i64, i64)]) -> SheetProduct {
    SheetProduct {
        product_id: Uuid::from_u128(100 + of),
        cabinet_id: cabinet(of),
        marketplace: marketplace.to_owned(),
        nm_id: 1,
        vendor_code: String::new(),
        brand: String::new(),
        subject: String::new(),
        title: String::new(),
        delisted: false,
        available: cells.iter().map(|cell| cell.1).sum(),
        excluded_units: 0,
        in_way_to_client: 0,
        in_way_from_client: 0,
        orders_last_7: cells.iter().map(|cell| cell.2).sum(),
        updated_at: chrono::DateTime::UNIX_EPOCH,
        position: 1,
        cells: (cells.iter())
            .map(|(key, available, orders_last_7)| SheetCell {
                warehouse: (*key).to_owned(),
                available: *available,
                orders_last_7: *orders_last_7,
            })
            .collect(),
    }
}

fn rows(products: Vec<SheetProduct>, warehouses: Vec<Warehouse>) -> SheetRows {
    SheetRows {
        position: 1,
        known_at: None,
        products,
        warehouses,
        freshness: Vec::new(),
        known_orders: KnownOrders::default(),
        today: NaiveDate::default(),
        outlooks: None,
        sizes: None,
        size_names: std::collections::HashMap::new(),
    }
}

fn shown(rows: &SheetRows) -> Vec<(String, String)> {
    let columns = Columns::of(rows, Language::Russian);
    let list = columns.list.iter();
    list.map(|column| (column.key.to_string(), column.name.to_string()))
        .collect()
}

fn titles(rows: &SheetRows) -> Vec<String> {
    shown(rows).into_iter().map(|(_, title)| title).collect()
}

#[test]
fn a_warehouse_of_ozon_says_so_where_another_marketplace_uses_its_name() {
    let rows = rows(
        vec![product(1, "wildberries", &[]), product(2, "ozon", &[])],
        vec![
            warehouse(1, "fbo:117986", "Казань", true),
            warehouse(2, "fbo:16", "Казань", true),
            warehouse(2, "fbo:1", "Хоругвино", true),
        ],
    );
    assert_eq!(
        shown(&rows),
        [
            ("fbo:117986", "Казань"),
            ("ozon:fbo:16", "Казань (Ozon)"),
            ("ozon:fbo:1", "Хоругвино")
        ]
        .map(|(key, title)| (key.to_owned(), title.to_owned()))
    );
}

#[test]
fn an_own_warehouse_named_like_the_marketplace_s_and_two_own_ones_of_one_name_have_titles_of_their_own() {
    let rows = rows(
        vec![product(1, "wildberries", &[])],
        vec![
            warehouse(1, "fbo:507", "Коледино", true),
            warehouse(1, "fbs:71", "Коледино", true),
            warehouse(1, "fbs:81", "Дом", true),
            warehouse(1, "fbs:82", "Дом", true),
            warehouse(1, "fbs:name:Дом", "Дом", false),
        ],
    );
    assert_eq!(
        titles(&rows),
        [
            "Коледино",
            "Коледино (FBS)",
            "Дом (ID 81)",
            "Дом (ID 82)",
            "Дом (только заказы)"
        ]
    );
}

#[test]
fn no_title_is_that_of_the_group_without_a_warehouse() {
    let rows = rows(
        vec![product(1, "wildberries", &[])],
        vec![warehouse(1, "fbs:9", "Без склада", true)],
    );
    assert_eq!(titles(&rows), ["Без склада (ID 9)"]);
}

#[test]
fn a_warehouse_that_was_told_by_its_name_first_keeps_its_group_when_its_id_is_known() {
    let named = Warehouse {
        same_as: Some("fbo:507".to_owned()),
        ..warehouse(1, "fbo:name:Коледино", "Коледино", true)
    };
    let rows = rows(
        vec![product(
            1,
            "wildberries",
            &[("fbo:name:Коледино", 0, 0), ("fbo:507", 7, 3)],
        )],
        vec![named, warehouse(1, "fbo:507", "Коледино ЭС", true)],
    );
    assert_eq!(
        shown(&rows),
        [("fbo:name:Коледино".to_owned(), "Коледино ЭС".to_owned())],
        "the first key, the present name"
    );
    let columns = Columns::of(&rows, Language::Russian);
    let (cells, without) = columns.cells(&rows.products[0], &rows.products[0].cells);
    assert_eq!((cells, without), (vec![(0, 0, 0), (0, 7, 3)], 0));
}

#[test]
fn the_collective_of_what_is_on_its_way_is_no_column_until_something_lies_there() {
    let of = |units| {
        rows(
            vec![product(1, "wildberries", &[("fbo:0", units, 0)])],
            vec![
                warehouse(1, "fbo:0", "Остальные", true),
                warehouse(1, "fbo:10", "Тула", true),
            ],
        )
    };
    assert_eq!(titles(&of(0)), ["Тула"]);
    assert_eq!(titles(&of(2)), ["Остальные", "Тула"], "no unit is hidden");
}

#[test]
fn names_that_only_orders_use_are_remarked() {
    let all = |count: usize| {
        let names = (0..count).map(|number| {
            let name = format!("С{number}");
            warehouse(1, &format!("fbo:name:{name}"), &name, false)
        });
        let places = names.chain([warehouse(1, "fbo:1", "Тула", true)]).collect();
        Columns::of(
            &rows(vec![product(1, "wildberries", &[])], places),
            Language::Russian,
        )
    };
    assert_eq!(all(0).remark(Language::Russian), None);
    assert_eq!(
        all(2).remark(Language::Russian).unwrap(),
        "Только заказы, остатков под этим названием не было: С0, С1"
    );
    let many = all(6).remark(Language::English).unwrap();
    assert!(many.ends_with(": С0, С1, С2, С3, С4, …"), "{many}");
}

fn exclusion(reason: &str) -> Option<Exclusion> {
    Some(Exclusion {
        reason: reason.to_owned(),
        since: "2026-11-30T06:00:00Z".parse().unwrap(),
        by: "user:1".to_owned(),
    })
}

#[test]
fn a_warehouse_that_one_of_two_cabinets_leaves_out_counts_for_the_other_and_the_note_names_the_first() {
    let mut rows = rows(
        vec![
            product(1, "wildberries", &[("fbo:507", 7, 3), ("fbo:1", 1, 0)]),
            product(2, "wildberries", &[("fbo:507", 20, 0)]),
        ],
        vec![
            Warehouse {
                excluded: exclusion("зависли"),
                ..warehouse(1, "fbo:507", "Коледино", true)
            },
            warehouse(2, "fbo:507", "Коледино", true),
            warehouse(1, "fbo:1", "Тула", true),
        ],
    );
    let columns = Columns::of(&rows, Language::Russian);
    let uncounted = |columns: &Columns, place: usize| columns.uncounted(&rows.products[place]).to_vec();
    assert_eq!(uncounted(&columns, 0), [0]);
    assert!(uncounted(&columns, 1).is_empty());
    let notes: Vec<&str> = columns.list.iter().map(|column| &*column.left_out).collect();
    assert_eq!(
        notes,
        ["зависли (кабинет 00000000), с 30.11.2026 09:00 МСК", ""],
        "which cabinet, since both have it"
    );
    assert_eq!(
        columns.left_out(Language::Russian),
        [format!(
            "Не учитывается в «Остатки (всего)»: Коледино, 7 ед.: {}",
            notes[0]
        )]
    );
    rows.warehouses[1].excluded = exclusion("closed");
    let both = Columns::of(&rows, Language::English);
    assert_eq!(both.uncounted(&rows.products[1]).to_vec(), [0]);
    let [line] = both.left_out(Language::English).try_into().unwrap();
    assert!(
        line.starts_with(
            "Not part of “Stock (total)”: Коледино, 27 units: зависли (cabinet 00000000), since "
        ),
        "{line}"
    );
}

#[test]
fn a_warehouse_that_is_left_out_under_its_name_and_its_id_is_said_once() {
    let rows = rows(
        vec![product(
            1,
            "wildberries",
            &[("fbo:name:Тула", 0, 0), ("fbo:1", 4, 0)],
        )],
        vec![
            Warehouse {
                same_as: Some("fbo:1".to_owned()),
                excluded: exclusion("зависли"),
                ..warehouse(1, "fbo:name:Тула", "Тула", true)
            },
            Warehouse {
                excluded: exclusion("зависли"),
                ..warehouse(1, "fbo:1", "Тула", true)
            },
        ],
    );
    let columns = Columns::of(&rows, Language::English);
    let reason = "зависли, since 30.11.2026 09:00 MSK";
    assert_eq!(&*columns.list[0].left_out, reason);
    let line = format!("Not part of “Stock (total)”: Тула, 4 units: {reason}");
    assert_eq!(columns.left_out(Language::English), [line]);
}
