//! Turns products into rows of cells for any order of columns: the one place that knows what a column shows,
//! used by the plan, by exports and by tests.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cell::Cell;
use crate::column::{BaseField, ColumnKey, ExtraField, WarehouseField, warehouse_code};
use crate::input::{LayoutError, ProductFacts, ProductRow, SheetInput, UNPLACED_KEY};
use crate::shown::Shown;
use crate::view::View;
use measures::turnover;

/// Where a column's number comes from, resolved once so that a million cells cost no look-up.
#[derive(Clone, Copy)]
enum Source {
    Base(BaseField),
    Size,
    Extra(ExtraField),
    /// Index into the input's warehouses, the block for orders without one behind them.
    Warehouse(usize, WarehouseField),
    /// A warehouse that vanished.
    Vanished(WarehouseField),
}

pub(crate) struct Renderer<'i> {
    input: &'i SheetInput,
    sources: Vec<Source>,
    available: Vec<i64>,
    orders: Vec<i64>,
}

impl<'i> Renderer<'i> {
    pub(crate) fn new<'a>(input: &'i SheetInput, columns: impl IntoIterator<Item = &'a ColumnKey>) -> Self {
        let count = input.warehouses.len();
        let mut index_of: HashMap<Arc<str>, usize> = input
            .warehouses
            .iter()
            .enumerate()
            .map(|(index, warehouse)| (warehouse_code(&warehouse.key), index))
            .collect();
        index_of.insert(warehouse_code(UNPLACED_KEY), count);
        let source = |column: &ColumnKey| match column {
            ColumnKey::Base(field) => Source::Base(*field),
            ColumnKey::Size => Source::Size,
            ColumnKey::Extra(field) => Source::Extra(*field),
            ColumnKey::Warehouse(key, field) => match index_of.get(key) {
                Some(index) => Source::Warehouse(*index, *field),
                None => Source::Vanished(*field),
            },
        };
        Self {
            input,
            sources: columns.into_iter().map(source).collect(),
            available: vec![0; count + 1],
            orders: vec![0; count + 1],
        }
    }

    /// Appends one product's cells.
    pub(crate) fn product(&mut self, product: &ProductRow, out: &mut Vec<Cell>) -> Result<(), LayoutError> {
        self.available.fill(0);
        self.orders.fill(0);
        let totals = self
            .sum(product)
            .ok_or_else(|| LayoutError::Overflow(Arc::clone(&product.key)))?;
        let (available, orders) = totals;
        let facts = self.input.facts.get(&product.key);
        for source in &self.sources {
            out.push(match source {
                Source::Base(BaseField::Brand) => Cell::text(&product.brand),
                Source::Base(BaseField::Subject) => Cell::text(&product.subject),
                Source::Base(BaseField::VendorCode) => Cell::text(&product.vendor_code),
                Source::Base(BaseField::NmId) => Cell::Int(product.nm_id),
                Source::Base(BaseField::InWayToClient) => Cell::Int(product.in_way_to_client),
                Source::Base(BaseField::InWayFromClient) => Cell::Int(product.in_way_from_client),
                Source::Base(BaseField::OrdersTotal) => Cell::Int(orders),
                Source::Base(BaseField::AvailableTotal) => Cell::Int(available),
                Source::Base(BaseField::Turnover) => Cell::days(turnover(available, orders)),
                Source::Size => Cell::text(&product.size),
                Source::Extra(field) => extra(*field, facts),
                Source::Warehouse(index, field) => {
                    let units = self.available.get(*index).copied().unwrap_or_default();
                    let ordered = self.orders.get(*index).copied().unwrap_or_default();
                    match field {
                        WarehouseField::Stock => Cell::Int(units),
                        WarehouseField::Orders => Cell::Int(ordered),
                        WarehouseField::Turnover => Cell::days(turnover(units, ordered)),
                    }
                }
                Source::Vanished(field) => zero(*field == WarehouseField::Turnover),
            });
        }
        Ok(())
    }

    /// Fills the per-warehouse numbers; `(available, orders)` over all warehouses, without the units of those
    /// that do not count, `None` on overflow.
    fn sum(&mut self, product: &ProductRow) -> Option<(i64, i64)> {
        let mut orders_total = product.orders_without_warehouse;
        let mut available_total: i64 = 0;
        *self.orders.last_mut()? = orders_total;
        for (index, available, orders) in &product.cells {
            let units = self.available.get_mut(*index)?;
            *units = units.checked_add(*available)?;
            let ordered = self.orders.get_mut(*index)?;
            *ordered = ordered.checked_add(*orders)?;
            if !product.uncounted.contains(index) {
                available_total = available_total.checked_add(*available)?;
            }
            orders_total = orders_total.checked_add(*orders)?;
        }
        Some((available_total, orders_total))
    }

    /// Appends the cells of a delisted product: its identity as it was written, its numbers zero.
    pub(crate) fn delisted(&self, identity: impl Fn(usize) -> Cell, out: &mut Vec<Cell>) {
        for (column, source) in self.sources.iter().enumerate() {
            out.push(match source {
                Source::Base(
                    BaseField::Brand | BaseField::Subject | BaseField::VendorCode | BaseField::NmId,
                )
                | Source::Size => identity(column),
                Source::Extra(field) => zero(!matches!(field, ExtraField::Orders14 | ExtraField::Orders28)),
                Source::Base(field) => zero(*field == BaseField::Turnover),
                Source::Warehouse(_, field) | Source::Vanished(field) => {
                    zero(*field == WarehouseField::Turnover)
                }
            });
        }
    }
}

fn extra(field: ExtraField, facts: Option<&ProductFacts>) -> Cell {
    let Some(facts) = facts else {
        return Cell::Empty;
    };
    match field {
        ExtraField::Orders14 => facts.orders_14.map_or(Cell::Empty, Cell::Int),
        ExtraField::Orders28 => facts.orders_28.map_or(Cell::Empty, Cell::Int),
        ExtraField::DaysOfStock => Cell::days(facts.days_of_stock),
        ExtraField::StockOutOn => Cell::day(facts.stock_out_on),
    }
}

const fn zero(days: bool) -> Cell {
    if days { Cell::Empty } else { Cell::Int(0) }
}

/// The columns of a first write in the default view: the base columns, then the warehouses by name in
/// code-point order (equal names by key).
#[must_use]
pub fn initial_columns(input: &SheetInput) -> Vec<ColumnKey> {
    let view = View::default();
    let all = Shown {
        input,
        view: &view,
        products: input.products.iter().collect(),
    };
    all.initial_columns()
}

/// The grid in the default view as plain rows: group titles (in the first column of each group), field
/// titles, then the products in the given order.
///
/// # Errors
/// [`LayoutError`] where the input contradicts itself.
pub fn render_rows(input: &SheetInput, columns: &[ColumnKey]) -> Result<Vec<Vec<Cell>>, LayoutError> {
    let view = View::default();
    let cells = Shown::new(input, &view)?.cells(columns)?;
    Ok(cells.chunks(columns.len().max(1)).map(<[Cell]>::to_vec).collect())
}
