//! What laying out the largest promised sheet costs: the first write, a look that finds nothing to do, and a
//! sync's usual change. The plans are made in a process of their own, so that its memory is theirs.

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sheet_layout::{
    Current, Options, ProductRow, SheetInput, WarehouseColumn, initial_columns, plan, render_rows,
};

use crate::report::{Row, Target};
use crate::{Failure, Sizes, child};

/// Hidden command of the program.
pub const COMMAND: &str = "sheet-child";
/// Warehouses beside the articles.
const WAREHOUSES: usize = 100;
/// What was promised for a plan, and for the process that makes it.
const MOST_MS: f64 = 500.0;
const MOST_MB: f64 = 200.0;

/// What the child measured.
#[derive(Debug, Serialize, Deserialize)]
struct Plans {
    first_ms: f64,
    unchanged_ms: f64,
    changed_ms: f64,
    peak_mb: f64,
}

/// First plan, unchanged plan and plan of a change of 5 %, each beside rendering all cells once; then what
/// the bodies of whole batches cost, which the role never makes in one piece.
///
/// # Errors
/// When the input contradicts itself or the child fails.
pub(crate) fn run(sizes: &Sizes) -> Result<Vec<Row>, Failure> {
    let output = Command::new(child::program()?)
        .arg(COMMAND)
        .arg(sizes.sheet_rows.to_string())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let plans: Plans = serde_json::from_slice(&output.stdout)?;

    let input = input(sizes.sheet_rows, 0);
    let (rendering, rows) = timed(|| render_rows(&input, &initial_columns(&input)))?;
    drop(rows);
    let limit = "rendering every cell once, comparing nothing";
    // All warehouses at once, as without a bound on names.
    let options = Options {
        max_names: usize::MAX,
        ..Options::default()
    };
    let planned = plan(&Current::default(), &input, &options)?;
    let (encoding, body) = timed(|| planned.to_json())?;
    let current = Current {
        sheet: Some(planned.after),
    };
    let moved = self::input(sizes.sheet_rows, 20);
    let difference = plan(&current, &moved, &options)?;
    let (encoding_changed, body_changed) = timed(|| difference.to_json())?;
    let size = format!("{} products x {WAREHOUSES} warehouses", sizes.sheet_rows);
    let row = |name: &str, time: f64| Row::new(format!("sheet.{name}"), time, "ms").beside(rendering, limit);
    let promised = |name: &str, time: f64| row(name, time).target(Target::AtMost { figure: MOST_MS });
    Ok(vec![
        promised("first_plan", plans.first_ms).note(size.clone()),
        row("first_body", encoding).note(format!("{} bytes of JSON", body.len())),
        promised("unchanged_plan", plans.unchanged_ms),
        promised("changed_plan", plans.changed_ms).note("5 % of the products"),
        row("changed_body", encoding_changed).note(format!("{} bytes of JSON", body_changed.len())),
        Row::new("sheet.peak_memory", plans.peak_mb, "MB")
            .target(Target::AtMost { figure: MOST_MB })
            .note(format!("a process that makes all three plans, {size}")),
    ])
}

/// Makes the three plans, one after the other, and prints what they cost.
///
/// # Errors
/// When the input contradicts itself.
pub fn child(rows: usize) -> Result<String, Failure> {
    // All warehouses at once, as without a bound on names.
    let options = Options {
        max_names: usize::MAX,
        ..Options::default()
    };
    let (first_ms, planned) = {
        let input = input(rows, 0);
        timed(|| plan(&Current::default(), &input, &options))?
    };
    let current = Current {
        sheet: Some(planned.after),
    };
    drop(planned.requests);
    let unchanged_ms = {
        let input = input(rows, 0);
        let (unchanged_ms, nothing) = timed(|| plan(&current, &input, &options))?;
        if !nothing.is_empty() {
            return Err("a second plan of the same input wants something".into());
        }
        unchanged_ms
    };
    let moved = input(rows, 20);
    let (changed_ms, difference) = timed(|| plan(&current, &moved, &options))?;
    if difference.is_empty() {
        return Err("a plan of a change wants nothing".into());
    }
    Ok(serde_json::to_string(&Plans {
        first_ms,
        unchanged_ms,
        changed_ms,
        peak_mb: child::peak_megabytes(std::process::id())?,
    })?)
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
        ..WarehouseColumn::default()
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
