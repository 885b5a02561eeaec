//! What a tenant chooses changes what is said and what is new, and nothing of what stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::{Value, json};
use sheet_layout::export::Table;
use sheet_layout::{
    Current, ExtraField, Language, LayoutError, LowStock, Options, ProductFacts, Request, SheetInput, Sort,
    SortBy, Tenths, View, plan,
};

use crate::world::{World, product, warehouse, worked_example};

fn facts(marketplace: &str, cabinet: &str) -> ProductFacts {
    ProductFacts {
        marketplace: marketplace.into(),
        cabinet: cabinet.into(),
        ..ProductFacts::default()
    }
}

/// Three products of two cabinets in three warehouses, the last of which is empty.
fn input() -> SheetInput {
    let mut input = SheetInput {
        products: vec![
            product(3, &[(0, 40, 7)]),
            product(1, &[(0, 0, 0), (1, 5, 7)]),
            product(2, &[(0, 0, 0)]),
        ],
        warehouses: ["Тула", "Казань", "Пермь"].map(warehouse).to_vec(),
        ..SheetInput::default()
    };
    for (product, cabinet) in input.products.iter().zip(["first", "second", "first"]) {
        let marketplace = if cabinet == "first" { "wildberries" } else { "ozon" };
        input
            .facts
            .insert(Arc::clone(&product.key), facts(marketplace, cabinet));
    }
    input
}

fn world(view: View) -> World {
    World {
        options: Options {
            view,
            ..Options::default()
        },
        ..World::default()
    }
}

fn texts(world: &World, row: usize) -> Vec<&str> {
    let values = world.model.cells[row].iter();
    values
        .map(|cell| cell.value.as_ref().and_then(Value::as_str).unwrap_or_default())
        .collect()
}

fn articles(table: &Table) -> Vec<String> {
    table.rows().skip(2).map(|row| row[3].to_string()).collect()
}

fn set<T: Ord + for<'a> From<&'a str>>(names: &[&str]) -> BTreeSet<T> {
    names.iter().map(|name| T::from(name)).collect()
}

#[test]
fn an_english_sheet_has_english_titles_and_notes() {
    let mut world = world(View {
        language: Language::English,
        ..View::default()
    });
    let mut input = worked_example();
    input.products[0].orders_without_warehouse = 1;
    world.sync(&input);
    world.assert_shows(&input);
    let titles = [texts(&world, 0), texts(&world, 1)].concat();
    assert!(titles[..9].contains(&"Product") && titles.contains(&"No warehouse"));
    assert!(titles.contains(&"Stock (total)") && !titles.iter().any(|title| title.contains("Остатки")));
    let note = |column: usize| world.model.cells[1][column].note.clone().unwrap();
    assert!(note(7).starts_with("Data as of 2026-11-20") && note(8).starts_with("Stock × 7"));
}

#[test]
fn a_change_of_language_rewrites_titles_and_notes_and_no_number() {
    let (mut world, input) = (World::default(), worked_example());
    world.sync(&input);
    world.options.view.language = Language::English;
    let planned = world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(texts(&world, 1)[6], "Orders (total)");
    assert_eq!(
        world.model.cells[1][8].note.as_deref().unwrap().split(' ').next(),
        Some("Stock")
    );
    for request in &planned.requests {
        match request {
            Request::UpdateCells(block) => assert!(block.start.row_index < 2, "{block:?}"),
            Request::UpdateNote(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_view_of_one_cabinet_shows_its_products_and_their_warehouses() {
    let view = View {
        cabinets: set(&["second"]),
        ..View::default()
    };
    let table = Table::new(&input(), &view).unwrap();
    assert_eq!(articles(&table), ["1"]);
    // Both warehouses that it names, the empty one too.
    assert_eq!(table.columns().len(), 9 + 2 * 3);
    let wildberries = View {
        marketplaces: set(&["wildberries"]),
        ..View::default()
    };
    assert_eq!(articles(&Table::new(&input(), &wildberries).unwrap()), ["3", "2"]);
    let neither = View {
        cabinets: set(&["second"]),
        ..wildberries
    };
    assert_eq!(articles(&Table::new(&input(), &neither).unwrap()), [""; 0]);
}

#[test]
fn a_product_of_unknown_origin_is_refused_where_the_origin_is_chosen() {
    let view = View {
        cabinets: set(&["second"]),
        ..View::default()
    };
    let mut input = input();
    input.facts.remove("p2");
    let refused = Table::new(&input, &view).unwrap_err();
    assert_eq!(refused, LayoutError::UnknownOrigin("p2".into()));
}

#[test]
fn a_narrower_view_strikes_the_rows_it_leaves_out_and_a_wider_one_restores_them() {
    let (mut world, input) = (World::default(), input());
    world.sync(&input);
    world.options.view.cabinets = set(&["second"]);
    world.sync(&input);
    assert!(world.model.cells[2][0].struck && !world.model.cells[3][0].struck);
    assert_eq!(world.model.value(2, 7), Some(&json!(0)));
    world.options.view.cabinets = BTreeSet::new();
    world.sync(&input);
    world.assert_shows(&input);
    assert!(!world.model.cells[2][0].struck);
}

#[test]
fn products_come_in_the_chosen_order_with_what_is_empty_last() {
    let order = |by, descending| {
        let view = View {
            sort: Sort { by, descending },
            ..View::default()
        };
        articles(&Table::new(&input(), &view).unwrap()).concat()
    };
    assert_eq!(order(SortBy::Given, false), "312");
    assert_eq!(order(SortBy::Given, true), "213");
    assert_eq!(order(SortBy::NmId, false), "123");
    assert_eq!(order(SortBy::VendorCode, true), "321");
    assert_eq!(order(SortBy::Available, true), "312");
    assert_eq!(order(SortBy::Available, false), "213");
    assert_eq!(order(SortBy::Orders, false), "231");
    assert_eq!(order(SortBy::Turnover, false), "132");
    assert_eq!(order(SortBy::Turnover, true), "312");
    assert_eq!(
        order(SortBy::Brand, true),
        "312",
        "what is equal stays as it came"
    );
}

#[test]
fn a_chosen_order_places_new_rows_and_moves_none() {
    let mut world = world(View {
        sort: Sort {
            by: SortBy::NmId,
            descending: false,
        },
        ..View::default()
    });
    let mut input = input();
    world.sync(&input);
    let shown = |world: &World| -> Vec<i64> {
        let rows = world.model.cells.iter().skip(2);
        rows.filter_map(|row| row[3].value.as_ref()?.as_i64()).collect()
    };
    assert_eq!(shown(&world), [1, 2, 3]);
    input.products.extend([product(9, &[]), product(0, &[])]);
    world.options.view.sort.descending = true;
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(shown(&world), [1, 2, 3, 9, 0]);
}

#[test]
fn chosen_columns_join_the_totals_and_stay_until_the_seller_deletes_them() {
    let (mut world, mut input) = (World::default(), input());
    let known = input.facts.get_mut("p3").unwrap();
    known.orders_14 = Some(15);
    known.days_of_stock = Some(Tenths(375));
    known.stock_out_on = NaiveDate::from_ymd_opt(2026, 12, 31);
    world.sync(&input);
    world.options.view.extra_columns = ExtraField::ALL.into();
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(
        texts(&world, 1)[9..13],
        [
            "Заказы за 14 дней",
            "Заказы за 28 дней",
            "Запас (дни)",
            "Закончится"
        ]
    );
    let values: Vec<_> = (9..13)
        .map(|column| world.model.value(2, column).cloned())
        .collect();
    assert_eq!(
        values,
        [Some(json!(15)), None, Some(json!(37.5)), Some(json!(46_387))]
    );
    assert!(
        world
            .model
            .merges
            .iter()
            .any(|merge| (merge.start_column_index, merge.end_column_index) == (4, 13)),
        "the title of the totals spans them: {:?}",
        world.model.merges
    );
    assert_eq!(
        world.model.cells[2][12].number_format.as_ref().unwrap()["type"],
        "DATE"
    );
    assert_eq!(world.model.cells[2][9].number_format, None);
    assert!(!world.model.cells[2][8].thick_right && world.model.cells[2][12].thick_right);

    world.options.view.extra_columns.clear();
    assert!(world.sync(&input).is_empty());
    world.model.delete(false, 12);
    world.sync(&input);
    assert_eq!(world.model.column("extra:stock_out_on"), None);
    assert!(world.model.column("extra:days_of_stock").is_some());
    world.options.view.extra_columns.insert(ExtraField::StockOutOn);
    world.sync(&input);
    assert_eq!(world.model.column("extra:stock_out_on"), Some(9));
    world.assert_shows(&input);
}

/// Backgrounds of both coloured totals, row by row.
fn colours(world: &World) -> Vec<&'static str> {
    let name = |background: &Option<Value>| match background {
        None => "-",
        Some(color) if color["rgbColor"]["green"] == 0.8 => "red",
        Some(_) => "yellow",
    };
    let rows = world.model.cells.iter().skip(2);
    rows.map(|row| {
        assert_eq!(row[7].background, row[8].background);
        assert!(
            row.iter()
                .enumerate()
                .all(|(place, cell)| cell.background.is_none() || [7, 8].contains(&place))
        );
        name(&row[7].background)
    })
    .collect()
}

#[test]
fn low_totals_are_coloured_and_follow_numbers_thresholds_and_the_catalogue() {
    let mut world = world(View {
        low_stock: Some(LowStock {
            below_units: None,
            below_days: Some(6),
        }),
        ..View::default()
    });
    let mut input = input();
    world.sync(&input);
    assert_eq!(colours(&world), ["-", "yellow", "red"]);
    input.products[1].cells[1].1 = 50;
    input.products[2].cells[0].1 = 1;
    world.sync(&input);
    assert_eq!(colours(&world), ["-", "-", "-"]);
    world.options.view.low_stock = Some(LowStock {
        below_units: Some(45),
        below_days: None,
    });
    world.sync(&input);
    assert_eq!(colours(&world), ["yellow", "-", "yellow"]);
    let gone = input.products.remove(0);
    world.sync(&input);
    assert_eq!(colours(&world), ["-", "-", "yellow"]);
    input.products.insert(0, gone);
    world.sync(&input);
    assert_eq!(colours(&world), ["yellow", "-", "yellow"]);
    world.options.view.low_stock = None;
    world.sync(&input);
    assert_eq!(colours(&world), ["-", "-", "-"]);
}

#[test]
fn colours_cost_nothing_while_nothing_changes_its_level() {
    let mut world = world(View {
        low_stock: Some(LowStock {
            below_units: Some(10),
            below_days: None,
        }),
        ..View::default()
    });
    let mut input = input();
    world.sync(&input);
    input.products[0].cells[0].1 = 41;
    let planned = world.sync(&input);
    assert!(
        planned
            .requests
            .iter()
            .all(|request| matches!(request, Request::UpdateCells(_)))
    );
    world.model.delete(false, 8);
    world.sync(&input);
    assert_eq!(
        colours(&world),
        ["-", "yellow", "red"],
        "a column that comes back is coloured"
    );
}

#[test]
fn an_empty_warehouse_gets_columns_with_its_first_number_and_keeps_them() {
    let mut world = world(View {
        hide_empty_warehouses: true,
        ..View::default()
    });
    let mut input = input();
    world.sync(&input);
    assert_eq!(world.model.width(), 9 + 2 * 3);
    assert_eq!(world.model.column("wh:key of Пермь:stock"), None);
    input.products[0].cells.push((2, 0, 1));
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(world.model.column("wh:key of Пермь:stock"), Some(15));
    input.products[0].cells.pop();
    world.sync(&input);
    world.assert_shows(&input);
    assert_eq!(world.model.column("wh:key of Пермь:stock"), Some(15));
    assert_eq!(texts(&world, 0)[15], "Пермь");
}

#[test]
fn number_formats_come_and_go_without_a_value_being_written() {
    let (mut world, input) = (World::default(), input());
    world.sync(&input);
    world.options.view.number_formats = true;
    let planned = world.sync(&input);
    assert!(
        planned
            .requests
            .iter()
            .all(|request| matches!(request, Request::RepeatCell { .. }))
    );
    let pattern = |world: &World, row: usize, column: usize| -> Option<String> {
        let format = world.model.cells[row][column].number_format.as_ref()?;
        Some(format["pattern"].as_str().unwrap().to_owned())
    };
    assert_eq!(pattern(&world, 2, 7).as_deref(), Some("#,##0"));
    assert_eq!(pattern(&world, 4, 8).as_deref(), Some("0.0"));
    assert_eq!(pattern(&world, 4, 3).as_deref(), Some("0"));
    assert_eq!((pattern(&world, 2, 0), pattern(&world, 1, 7)), (None, None));
    world.options.view.number_formats = false;
    world.sync(&input);
    assert!(
        world
            .model
            .cells
            .iter()
            .flatten()
            .all(|cell| cell.number_format.is_none())
    );
}

#[test]
fn the_default_view_leaves_no_trace_in_what_is_stored() {
    let planned = plan(&Current::default(), &worked_example(), &Options::default()).unwrap();
    assert_eq!(
        planned.after.written.to_bytes()[0],
        1,
        "as before there were views"
    );
}

#[test]
fn a_view_is_read_from_settings_and_an_unknown_choice_is_refused() {
    let view: View = serde_json::from_value(json!({
        "language": "english",
        "cabinets": ["a"],
        "sort": {"by": "turnover"},
        "extra_columns": ["stock_out_on"],
        "low_stock": {"below_days": 14},
    }))
    .unwrap();
    assert_eq!(
        (view.language, view.sort.by),
        (Language::English, SortBy::Turnover)
    );
    assert_eq!(
        serde_json::from_value::<View>(serde_json::to_value(&view).unwrap()).unwrap(),
        view
    );
    assert_eq!(serde_json::from_str::<View>("{}").unwrap(), View::default());
    assert!(serde_json::from_value::<View>(json!({"sizes": "columns"})).is_err());
}
