//! A spreadsheet as its owner reads it, by the titles above the columns, compared with what the API says.

use std::collections::BTreeMap;

use serde_json::Value;
use support::eventually;

use crate::seller::{PATIENCE, Seller, number, text};
use crate::world::World;

const WORKSHEET: &str = "Products";
/// Block of orders that name no warehouse.
const UNPLACED: &str = "Без склада";

/// Waits until the seller's spreadsheet shows every number of these products, and nothing of any other.
pub(crate) async fn shows(world: &World, seller: &Seller, products: &[Value]) {
    eventually("the spreadsheet to show the products", PATIENCE, || async {
        let grid = world
            .google
            .grid(&seller.spreadsheet, WORKSHEET)
            .ok_or("there is no worksheet")?;
        compare(&grid, products)
    })
    .await;
}

/// Where the columns are.
struct Columns {
    base: BTreeMap<String, usize>,
    /// Warehouse to its columns of stock and orders.
    warehouses: BTreeMap<String, (usize, usize)>,
}

fn columns(grid: &[Vec<Value>]) -> Result<Columns, String> {
    let [groups, titles, ..] = grid else {
        return Err(format!("no header in {grid:?}"));
    };
    let mut columns = Columns {
        base: BTreeMap::new(),
        warehouses: BTreeMap::new(),
    };
    let mut group = String::new();
    for (at, title) in titles.iter().enumerate() {
        if let Some(name) = groups
            .get(at)
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        {
            name.clone_into(&mut group);
        }
        match title.as_str() {
            Some("Остатки") => drop(columns.warehouses.insert(group.clone(), (at, at + 1))),
            Some("Заказы" | "Оборач.") | None => {}
            Some(title) => drop(columns.base.insert(title.to_owned(), at)),
        }
    }
    Ok(columns)
}

/// An empty cell is no number; 0 has to be written.
fn cell(row: &[Value], at: usize) -> Result<i64, String> {
    match row.get(at).and_then(Value::as_f64) {
        #[expect(clippy::cast_possible_truncation, reason = "units are small whole numbers")]
        Some(number) if number.fract() == 0.0 => Ok(number as i64),
        _ => Err(format!("no whole number in column {at} of {row:?}")),
    }
}

fn compare(grid: &[Vec<Value>], products: &[Value]) -> Result<(), String> {
    let columns = columns(grid)?;
    let base = |name: &str| {
        columns
            .base
            .get(name)
            .copied()
            .ok_or_else(|| format!("no column `{name}`"))
    };
    let (article, stock, orders) = (
        base("Артикул товара (nmid)")?,
        base("Остатки (всего)")?,
        base("Заказы (всего)")?,
    );
    let (to_client, from_client) = (base("В пути до покупателя")?, base("В пути конв. на склад WB")?);
    let mut rows = BTreeMap::new();
    for row in &grid[2..] {
        let nm_id = cell(row, article)?;
        if rows.insert(nm_id, row).is_some() {
            return Err(format!("two rows of {nm_id}"));
        }
    }
    for product in products {
        let nm_id = number(product, "marketplace_article");
        let row = rows.remove(&nm_id).ok_or_else(|| format!("no row of {nm_id}"))?;
        let wanted = [
            (stock, "total_stock"),
            (orders, "total_orders"),
            (to_client, "in_way_to_client"),
            (from_client, "in_way_from_client"),
        ];
        for (at, name) in wanted {
            equal(nm_id, name, cell(row, at)?, number(product, name))?;
        }
        let mut sums = (0, 0);
        for (stock, orders) in columns.warehouses.values() {
            sums = (sums.0 + cell(row, *stock)?, sums.1 + cell(row, *orders)?);
        }
        equal(
            nm_id,
            "sum of stock over warehouses",
            sums.0,
            number(product, "total_stock"),
        )?;
        equal(
            nm_id,
            "sum of orders over warehouses",
            sums.1,
            number(product, "total_orders"),
        )?;
        compare_warehouses(&columns, row, nm_id, product)?;
    }
    // A product that left the catalogue keeps its row, with nothing in it.
    for (nm_id, row) in rows {
        equal(nm_id, "stock of what is delisted", cell(row, stock)?, 0)?;
    }
    Ok(())
}

fn compare_warehouses(columns: &Columns, row: &[Value], nm_id: i64, product: &Value) -> Result<(), String> {
    let mut left = columns.warehouses.clone();
    let unplaced = left.remove(UNPLACED);
    let mut nowhere = 0;
    for level in product["warehouse_data"].as_array().unwrap() {
        let (name, orders) = (text(level, "name"), number(&level["orders"], "last_7"));
        // A name that both marketplaces use stands with Ozon's word behind it.
        let own = (text(product, "marketplace") == "ozon").then(|| left.remove(&format!("{name} (Ozon)")));
        match own.flatten().or_else(|| left.remove(name)) {
            Some((at_stock, at_orders)) => {
                equal(nm_id, name, cell(row, at_stock)?, number(level, "stock"))?;
                equal(nm_id, name, cell(row, at_orders)?, orders)?;
            }
            None => {
                equal(nm_id, "stock without a column", 0, number(level, "stock"))?;
                nowhere += orders;
            }
        }
    }
    if let Some((at_stock, at_orders)) = unplaced {
        equal(nm_id, "stock nowhere", cell(row, at_stock)?, 0)?;
        equal(nm_id, "orders nowhere", cell(row, at_orders)?, nowhere)?;
    }
    for (name, (stock, _)) in left {
        equal(nm_id, &name, cell(row, stock)?, 0)?;
    }
    Ok(())
}

fn equal(nm_id: i64, what: &str, shown: i64, wanted: i64) -> Result<(), String> {
    if shown == wanted {
        Ok(())
    } else {
        Err(format!(
            "{what} of {nm_id}: the sheet shows {shown}, wanted {wanted}"
        ))
    }
}
