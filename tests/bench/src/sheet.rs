//! What laying out a large sheet costs: the first write, a look that finds nothing to do, and a sync's usual
//! change.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use sheet_layout::{
    Current, Options, ProductRow, SheetInput, WarehouseColumn, initial_columns, plan, render_rows,
};

use crate::report::Row;
use crate::{Failure, Sizes};

/// Warehouses beside the articles.
const WAREHOUSES: usize = 60;

/// First plan, unchanged plan and plan of a change of 5 %, each beside rendering all cells once.
///
/// # Errors
/// When the input contradicts itself.
pub(crate) fn run(sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let input = input(sizes.sheet_rows, 0);
    let (rendering, _) = timed(|| render_rows(&input, &initial_columns(&input)))?;
    let limit = "rendering every cell once, comparing nothing";
    let options = Options::default();
    let (first, planned) = timed(|| plan(&Current::default(), &input, &options))?;
    let (encoding, body) = timed(|| planned.to_json())?;
    let current = Current {
        sheet: Some(planned.after),
    };
    let (unchanged, nothing) = timed(|| plan(&current, &input, &options))?;
    if !nothing.is_empty() {
        return Err("a second plan of the same input wants something".into());
    }
    let moved = self::input(sizes.sheet_rows, 20);
    let (changed, difference) = timed(|| plan(&current, &moved, &options))?;
    let (encoding_changed, body_changed) = timed(|| difference.to_json())?;
    let size = format!("{} products x {WAREHOUSES} warehouses", sizes.sheet_rows);
    let row = |name: &str, time: f64| Row::new(format!("sheet.{name}"), time, "ms").beside(rendering, limit);
    Ok(vec![
        row("first_plan", first).note(size),
        row("first_body", encoding).note(format!("{} bytes of JSON", body.len())),
        row("unchanged_plan", unchanged),
        row("changed_plan", changed).note("5 % of the products"),
        row("changed_body", encoding_changed).note(format!("{} bytes of JSON", body_changed.len())),
    ])
}

fn timed<T, E: Into<Failure>>(work: impl FnOnce() -> Result<T, E>) -> Result<(f64, T), Failure> {
    let began = Instant::now();
    let done = black_box(work().map_err(Into::into)?);
    Ok((began.elapsed().as_secs_f64() * 1e3, done))
}

/// Every `changed_every`th product has other numbers; none for 0.
fn input(count: usize, changed_every: usize) -> SheetInput {
    let warehouses = (0..WAREHOUSES).map(|index| WarehouseColumn {
        key: format!("fbo:{index}").into(),
        name: format!("Склад {index:02}").into(),
    });
    let products = (0..count).map(|index| {
        let more = i64::from(changed_every > 0 && index % changed_every == 0);
        let amount = |warehouse: usize| ((index * 31 + warehouse * 17) % 211) as i64;
        ProductRow {
            key: Arc::from(format!("p{index}")),
            brand: "BrandA".into(),
            subject: "Платья".into(),
            vendor_code: format!("ST-{index:06}").into(),
            nm_id: 100_000_000 + index as i64,
            in_way_to_client: 3,
            in_way_from_client: 1,
            cells: (0..WAREHOUSES)
                .map(|warehouse| (warehouse, amount(warehouse) + more, amount(warehouse) % 9))
                .collect(),
            ..ProductRow::default()
        }
    });
    SheetInput {
        products: products.collect(),
        warehouses: warehouses.collect(),
        ..SheetInput::default()
    }
}
