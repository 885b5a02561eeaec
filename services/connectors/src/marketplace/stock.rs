//! Stock of a whole account in a compact form: three hundred thousand levels are a table of warehouses and a
//! short vector per product, not three hundred thousand copies of a warehouse's name.

use std::collections::{BTreeSet, HashMap};

use super::figures::{Bucket, BucketUnits, Cluster, SizeLabel, SizeUnits, Turnover, TurnoverFigures};

/// Key of the one warehouse that stands for all masked ones.
pub const MASKED_KEY: &str = "fbo:masked";
/// Its name, ours: the marketplace uses a different one in each of its reports.
pub const MASKED_NAME: &str = "Склад WB (РФ)";

/// Whose warehouse it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fulfilment {
    /// The marketplace's.
    Fbo,
    /// The seller's.
    Fbs,
}

impl Fulfilment {
    /// Stable word for events and keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fbo => "fbo",
            Self::Fbs => "fbs",
        }
    }
}

/// A warehouse and how it is recognised again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarehouseRef {
    /// Stable key: `fbo:<id>`, `fbs:<id>`, [`MASKED_KEY`], or `fbo:name:<exact name>` where the source gives
    /// no id. A `name:` key is no second warehouse: the caller resolves it to the id it knows for that exact
    /// name, and only keeps it while it knows none.
    pub key: String,
    /// Name as the source gives it.
    pub name: String,
    /// Whose it is.
    pub fulfilment: Fulfilment,
    /// True for the one that stands for all masked warehouses.
    pub masked: bool,
    /// Region, where the source names it.
    pub region: Option<String>,
}

impl WarehouseRef {
    /// A warehouse with an id.
    #[must_use]
    pub fn with_id(id: i64, name: impl Into<String>, fulfilment: Fulfilment, region: Option<String>) -> Self {
        let key = format!("{}:{id}", fulfilment.as_str());
        Self {
            key,
            name: name.into(),
            fulfilment,
            masked: false,
            region,
        }
    }

    /// A warehouse of which only the name is known; a masked name becomes the one masked warehouse.
    #[must_use]
    pub fn named(name: &str, fulfilment: Fulfilment) -> Self {
        if fulfilment == Fulfilment::Fbo && crate::wildberries::is_masked_name(name) {
            return Self::masked();
        }
        let key = format!("{}:name:{name}", fulfilment.as_str());
        Self {
            key,
            name: name.to_owned(),
            fulfilment,
            masked: false,
            region: None,
        }
    }

    /// The one that stands for all masked warehouses.
    #[must_use]
    pub fn masked() -> Self {
        Self {
            key: MASKED_KEY.to_owned(),
            name: MASKED_NAME.to_owned(),
            fulfilment: Fulfilment::Fbo,
            masked: true,
            region: None,
        }
    }
}

/// A size and the product it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeRef {
    /// The marketplace's id of the size.
    pub chrt_id: u64,
    /// The marketplace's article.
    pub nm_id: i64,
}

/// Units of one product at one warehouse, all sizes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockLevel {
    /// Index into [`StockSnapshot::warehouses`].
    pub warehouse: u32,
    /// Units that can be sold.
    pub available: i64,
    /// Units on the way to buyers; zero where the source knows it only per product.
    pub in_way_to_client: i64,
    /// Units on the way back; zero where the source knows it only per product.
    pub in_way_from_client: i64,
}

/// Units of one product that are on the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InWay {
    /// To buyers.
    pub to_client: i64,
    /// Back from buyers.
    pub from_client: i64,
}

/// One product's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductStock {
    /// The marketplace's article.
    pub nm_id: i64,
    /// Levels by warehouse index, each warehouse once.
    pub levels: Vec<StockLevel>,
    /// What is on the road where the source knows it per product only.
    pub in_way: InWay,
    /// Units that are neither for sale nor on the road to or from buyers, by warehouse and bucket, zeros left
    /// out. Empty for sources that know only one kind of stock.
    pub buckets: Vec<BucketUnits>,
    /// The units for sale by warehouse and size, zeros left out. Empty for sources that know no sizes.
    pub sizes: Vec<SizeUnits>,
    /// Warehouses, ascending, whose level was told and could not be read: it has no entry in the fields
    /// above and is not zero either; the last known one holds.
    pub unread: Vec<u32>,
    /// True when a row of the product could not be read and does not say at which warehouse. Then nothing is
    /// known of any of its levels: the fields above are empty, and what is absent is not zero.
    pub torn: bool,
}

impl ProductStock {
    /// Units that can be sold, over all warehouses.
    #[must_use]
    pub fn available(&self) -> i64 {
        self.levels.iter().map(|level| level.available).sum()
    }

    /// Units on the road, whichever way the source counts them.
    #[must_use]
    pub fn in_way_total(&self) -> InWay {
        self.levels.iter().fold(self.in_way, |sum, level| InWay {
            to_client: sum.to_client + level.in_way_to_client,
            from_client: sum.from_client + level.in_way_from_client,
        })
    }
}

/// One level with its warehouse, for those who prefer rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockLevelObservation<'a> {
    /// The marketplace's article.
    pub nm_id: i64,
    /// Where.
    pub warehouse: &'a WarehouseRef,
    /// How much.
    pub level: StockLevel,
}

/// Stock of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StockSnapshot {
    /// Every warehouse that a level points to, and those that hold nothing but were named.
    pub warehouses: Vec<WarehouseRef>,
    /// Products by article, ascending.
    pub products: Vec<ProductStock>,
    /// Sizes that an entry of [`ProductStock::sizes`] points to.
    pub sizes: Vec<SizeLabel>,
    /// Clusters that a figure points to. Empty where the marketplace has none.
    pub clusters: Vec<Cluster>,
    /// The marketplace's own figures of turnover, by article and cluster, those over all clusters first.
    pub turnover: Vec<TurnoverFigures>,
}

impl StockSnapshot {
    /// Every level as a row.
    pub fn levels(&self) -> impl Iterator<Item = StockLevelObservation<'_>> {
        self.products.iter().flat_map(move |product| {
            product.levels.iter().filter_map(move |level| {
                let warehouse = self.warehouses.get(usize::try_from(level.warehouse).ok()?)?;
                Some(StockLevelObservation {
                    nm_id: product.nm_id,
                    warehouse,
                    level: *level,
                })
            })
        })
    }

    /// The marketplace's own figures of one product.
    #[must_use]
    pub fn turnover_of(&self, nm_id: i64) -> &[TurnoverFigures] {
        let first = self.turnover.partition_point(|row| row.nm_id < nm_id);
        let rest = self.turnover.get(first..).unwrap_or_default();
        let count = rest.partition_point(|row| row.nm_id == nm_id);
        rest.get(..count).unwrap_or_default()
    }

    /// Keys by exact name, to resolve the `name:` keys of sources that give no ids. Of several warehouses
    /// with one name none is listed: a guess would move stock.
    #[must_use]
    pub fn keys_by_name(&self) -> HashMap<&str, &str> {
        let mut keys: HashMap<&str, Option<&str>> = HashMap::new();
        for warehouse in &self.warehouses {
            keys.entry(&warehouse.name)
                .and_modify(|known| *known = known.filter(|key| *key == warehouse.key))
                .or_insert(Some(&warehouse.key));
        }
        keys.into_iter()
            .filter_map(|(name, key)| Some((name, key?)))
            .collect()
    }

    /// Keys of the warehouses whose level of this product was told and could not be read: the last known
    /// level holds there.
    pub fn unread_warehouses<'a>(&'a self, product: &'a ProductStock) -> impl Iterator<Item = &'a str> {
        product.unread.iter().filter_map(|index| {
            let warehouse = self.warehouses.get(usize::try_from(*index).ok()?)?;
            Some(warehouse.key.as_str())
        })
    }

    /// One product, if it has stock or was named.
    #[must_use]
    pub fn product(&self, nm_id: i64) -> Option<&ProductStock> {
        let index = self
            .products
            .binary_search_by_key(&nm_id, |product| product.nm_id)
            .ok()?;
        self.products.get(index)
    }
}

/// Numbers that are too large: not stock but a broken payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the units of article {nm_id} are more than can be")]
pub struct StockOverflow {
    /// The marketplace's article.
    pub nm_id: i64,
}

/// Sums rows of sizes into products while they arrive.
#[derive(Debug, Default)]
pub struct StockBuilder {
    warehouses: Vec<WarehouseRef>,
    by_key: HashMap<String, u32>,
    products: HashMap<i64, Gathered>,
    sizes: Vec<SizeLabel>,
    by_label: HashMap<SizeLabel, u32>,
    clusters: Vec<Cluster>,
    turnover: HashMap<(i64, Option<u32>), Turnover>,
}

/// One product while its rows arrive.
#[derive(Debug, Default)]
struct Gathered {
    levels: Vec<StockLevel>,
    in_way: InWay,
    buckets: Vec<BucketUnits>,
    sizes: Vec<SizeUnits>,
    unread: BTreeSet<u32>,
    torn: bool,
}

impl Gathered {
    /// Nothing is kept of what is known in part: a sum without one of its rows is a wrong number.
    fn finish(mut self, nm_id: i64) -> ProductStock {
        if self.torn {
            return ProductStock {
                nm_id,
                levels: Vec::new(),
                in_way: InWay::default(),
                buckets: Vec::new(),
                sizes: Vec::new(),
                unread: Vec::new(),
                torn: true,
            };
        }
        if !self.unread.is_empty() {
            let is_read = |warehouse: u32| !self.unread.contains(&warehouse);
            self.levels.retain(|level| is_read(level.warehouse));
            self.buckets.retain(|row| is_read(row.warehouse));
            self.sizes.retain(|row| is_read(row.warehouse));
        }
        self.levels.sort_unstable_by_key(|level| level.warehouse);
        self.levels.shrink_to_fit();
        self.buckets
            .sort_unstable_by_key(|row| (row.warehouse, row.bucket));
        self.buckets.shrink_to_fit();
        self.sizes.sort_unstable_by_key(|row| (row.warehouse, row.size));
        self.sizes.shrink_to_fit();
        ProductStock {
            nm_id,
            levels: self.levels,
            in_way: self.in_way,
            buckets: self.buckets,
            sizes: self.sizes,
            unread: self.unread.into_iter().collect(),
            torn: false,
        }
    }
}

impl StockBuilder {
    /// The index of a warehouse; the first one to use a key names it.
    pub fn warehouse(&mut self, warehouse: WarehouseRef) -> u32 {
        if let Some(index) = self.by_key.get(&warehouse.key) {
            return *index;
        }
        // No marketplace has four billion warehouses; a payload that claims so lands in the last one's sum.
        let index = u32::try_from(self.warehouses.len()).unwrap_or(u32::MAX);
        self.by_key.insert(warehouse.key.clone(), index);
        self.warehouses.push(warehouse);
        index
    }

    /// Adds the units of one size.
    ///
    /// # Errors
    /// When a sum does not fit 64 bits.
    pub fn add(&mut self, nm_id: i64, row: StockLevel) -> Result<(), StockOverflow> {
        let levels = &mut self.products.entry(nm_id).or_default().levels;
        let empty = StockLevel {
            available: 0,
            in_way_to_client: 0,
            in_way_from_client: 0,
            ..row
        };
        let at = levels
            .iter()
            .position(|level| level.warehouse == row.warehouse)
            .unwrap_or_else(|| {
                levels.push(empty);
                levels.len() - 1
            });
        let level = &mut levels[at];
        level.available = sum(nm_id, level.available, row.available)?;
        level.in_way_to_client = sum(nm_id, level.in_way_to_client, row.in_way_to_client)?;
        level.in_way_from_client = sum(nm_id, level.in_way_from_client, row.in_way_from_client)?;
        Ok(())
    }

    /// Says that a row of this product could not be read: at a warehouse whose level is unknown then, or,
    /// where not even that is known, anywhere.
    pub fn unread(&mut self, nm_id: i64, warehouse: Option<u32>) {
        let product = self.products.entry(nm_id).or_default();
        match warehouse {
            Some(warehouse) => drop(product.unread.insert(warehouse)),
            None => product.torn = true,
        }
    }

    /// Adds units on the road that belong to no warehouse. Naming a product with nothing on the road makes it
    /// known all the same.
    ///
    /// # Errors
    /// When a sum does not fit 64 bits.
    pub fn add_in_way(&mut self, nm_id: i64, row: InWay) -> Result<(), StockOverflow> {
        let in_way = &mut self.products.entry(nm_id).or_default().in_way;
        in_way.to_client = sum(nm_id, in_way.to_client, row.to_client)?;
        in_way.from_client = sum(nm_id, in_way.from_client, row.from_client)?;
        Ok(())
    }

    /// Adds units of another kind; zeros are not kept.
    ///
    /// # Errors
    /// When the number does not fit 32 bits.
    pub fn add_bucket(
        &mut self,
        nm_id: i64,
        warehouse: u32,
        bucket: Bucket,
        units: i64,
    ) -> Result<(), StockOverflow> {
        if units != 0 {
            let entry = BucketUnits {
                warehouse,
                units: small(nm_id, units)?,
                bucket,
            };
            self.products.entry(nm_id).or_default().buckets.push(entry);
        }
        Ok(())
    }

    /// Says how many of a level's units are of one size; the level itself is added apart. Zeros are not kept.
    ///
    /// # Errors
    /// When the number does not fit 32 bits.
    pub fn add_size(
        &mut self,
        nm_id: i64,
        warehouse: u32,
        label: SizeLabel,
        units: i64,
    ) -> Result<(), StockOverflow> {
        if units != 0 {
            let entry = SizeUnits {
                warehouse,
                size: self.size(label),
                units: small(nm_id, units)?,
            };
            self.products.entry(nm_id).or_default().sizes.push(entry);
        }
        Ok(())
    }

    fn size(&mut self, label: SizeLabel) -> u32 {
        if let Some(index) = self.by_label.get(&label) {
            return *index;
        }
        let index = u32::try_from(self.sizes.len()).unwrap_or(u32::MAX);
        self.by_label.insert(label.clone(), index);
        self.sizes.push(label);
        index
    }

    /// Keeps what the marketplace itself says of turnover, in a cluster or over all of them. Sources repeat
    /// it in every row; the first one holds, and nothing said is nothing kept.
    pub fn set_turnover(&mut self, nm_id: i64, cluster: Option<Cluster>, turnover: Turnover) {
        if turnover == Turnover::default() {
            return;
        }
        let cluster = cluster.map(|cluster| self.cluster(cluster));
        self.turnover.entry((nm_id, cluster)).or_insert(turnover);
    }

    fn cluster(&mut self, cluster: Cluster) -> u32 {
        let known = self.clusters.iter().position(|known| known.id == cluster.id);
        let index = known.unwrap_or_else(|| {
            self.clusters.push(cluster);
            self.clusters.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    /// The finished snapshot.
    #[must_use]
    pub fn finish(self) -> StockSnapshot {
        let mut turnover: Vec<TurnoverFigures> = self
            .turnover
            .into_iter()
            .map(|((nm_id, cluster), turnover)| TurnoverFigures {
                nm_id,
                cluster,
                turnover,
            })
            .collect();
        turnover.sort_unstable_by_key(|row| (row.nm_id, row.cluster));
        let mut products: Vec<ProductStock> = self
            .products
            .into_iter()
            .map(|(nm_id, gathered)| gathered.finish(nm_id))
            .collect();
        products.sort_unstable_by_key(|product| product.nm_id);
        StockSnapshot {
            warehouses: self.warehouses,
            products,
            sizes: self.sizes,
            clusters: self.clusters,
            turnover,
        }
    }
}

/// No warehouse holds two billion units of a product; a number that claims so is a broken payload.
fn small(nm_id: i64, units: i64) -> Result<i32, StockOverflow> {
    i32::try_from(units).map_err(|_beyond| StockOverflow { nm_id })
}

fn sum(nm_id: i64, a: i64, b: i64) -> Result<i64, StockOverflow> {
    // Far below the limit, so that totals over all warehouses fit as well.
    a.checked_add(b)
        .filter(|sum| sum.unsigned_abs() < 1 << 48)
        .ok_or(StockOverflow { nm_id })
}

#[cfg(test)]
mod tests;
