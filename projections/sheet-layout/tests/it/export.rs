//! Exports show the grid's numbers, look like the sheet, and never hand a formula to the program that opens
//! them.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::sync::Arc;

use calamine::{Data, Reader, Xlsx};
use chrono::NaiveDate;
use proptest::prelude::*;
use sheet_layout::export::{CsvDialect, ExportError, Table};
use sheet_layout::{
    Cell, Current, ExtraField, Kind, Language, LowStock, Options, ProductFacts, ProductRow, Request,
    SheetInput, Tenths, View, WarehouseColumn, plan,
};

use crate::model::Model;
use crate::world::{json, product, warehouse, worked_example};

/// Characters a program may take for the beginning of a formula.
const DANGEROUS: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];

/// What one of the formats has a meaning for.
const TRICKY: [&str; 11] = [
    ",",
    "\"",
    "'",
    ";",
    "\r\n",
    "_x000D_",
    "<",
    "&",
    " ",
    "|",
    "cmd|' /C calc'!A0",
];

/// A reader of RFC 4180 that knows nothing of the writer.
fn parse_csv(text: &str, separator: char) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let (mut quoted, mut characters) = (false, text.chars().peekable());
    while let Some(character) = characters.next() {
        let row = rows.last_mut().unwrap();
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                row.last_mut().unwrap().extend(characters.next());
            }
            '"' => quoted = !quoted,
            other if other == separator && !quoted => row.push(String::new()),
            '\r' if !quoted => {
                assert_eq!(characters.next(), Some('\n'), "a line ends with CR LF");
                rows.push(vec![String::new()]);
            }
            other => row.last_mut().unwrap().push(other),
        }
    }
    assert_eq!(
        rows.pop(),
        Some(vec![String::new()]),
        "the last line is ended too"
    );
    rows
}

const RUSSIAN: CsvDialect = CsvDialect::Spreadsheet(Language::Russian);
const ENGLISH: CsvDialect = CsvDialect::Spreadsheet(Language::English);

fn csv_rows(table: &Table, dialect: CsvDialect) -> Vec<Vec<String>> {
    let text = String::from_utf8(table.to_csv(dialect).unwrap()).unwrap();
    match dialect {
        CsvDialect::Machine => parse_csv(&text, ','),
        RUSSIAN => parse_csv(text.strip_prefix('\u{feff}').unwrap(), ';'),
        ENGLISH => parse_csv(text.strip_prefix('\u{feff}').unwrap(), ','),
    }
}

fn workbook(table: &Table) -> Xlsx<Cursor<Vec<u8>>> {
    calamine::open_workbook_from_rs(Cursor::new(table.to_xlsx("Products").unwrap())).unwrap()
}

fn part(bytes: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_worked_example_as_csv_is_exactly_this() {
    let table = Table::new(&worked_example(), &View::default()).unwrap();
    let csv = table.to_csv(ENGLISH).unwrap();
    insta::assert_snapshot!(String::from_utf8(csv).unwrap().escape_debug());
}

#[test]
fn a_text_stays_what_it_is_and_a_number_a_number_in_the_csv_of_each_reader() {
    let mut input = worked_example();
    let codes = [
        "00123",
        "4600000000000",
        "1E5",
        "10-12",
        "=1+1",
        "ABC-1",
        "1;2",
        "ИСТИНА",
    ];
    let first = input.products[0].clone();
    input.products = (codes.iter().enumerate())
        .map(|(place, code)| ProductRow {
            key: format!("p{place}").into(),
            vendor_code: (*code).into(),
            nm_id: if place == 0 { 123_456_789_012 } else { 7 },
            ..first.clone()
        })
        .collect();
    let table = Table::new(&input, &View::default()).unwrap();
    let shown = |dialect, column: usize| -> Vec<String> {
        let rows = csv_rows(&table, dialect).into_iter().skip(2);
        rows.map(|row| row[column].clone()).collect()
    };
    let kept = [
        "=\"00123\"",
        "=\"4600000000000\"",
        "=\"1E5\"",
        "=\"10-12\"",
        "'=1+1",
        "ABC-1",
        "=\"1;2\"",
        "=\"ИСТИНА\"",
    ];
    assert_eq!(shown(RUSSIAN, 2), kept);
    assert_eq!(shown(ENGLISH, 2), kept);
    assert_eq!(shown(CsvDialect::Machine, 2), codes);
    assert_eq!(shown(RUSSIAN, 3)[..2], ["=\"123456789012\"", "7"]);
    assert_eq!(shown(CsvDialect::Machine, 3)[..2], ["123456789012", "7"]);
    let days = Table::new(&worked_example(), &View::default()).unwrap();
    let shown = [RUSSIAN, ENGLISH, CsvDialect::Machine].map(|dialect| csv_rows(&days, dialect)[3][8].clone());
    assert_eq!(shown, ["13,1", "13.1", "13.1"]);
}

#[test]
fn a_workbook_has_the_sheets_merges_widths_and_frozen_rows() {
    let input = worked_example();
    let table = Table::new(&input, &View::default()).unwrap();
    let bytes = table.to_xlsx("Products").unwrap();
    let sheet = part(&bytes, "xl/worksheets/sheet1.xml");
    assert!(sheet.contains(r#"<pane ySplit="2" topLeftCell="A3" activePane="bottomLeft" state="frozen"/>"#));
    assert!(
        sheet.contains(r#"<row r="1" spans="1:21" ht="26.25" customHeight="1">"#),
        "35 pixels"
    );

    let planned = plan(&Current::default(), &input, &Options::default()).unwrap();
    let mut merges = Vec::new();
    let mut widths = Vec::new();
    for request in &planned.requests {
        match request {
            Request::MergeCells { range, .. } => {
                merges.push((range.start_column_index, range.end_column_index - 1));
            }
            Request::UpdateDimensionProperties {
                range, properties, ..
            } if range.dimension == sheet_layout::Dimension::Columns => {
                widths.extend((range.start_index..range.end_index).filter_map(|_| properties.pixel_size));
            }
            _ => {}
        }
    }
    let mut book = workbook(&table);
    let found = book.merge_cells_by_sheet_name("Products").unwrap();
    assert!(found.iter().all(|merge| (merge.start.0, merge.end.0) == (0, 0)));
    let found: Vec<_> = found.iter().map(|merge| (merge.start.1, merge.end.1)).collect();
    assert_eq!(found, merges);
    // A width counts digits of the default font, which are 7 pixels wide.
    let mut in_pixels = Vec::new();
    for column in sheet.split("<col ").skip(1) {
        let number = |name: &str| -> f64 {
            let (_, rest) = column.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        let same = (number("max") - number("min")) as usize + 1;
        in_pixels.extend(std::iter::repeat_n((number("width") * 7.0).round() as u32, same));
    }
    assert_eq!(in_pixels, widths);
}

#[test]
fn a_workbook_colours_low_totals_and_formats_numbers_and_days() {
    let mut input = worked_example();
    input.products[1].cells = Vec::new();
    input.facts.insert(
        Arc::clone(&input.products[0].key),
        ProductFacts {
            stock_out_on: NaiveDate::from_ymd_opt(2026, 12, 4),
            days_of_stock: Some(Tenths(140)),
            ..ProductFacts::default()
        },
    );
    let view = View {
        low_stock: Some(LowStock {
            below_units: None,
            below_days: Some(15),
        }),
        extra_columns: BTreeSet::from([ExtraField::StockOutOn, ExtraField::DaysOfStock]),
        ..View::default()
    };
    let table = Table::new(&input, &view).unwrap();
    let bytes = table.to_xlsx("Products").unwrap();
    let styles = part(&bytes, "xl/styles.xml");
    for wanted in ["FF667DEB", "FFFFCCCC", "FFFFF2B3", "dd.mm.yyyy", "#,##0", "0.0"] {
        assert!(styles.contains(wanted), "{wanted} in {styles}");
    }
    assert_eq!(
        csv_rows(&table, CsvDialect::Machine)[2][9..11],
        ["14".to_owned(), "2026-12-04".to_owned()]
    );
    let mut book = workbook(&table);
    let sheet = book.worksheet_range("Products").unwrap();
    let day = sheet.get((2, 10)).unwrap();
    assert!(
        matches!(day, Data::DateTime(day) if (day.as_f64() - 46_360.0).abs() < 1e-9),
        "{day:?}"
    );
}

#[test]
fn the_same_table_gives_the_same_workbook() {
    let table = Table::new(&worked_example(), &View::default()).unwrap();
    assert_eq!(
        table.to_xlsx("Products").unwrap(),
        table.to_xlsx("Products").unwrap()
    );
}

#[test]
fn what_excel_does_not_hold_is_cut_or_refused_by_size() {
    let mut input = worked_example();
    input.products[0].brand = "я".repeat(40_000).into();
    let table = Table::new(&input, &View::default()).unwrap();
    let sheet = workbook(&table).worksheet_range("Products").unwrap();
    assert_eq!(sheet.get((2, 0)), Some(&Data::String("я".repeat(32_767))));
    assert_eq!(
        csv_rows(&table, CsvDialect::Machine)[2][0].chars().count(),
        40_000
    );

    input.warehouses = (0..6_000).map(|place| warehouse(&place.to_string())).collect();
    let wide = Table::new(&input, &View::default()).unwrap().to_xlsx("Products");
    assert!(
        matches!(
            wide,
            Err(ExportError::TooLarge {
                rows: 4,
                columns: 18_009
            })
        ),
        "{wide:?}"
    );
}

fn text() -> impl Strategy<Value = Arc<str>> {
    let piece = prop_oneof![
        3 => prop::sample::select(DANGEROUS.to_vec()).prop_map(String::from),
        2 => prop::sample::select(TRICKY.to_vec())
            .prop_map(str::to_owned),
        3 => "[a-zа-я0-9]{1,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| {
        // Not characters: no program has to keep them.
        let text: String = pieces.concat().replace(['\u{fffe}', '\u{ffff}'], "");
        text.into()
    })
}

fn input() -> impl Strategy<Value = SheetInput> {
    let number = prop_oneof![-50_i64..50, -9_000_000_000_i64..9_000_000_000];
    let row = (
        text(),
        text(),
        text(),
        number.clone(),
        number.clone(),
        prop::collection::vec((0_usize..3, number.clone(), -9_i64..40), 0..5),
    );
    let extra = (
        prop::option::of(number.clone()),
        prop::option::of(-100_i64..9_000),
        prop::option::of(0_i32..40_000),
    );
    (
        prop::collection::vec((row, extra), 0..5),
        prop::collection::vec(text(), 3),
        0_i64..3,
    )
        .prop_map(|(rows, names, unplaced)| {
            let mut input = SheetInput {
                warehouses: (names.into_iter().enumerate())
                    .map(|(place, name)| WarehouseColumn {
                        key: format!("w{place}").into(),
                        name,
                        ..WarehouseColumn::default()
                    })
                    .collect(),
                ..SheetInput::default()
            };
            for (id, ((brand, subject, vendor_code, to, from, cells), (orders, days, day))) in (1..).zip(rows)
            {
                let product = ProductRow {
                    brand,
                    subject,
                    vendor_code,
                    in_way_to_client: to,
                    in_way_from_client: from,
                    orders_without_warehouse: unplaced,
                    ..product(id, &cells)
                };
                let facts = ProductFacts {
                    orders_28: orders,
                    days_of_stock: days.map(Tenths),
                    stock_out_on: day.and_then(NaiveDate::from_epoch_days),
                    ..ProductFacts::default()
                };
                input.facts.insert(Arc::clone(&product.key), facts);
                input.products.push(product);
            }
            input
        })
}

/// What a cell reads like in CSV.
fn in_csv(cell: &Cell, kind: Kind) -> String {
    match cell {
        Cell::Int(serial) if kind == Kind::Date => {
            let first = NaiveDate::from_ymd_opt(1899, 12, 30).unwrap();
            (first + chrono::TimeDelta::days(*serial)).to_string()
        }
        other => other.to_string(),
    }
}

fn is_in_workbook(found: Option<&Data>, cell: &Cell) -> bool {
    let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-9 * wanted.abs().max(1.0);
    match (found, cell) {
        (None | Some(Data::Empty), Cell::Empty) => true,
        (Some(Data::String(found)), Cell::Text(text)) => *found == **text,
        (Some(Data::Float(found)), Cell::Int(wanted)) => close(*found, *wanted as f64),
        (Some(Data::Float(found)), Cell::Tenths(wanted)) => close(*found, *wanted as f64 / 10.0),
        (Some(Data::DateTime(found)), Cell::Int(wanted)) => close(found.as_f64(), *wanted as f64),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_exporter_shows_the_grid_and_no_formula(
        input in input(),
        extras in prop::collection::btree_set(prop::sample::select(ExtraField::ALL.to_vec()), 0..4),
        hide_empty_warehouses in any::<bool>(),
        number_formats in any::<bool>(),
    ) {
        let view = View { extra_columns: extras, hide_empty_warehouses, number_formats, ..View::default() };
        let table = Table::new(&input, &view).unwrap();
        let rows: Vec<&[Cell]> = table.rows().collect();

        let options = Options { view, ..Options::default() };
        let body = plan(&Current::default(), &input, &options).unwrap().to_json().unwrap();
        let mut sheet = Model::default();
        sheet.apply(&body);
        prop_assert_eq!(sheet.width(), table.columns().len());
        let csv = csv_rows(&table, CsvDialect::Machine);
        let guarded = csv_rows(&table, RUSSIAN);
        prop_assert_eq!((csv.len(), guarded.len()), (rows.len(), rows.len()));
        let mut book = workbook(&table);
        let formulas = book.worksheet_formula("Products").unwrap();
        prop_assert!(formulas.used_cells().next().is_none(), "{:?}", formulas);
        let book = book.worksheet_range("Products").unwrap();

        for (row, cells) in rows.iter().enumerate() {
            prop_assert_eq!(csv[row].len(), cells.len());
            for (column, (cell, key)) in cells.iter().zip(table.columns()).enumerate() {
                let place = (u32::try_from(row).unwrap(), u32::try_from(column).unwrap());
                prop_assert_eq!(sheet.value(row, column).cloned(), json(cell));
                let kind = if row < 2 { Kind::Text } else { key.kind() };
                prop_assert_eq!(&csv[row][column], &in_csv(cell, kind));
                let shown = &guarded[row][column];
                match cell {
                    Cell::Text(text) if text.starts_with(DANGEROUS) => {
                        prop_assert_eq!(shown, &format!("'{}", &**text));
                    }
                    Cell::Text(text) => {
                        let literal = format!("=\"{}\"", text.replace('"', "\"\""));
                        prop_assert!(shown == &**text || *shown == literal, "{:?} is {}", cell, shown);
                        prop_assert!(*shown == literal || !shown.starts_with(DANGEROUS));
                    }
                    Cell::Tenths(_) => prop_assert_eq!(shown, &in_csv(cell, kind).replace('.', ",")),
                    _ => prop_assert_eq!(shown.trim_matches(['=', '"']), in_csv(cell, kind)),
                }
                let found = book.get_value(place);
                prop_assert!(is_in_workbook(found, cell), "{:?} is {:?} in the workbook", cell, found);
            }
        }
    }
}
