//! The grid of the original system's worked example, and the exact requests that make it.

use std::fmt::Write;

use sheet_layout::{Current, Options, Request, initial_columns, plan, render_rows};

use crate::model::Model;
use crate::world::{World, worked_example};

fn letters(mut column: usize) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, char::from(b'A' + u8::try_from(column % 26).unwrap()));
        if column < 26 {
            return name;
        }
        column = column / 26 - 1;
    }
}

fn picture(model: &Model) -> String {
    let mut text = String::new();
    for (row, cells) in model.cells.iter().enumerate() {
        let values: Vec<String> = cells
            .iter()
            .map(|cell| match &cell.value {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            })
            .collect();
        writeln!(text, "{}|{}", row + 1, values.join("|")).unwrap();
    }
    for merge in &model.merges {
        let (start, end) = (
            letters(merge.start_column_index as usize),
            letters(merge.end_column_index as usize - 1),
        );
        writeln!(
            text,
            "merge {start}{}:{end}{}",
            merge.start_row_index + 1,
            merge.end_row_index
        )
        .unwrap();
    }
    for (row, cells) in model.cells.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            if let Some(note) = &cell.note {
                writeln!(text, "note {}{}: {note:?}", letters(column), row + 1).unwrap();
            }
        }
    }
    let thick: Vec<String> = (0..model.width())
        .filter(|column| model.cells.iter().all(|row| row[*column].thick_right))
        .map(letters)
        .collect();
    writeln!(text, "thick lines right of {}", thick.join(" ")).unwrap();
    let under: Vec<String> = (0..model.cells.len())
        .filter(|row| model.cells[*row].iter().all(|cell| cell.thick_bottom))
        .map(|row| (row + 1).to_string())
        .collect();
    writeln!(text, "thick lines under {}", under.join(" ")).unwrap();
    let widths: Vec<String> = model
        .widths
        .iter()
        .map(|(column, width)| format!("{}{width}", letters(*column)))
        .collect();
    writeln!(text, "widths {}", widths.join(" ")).unwrap();
    text
}

#[test]
fn the_worked_example_looks_as_sellers_know_it() {
    let mut world = World::default();
    world.sync(&worked_example());
    insta::assert_snapshot!(picture(&world.model));
}

#[test]
fn the_first_write_asks_for_exactly_this() {
    let planned = plan(&Current::default(), &worked_example(), &Options::default()).unwrap();
    let lines: Vec<String> = planned
        .requests
        .iter()
        .map(|request: &Request| serde_json::to_string(request).unwrap())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn one_changed_number_asks_for_its_cells_only() {
    let mut world = World::default();
    let mut input = worked_example();
    world.sync(&input);
    input.products[1].cells[0].1 = 149;
    let planned = world.sync(&input);
    insta::assert_snapshot!(String::from_utf8(planned.to_json().unwrap()).unwrap());
}

#[test]
fn rendered_rows_are_the_grid_without_a_sheet() {
    let input = worked_example();
    let rows = render_rows(&input, &initial_columns(&input)).unwrap();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join("|"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
