//! Brand and kind of a product. The catalogue gives neither: it names the kind by ids of the tree of
//! categories, and the brand is one of the product's attributes. Both only decorate, so they may take neither
//! time nor numbers from anything else: whatever fails here leaves a card without them, and what was known of
//! it before holds.
//!
//! Pages: <https://docs.ozon.ru/api/seller/#operation/ProductAPI_GetProductAttributesV4> and
//! `#operation/DescriptionCategoryAPI_GetTree`. Few questions are needed: attributes only of products whose
//! card changed since they were read, 1000 a question, and the tree once a day for all cabinets of a process.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::client::Ozon;
use super::limits::Group;
use super::wire::{self, AttributesRequest, Filter, Int, Language};
use crate::error::CallError;
use crate::marketplace::{Card, CardPart};
use crate::payload::GOODS;

const ATTRIBUTES: &str = "POST /v4/product/info/attributes";
const TREE: &str = "POST /v1/description-category/tree";

/// Attributes that name the brand: `Бренд`, and `Бренд в одежде и обуви`.
const BRANDS: [i64; 2] = [85, 31];
/// What is said where an answer failed.
const BRANDS_LOST: &str = "the brands could not be read; the known ones hold";
/// The same of the tree.
const NAMES_LOST: &str = "the categories could not be read; the known ones hold";
/// Brands that a process remembers; beyond it, cabinets that were not asked for longest are forgotten.
const MOST: usize = 500_000;

/// The ids by which a product's brand and kind are found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    pub(super) product_id: i64,
    pub(super) type_id: i64,
    pub(super) category_id: i64,
    pub(super) updated_at: Option<DateTime<Utc>>,
}

/// Names of the tree by their ids.
#[derive(Debug, Default)]
struct Names {
    types: HashMap<i64, Arc<str>>,
    categories: HashMap<i64, Arc<str>>,
}

impl Names {
    fn add(&mut self, branch: wire::Branch) {
        let name = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Arc::from);
        if let (Some(Int(id)), Some(name)) = (branch.type_id, name(branch.type_name)) {
            self.types.insert(id, name);
        }
        if let (Some(Int(id)), Some(name)) = (branch.description_category_id, name(branch.category_name)) {
            self.categories.insert(id, name);
        }
        for child in branch.children.into_iter().flatten() {
            self.add(child);
        }
    }

    /// The type, which is what a seller calls the kind of a thing; else the category above it.
    fn kind(&self, ids: &Ids) -> Option<&Arc<str>> {
        // Without a type a product is of no kind that is known: its category would be another word.
        let category = || self.categories.get(&ids.category_id).filter(|_| ids.type_id > 0);
        self.types.get(&ids.type_id).or_else(category)
    }
}

/// What was read of one product's attributes.
#[derive(Debug, Clone)]
struct Brand {
    /// The card's time of change when it was read.
    updated_at: Option<DateTime<Utc>>,
    read_at: Instant,
    /// None where no attribute names one.
    name: Option<Arc<str>>,
}

#[derive(Debug)]
struct Cabinet {
    asked_at: Instant,
    brands: HashMap<i64, Brand>,
}

/// What this process remembers of brands and kinds, so that they are asked for rarely.
#[derive(Debug, Default)]
pub(super) struct Memory {
    names: Mutex<Option<(Instant, Arc<Names>)>>,
    cabinets: Mutex<HashMap<u64, Cabinet>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    fn names(&self) -> Option<(Instant, Arc<Names>)> {
        lock(&self.names).clone()
    }

    fn keep_names(&self, names: Names) {
        *lock(&self.names) = Some((Instant::now(), Arc::new(names)));
    }

    /// Brands of these products that are young enough and of the card as it is now.
    fn brands(&self, client_id: u64, wanted: &[Ids], age: Duration) -> HashMap<i64, Option<Arc<str>>> {
        let mut cabinets = lock(&self.cabinets);
        let Some(cabinet) = cabinets.get_mut(&client_id) else {
            return HashMap::new();
        };
        cabinet.asked_at = Instant::now();
        let known = wanted.iter().filter_map(|ids| {
            let brand = cabinet.brands.get(&ids.product_id)?;
            let holds = brand.updated_at == ids.updated_at && brand.read_at.elapsed() < age;
            holds.then(|| (ids.product_id, brand.name.clone()))
        });
        known.collect()
    }

    fn keep_brands(&self, client_id: u64, brands: HashMap<i64, Brand>) {
        let mut cabinets = lock(&self.cabinets);
        let cabinet = cabinets.entry(client_id).or_insert_with(|| Cabinet {
            asked_at: Instant::now(),
            brands: HashMap::new(),
        });
        cabinet.brands.extend(brands);
        cabinet.asked_at = Instant::now();
        let mut all: usize = cabinets.values().map(|cabinet| cabinet.brands.len()).sum();
        while all > MOST {
            let others = cabinets.iter().filter(|(id, _)| **id != client_id);
            let Some(oldest) = others
                .min_by_key(|(_, cabinet)| cabinet.asked_at)
                .map(|(id, _)| *id)
            else {
                return;
            };
            all -= cabinets.remove(&oldest).map_or(0, |cabinet| cabinet.brands.len());
        }
    }

    /// Products that are in the catalogue no more are forgotten.
    fn keep_only(&self, client_id: u64, listed: &[Ids]) {
        if let Some(cabinet) = lock(&self.cabinets).get_mut(&client_id) {
            let listed: HashSet<i64> = listed.iter().map(|ids| ids.product_id).collect();
            cabinet.brands.retain(|id, _| listed.contains(id));
        }
    }
}

/// Brands and kinds of one catalogue, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Described {
    brands: HashMap<i64, Option<Arc<str>>>,
    names: Option<Arc<Names>>,
    /// What could not be read.
    pub(super) trouble: Option<&'static str>,
}

impl Described {
    /// The card with its brand and kind; a part that is not known stays unreported.
    pub(super) fn put_into(&self, card: &mut Card, ids: &Ids) {
        if let Some(Some(brand)) = self.brands.get(&ids.product_id) {
            card.brand = brand.to_string();
            card.unreported.retain(|part| *part != CardPart::Brand);
        }
        if let Some(kind) = self.names.as_ref().and_then(|names| names.kind(ids)) {
            card.subject = kind.to_string();
            card.unreported.retain(|part| *part != CardPart::Subject);
        }
    }
}

impl Ozon {
    /// Brands and kinds of these products, from memory as far as it goes. Never fails and never takes longer
    /// than [`Options::description_time`](super::Options::description_time).
    pub(super) async fn described(&self, products: &[Ids], whole: bool) -> Described {
        let (memory, client_id) = (&self.account.memory, self.credential.client_id());
        if whole {
            memory.keep_only(client_id, products);
        }
        let both = async { tokio::join!(self.read_brands(products), self.read_names()) };
        let trouble = match tokio::time::timeout(self.options.description_time, both).await {
            Ok((brands, names)) => said(brands, BRANDS_LOST).or(said(names, NAMES_LOST)),
            Err(_elapsed) => Some("brands and categories did not come in time; the known ones hold"),
        };
        Described {
            // However old: its card has not changed since.
            brands: memory.brands(client_id, products, Duration::MAX),
            names: memory.names().map(|(_, names)| names),
            trouble,
        }
    }

    /// Reads what is not remembered, page by page; says whether products were left out.
    async fn read_brands(&self, products: &[Ids]) -> Result<Option<&'static str>, CallError> {
        let (memory, client_id) = (&self.account.memory, self.credential.client_id());
        let known = memory.brands(client_id, products, self.options.description_age);
        let unknown: HashMap<i64, Ids> = products
            .iter()
            .filter(|ids| !known.contains_key(&ids.product_id))
            .map(|ids| (ids.product_id, *ids))
            .collect();
        if unknown.is_empty() {
            return Ok(None);
        }
        let mut missing = false;
        let mut wanted: Vec<String> = unknown.keys().map(i64::to_string).collect();
        wanted.sort_unstable();
        let mut tally = self.tally("ozon.brands", GOODS);
        for batch in wanted.chunks(self.options.description_page.clamp(1, 1000)) {
            let request = AttributesRequest {
                filter: Filter {
                    product_id: batch,
                    visibility: "ALL",
                },
                limit: batch.len(),
                last_id: "",
                sort_dir: "ASC",
            };
            let reply = self.ask(Group::Attributes, ATTRIBUTES, &request).await?;
            let (rows, count) =
                wire::attributes(&reply.body).map_err(|failure| CallError::new(ATTRIBUTES, failure))?;
            tally.page(&reply.body, count, reply.date());
            let read: HashMap<i64, Brand> = rows
                .into_iter()
                .filter_map(|row| {
                    let ids = unknown.get(&row.id.0)?;
                    let brand = Brand {
                        updated_at: ids.updated_at,
                        read_at: Instant::now(),
                        name: brand(&row),
                    };
                    Some((ids.product_id, brand))
                })
                .collect();
            missing |= read.len() < batch.len();
            memory.keep_brands(client_id, read);
        }
        drop(tally.finish("ozon.brands"));
        Ok(missing.then_some("the attributes of a product could not be read; its known brand holds"))
    }

    /// Reads the tree where the one that is remembered is too old. Its names change so rarely that the old
    /// one serves as long as no new one comes.
    async fn read_names(&self) -> Result<Option<&'static str>, CallError> {
        let memory = &self.account.memory;
        let young = |read_at: &Instant| read_at.elapsed() < self.options.description_age;
        if memory.names().is_some_and(|(read_at, _)| young(&read_at)) {
            return Ok(None);
        }
        let request = Language { language: "DEFAULT" };
        let reply = self.ask(Group::Categories, TREE, &request).await?;
        let (branches, count) = wire::tree(&reply.body).map_err(|failure| CallError::new(TREE, failure))?;
        let mut tally = self.tally("ozon.categories", GOODS);
        tally.page(&reply.body, count, reply.date());
        drop(tally.finish("ozon.categories"));
        let mut names = Names::default();
        branches.into_iter().for_each(|branch| names.add(branch));
        // A tree without a single type is no tree.
        if names.types.is_empty() {
            return Ok(Some(NAMES_LOST));
        }
        memory.keep_names(names);
        Ok(None)
    }
}

/// The first brand that is not empty.
fn brand(row: &wire::ProductAttributes) -> Option<Arc<str>> {
    BRANDS.iter().find_map(|brand| {
        let named = row.attributes.iter().filter(|attribute| attribute.id.0 == *brand);
        let mut values = named.flat_map(|attribute| &attribute.values);
        let value = values.find_map(|value| value.value.as_deref().filter(|text| !text.trim().is_empty()))?;
        Some(Arc::from(value.trim()))
    })
}

/// Says what could not be read.
fn said(read: Result<Option<&'static str>, CallError>, lost: &'static str) -> Option<&'static str> {
    read.unwrap_or_else(|error| {
        tracing::info!(
            class = error.class().as_str(),
            "a decoration of cards was not read"
        );
        Some(lost)
    })
}

#[cfg(test)]
mod tests {
    use super::{Ids, Names, brand};
    use crate::ozon::wire;
    use crate::ozon::wire::samples;

    #[test]
    fn the_brand_is_one_of_two_attributes_and_never_an_empty_text() {
        let (rows, count) = wire::attributes(samples::ATTRIBUTES.as_bytes()).unwrap();
        assert_eq!((rows.len(), count), (3, 4), "a row that is none is left out");
        let brands: Vec<Option<String>> = rows
            .iter()
            .map(|row| brand(row).map(|name| name.to_string()))
            .collect();
        assert_eq!(
            brands,
            [Some("Samsung".to_owned()), Some("Твое".to_owned()), None]
        );
    }

    #[test]
    fn the_kind_is_the_type_and_the_category_where_the_tree_lacks_the_type() {
        let (branches, _) = wire::tree(samples::TREE.as_bytes()).unwrap();
        let mut names = Names::default();
        branches.into_iter().for_each(|branch| names.add(branch));
        let kind = |type_id, category_id| {
            let ids = Ids {
                product_id: 1,
                type_id,
                category_id,
                updated_at: None,
            };
            names.kind(&ids).map(ToString::to_string)
        };
        assert_eq!(kind(92_912, 17_028_650).as_deref(), Some("Очки защитные"));
        assert_eq!(kind(1, 17_028_650).as_deref(), Some("Средства защиты"));
        assert_eq!(kind(1, 2), None);
        assert_eq!(kind(0, 17_028_650), None, "a row that tells no type");
    }
}
