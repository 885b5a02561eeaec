//! Which warehouses share a group of columns, under which key and title.
//!
//! A key is unique inside a marketplace, so two cabinets of it share the columns of a warehouse. A warehouse
//! that was told by its name first and by an id later keeps the group that it had, for there may be formulas
//! on it. Titles differ: whoever reads two groups of one name cannot know which is which.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use read_models::inventory::queries::{Exclusion, NOWHERE, SheetCell, SheetProduct, SheetRows, Warehouse};
use sheet_layout::{Language, UNPLACED_NAME, WarehouseColumn};
use uuid::Uuid;

use crate::left_out;

/// Orders that name no warehouse have a key that ends like this; see the worker's `compose`.
const NAMELESS: &str = ":name:";
/// Keys of this marketplace stand in sheets as they are.
const FIRST_MARKETPLACE: &str = "wildberries";
/// Names that a remark lists; a note is no list of all warehouses.
const MOST_NAMES: usize = 5;

/// The groups of columns, and where the cells of each cabinet's warehouses are.
pub(crate) struct Columns {
    pub(crate) list: Vec<WarehouseColumn>,
    index: HashMap<Uuid, HashMap<String, usize>>,
    /// Names of warehouses from which there are orders and of which no stock was ever told.
    orders_only: Vec<String>,
    /// By cabinet, the groups whose units are no part of its totals.
    uncounted: HashMap<Uuid, Arc<[usize]>>,
    /// What is left out of the totals, for the note.
    left_out: Vec<left_out::Group>,
}

/// A group before it has its title.
struct Group {
    key: String,
    name: String,
    marketplace: String,
    fulfilment: String,
    /// Told by its name alone, and never with stock.
    orders_only: bool,
    /// In which cabinets it is left out of the totals, and why. A cabinet may have it under two keys.
    exclusions: Vec<(Uuid, Exclusion)>,
    /// Cabinets that have it.
    cabinets: BTreeSet<Uuid>,
}

impl Columns {
    pub(crate) fn of(rows: &SheetRows, language: Language) -> Self {
        let marketplaces: HashMap<Uuid, &str> = rows
            .products
            .iter()
            .map(|product| (product.cabinet_id, product.marketplace.as_str()))
            .collect();
        let used = used(rows);
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<(String, String), usize> = HashMap::new();
        let mut index: HashMap<Uuid, HashMap<String, usize>> = HashMap::new();
        for warehouse in &rows.warehouses {
            let is_used = used.contains(&(warehouse.cabinet_id, warehouse.warehouse.as_str()));
            if warehouse.warehouse.ends_with(NAMELESS) && !warehouse.in_stock
                || warehouse.warehouse.ends_with(NOWHERE) && !is_used
            {
                continue;
            }
            let marketplace = marketplaces
                .get(&warehouse.cabinet_id)
                .copied()
                .unwrap_or(FIRST_MARKETPLACE);
            let one = warehouse.same_as.as_ref().unwrap_or(&warehouse.warehouse);
            let place = *places
                .entry((marketplace.to_owned(), one.clone()))
                .or_insert_with(|| {
                    groups.push(Group::of(warehouse, marketplace));
                    groups.len() - 1
                });
            if let Some(group) = groups.get_mut(place) {
                group.mark(warehouse);
            }
            if let Some(group) = groups.get_mut(place)
                && warehouse.same_as.is_none()
            {
                // The key is that of the first sighting, the name the present one.
                group.name.clone_from(&warehouse.name);
                group.orders_only &= !warehouse.in_stock;
            }
            index
                .entry(warehouse.cabinet_id)
                .or_default()
                .insert(warehouse.warehouse.clone(), place);
        }
        let titles = titles(&groups, language);
        let uncounted = uncounted(&groups);
        let excluded = |group: &Group| left_out::reasons(&group.exclusions, &group.cabinets, language);
        let left_out = (groups.iter().zip(&titles).enumerate())
            .filter(|(_, (group, _))| !group.exclusions.is_empty())
            .map(|(place, (group, title))| left_out::Group {
                name: title.clone(),
                units: units_left_out(rows, &index, &uncounted, place),
                reasons: excluded(group),
            })
            .collect();
        Self {
            uncounted,
            left_out,
            orders_only: groups
                .iter()
                .filter(|group| group.orders_only)
                .map(|group| group.name.clone())
                .collect(),
            list: groups
                .into_iter()
                .zip(titles)
                .map(|(group, title)| WarehouseColumn {
                    left_out: left_out::reasons(&group.exclusions, &group.cabinets, language).into(),
                    key: group.key.into(),
                    name: title.into(),
                })
                .collect(),
            index,
        }
    }

    /// Cells in their columns, and the orders of those that have none.
    pub(crate) fn cells(&self, product: &SheetProduct, told: &[SheetCell]) -> (Vec<(usize, i64, i64)>, i64) {
        let places = self.index.get(&product.cabinet_id);
        let mut cells = Vec::with_capacity(told.len());
        let mut without_column = 0_i64;
        for cell in told {
            match places.and_then(|places| places.get(&cell.warehouse)) {
                Some(place) => cells.push((*place, cell.available, cell.orders_last_7)),
                None => without_column = without_column.saturating_add(cell.orders_last_7),
            }
        }
        (cells, without_column)
    }

    /// The groups whose units are no part of a product's totals.
    pub(crate) fn uncounted(&self, product: &SheetProduct) -> Arc<[usize]> {
        self.uncounted
            .get(&product.cabinet_id)
            .cloned()
            .unwrap_or_default()
    }

    /// Says what is left out of the totals.
    pub(crate) fn left_out(&self, language: Language) -> Vec<String> {
        left_out::lines(&self.left_out, language)
    }

    /// Says which groups have orders alone: a warehouse that is sold out, or one that is called otherwise
    /// where its stock is told.
    pub(crate) fn remark(&self, language: Language) -> Option<String> {
        let (first, rest) = self
            .orders_only
            .split_at_checked(MOST_NAMES)
            .unwrap_or((&self.orders_only, &[]));
        let names = first.join(", ");
        let more = if rest.is_empty() { "" } else { ", …" };
        let text = match language {
            Language::Russian => "Только заказы, остатков под этим названием не было",
            Language::English => "Orders only, stock was never reported under this name",
        };
        (!first.is_empty()).then(|| format!("{text}: {names}{more}"))
    }
}

impl Group {
    fn of(warehouse: &Warehouse, marketplace: &str) -> Self {
        let key = &warehouse.warehouse;
        Self {
            key: match marketplace {
                FIRST_MARKETPLACE => key.clone(),
                other => format!("{other}:{key}"),
            },
            name: warehouse.name.clone(),
            marketplace: marketplace.to_owned(),
            fulfilment: warehouse.fulfilment.clone(),
            orders_only: !warehouse.in_stock && key.contains(NAMELESS),
            exclusions: Vec::new(),
            cabinets: BTreeSet::new(),
        }
    }

    fn mark(&mut self, warehouse: &Warehouse) {
        let cabinet = warehouse.cabinet_id;
        self.cabinets.insert(cabinet);
        let known = self.exclusions.iter().any(|(of, _)| *of == cabinet);
        if let Some(exclusion) = warehouse.excluded.as_ref().filter(|_| !known) {
            self.exclusions.push((cabinet, exclusion.clone()));
        }
    }

    /// The id in its key, or what stands for it.
    fn id(&self) -> &str {
        self.key.rsplit(':').next().unwrap_or(&self.key)
    }
}

/// By cabinet, the groups that are left out of its totals.
fn uncounted(groups: &[Group]) -> HashMap<Uuid, Arc<[usize]>> {
    let mut places: HashMap<Uuid, Vec<usize>> = HashMap::new();
    for (place, group) in groups.iter().enumerate() {
        for (cabinet, _) in &group.exclusions {
            places.entry(*cabinet).or_default().push(place);
        }
    }
    let shared = places
        .into_iter()
        .map(|(cabinet, places)| (cabinet, places.into()));
    shared.collect()
}

/// Units of listed products in a group that are no part of their totals.
fn units_left_out(
    rows: &SheetRows,
    index: &HashMap<Uuid, HashMap<String, usize>>,
    uncounted: &HashMap<Uuid, Arc<[usize]>>,
    group: usize,
) -> i64 {
    let is_left_out = |product: &&SheetProduct| {
        let places = uncounted.get(&product.cabinet_id);
        !product.delisted && places.is_some_and(|places| places.contains(&group))
    };
    let mut units = 0_i64;
    for product in rows.products.iter().filter(is_left_out) {
        let places = index.get(&product.cabinet_id);
        let there = |cell: &&SheetCell| places.and_then(|places| places.get(&cell.warehouse)) == Some(&group);
        for cell in product.cells.iter().filter(there) {
            units = units.saturating_add(cell.available);
        }
    }
    units
}

/// Warehouses with units or orders of a listed product.
fn used(rows: &SheetRows) -> HashSet<(Uuid, &str)> {
    let listed = rows.products.iter().filter(|product| !product.delisted);
    listed
        .flat_map(|product| {
            let cells = product.cells.iter();
            cells
                .filter(|cell| cell.available != 0 || cell.orders_last_7 != 0)
                .map(|cell| (product.cabinet_id, cell.warehouse.as_str()))
        })
        .collect()
}

/// Titles that differ from each other. A name that several groups have is marked with what tells them apart,
/// from the plainest mark to the last resort: the marketplace, the seller's own warehouse, orders alone, the
/// id.
fn titles(groups: &[Group], language: Language) -> Vec<String> {
    let mut titles: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    let orders_only = match language {
        Language::Russian => "только заказы",
        Language::English => "orders only",
    };
    let is_ozon = |group: &Group| group.marketplace == "ozon";
    let is_own = |group: &Group| group.fulfilment == "fbs";
    mark(&mut titles, groups, |group, others| {
        let differs = is_ozon(group) && others.iter().any(|other| !is_ozon(other));
        differs.then(|| "Ozon".to_owned())
    });
    mark(&mut titles, groups, |group, others| {
        let differs = is_own(group) && others.iter().any(|other| !is_own(other));
        differs.then(|| "FBS".to_owned())
    });
    mark(&mut titles, groups, |group, _| {
        group.orders_only.then(|| orders_only.to_owned())
    });
    mark(&mut titles, groups, |group, _| Some(format!("ID {}", group.id())));
    mark(&mut titles, groups, |group, _| Some(group.key.clone()));
    titles
}

/// Adds a mark to titles that are not alone; `marking` is given a group and those that have the same title.
fn mark(titles: &mut [String], groups: &[Group], marking: impl Fn(&Group, &[&Group]) -> Option<String>) {
    let mut same: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, title) in titles.iter().enumerate() {
        same.entry(title.clone()).or_default().push(place);
    }
    for places in same.into_values() {
        let is_taken = |place: &usize| titles.get(*place).is_some_and(|title| title == UNPLACED_NAME);
        if places.len() < 2 && !places.iter().any(is_taken) {
            continue;
        }
        for place in &places {
            let others: Vec<&Group> = (places.iter())
                .filter(|other| *other != place)
                .filter_map(|other| groups.get(*other))
                .collect();
            let (Some(group), Some(title)) = (groups.get(*place), titles.get_mut(*place)) else {
                continue;
            };
            if let Some(text) = marking(group, &others) {
                *title = format!("{title} ({text})");
            }
        }
    }
}

#[cfg(test)]
mod tests;
