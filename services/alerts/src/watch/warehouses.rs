//! The warehouses of a cabinet: their names, which of them are one and the same, and which are left out.
//! The rules are those of the read model's views `warehouse_aliases` and `excluded_keys`, so that the
//! policy counts what the API shows.

use std::collections::{BTreeSet, HashMap};

use events::product::Fulfilment;
use serde::{Deserialize, Serialize};

/// Number of a warehouse inside its cabinet, in the order in which they were seen.
pub(super) type Index = u32;

/// One key and what is known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Warehouse {
    #[serde(rename = "k")]
    pub(super) key: String,
    /// The present name; stock is believed before orders.
    #[serde(rename = "n")]
    pub(super) name: String,
    /// Former names that stock told, without the present one.
    #[serde(rename = "o", default, skip_serializing_if = "BTreeSet::is_empty")]
    former: BTreeSet<String>,
    #[serde(rename = "f")]
    fulfilment: Fulfilment,
    /// Whether stock was told of it, or orders only.
    #[serde(rename = "s")]
    in_stock: bool,
}

impl Warehouse {
    /// Keys are `<fulfilment>:<what the marketplace tells>`; the connector names the masked one.
    fn is_masked(&self) -> bool {
        let rest = self.key.split_once(':').map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest == "masked" || rest.starts_with("masked:"))
    }

    /// The name that a key is made of, where the marketplace told nothing else.
    fn name_in_key(&self) -> Option<&str> {
        let rest = self.key.strip_prefix(self.fulfilment.as_str())?;
        rest.strip_prefix(":name:").filter(|_| !self.is_masked())
    }

    fn had_name(&self, name: &str) -> bool {
        self.name == name || self.former.contains(name)
    }
}

/// All of a cabinet.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub(super) struct Warehouses {
    all: Vec<Warehouse>,
    /// Keys that the seller left out, as they were told.
    left_out: BTreeSet<String>,
    index: HashMap<String, Index>,
    /// Worked out when asked for; none after a change.
    views: Option<Views>,
}

/// What is stored of them; the rest is worked out.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(rename = "w")]
    all: Vec<Warehouse>,
    #[serde(rename = "x", default, skip_serializing_if = "BTreeSet::is_empty")]
    left_out: BTreeSet<String>,
}

impl From<Kept> for Warehouses {
    fn from(kept: Kept) -> Self {
        let keys = (0..).zip(&kept.all).map(|(at, one)| (one.key.clone(), at));
        Self {
            index: keys.collect(),
            all: kept.all,
            left_out: kept.left_out,
            views: None,
        }
    }
}

impl From<Warehouses> for Kept {
    fn from(all: Warehouses) -> Self {
        Self {
            all: all.all,
            left_out: all.left_out,
        }
    }
}

/// What follows from the names.
#[derive(Debug, Clone, Default)]
pub(super) struct Views {
    /// The warehouse that each key stands for, where it is another one.
    resolved: Vec<Option<Index>>,
    /// Whether what is told under a key is left out.
    excluded: Vec<bool>,
}

impl Views {
    /// The warehouse that a key stands for: itself, or the one with its id.
    pub(super) fn of(&self, at: Index) -> Index {
        self.alias(at).unwrap_or(at)
    }

    /// The warehouse that a key stands for, where it is another one.
    pub(super) fn alias(&self, at: Index) -> Option<Index> {
        usize::try_from(at).ok().and_then(|at| *self.resolved.get(at)?)
    }

    /// Whether what is told under a key is left out of what can be sold.
    pub(super) fn is_excluded(&self, at: Index) -> bool {
        let found = usize::try_from(at).ok().and_then(|at| self.excluded.get(at));
        found.copied().unwrap_or(false)
    }
}

impl Warehouses {
    /// Takes a sighting in, by stock or by an order.
    pub(super) fn see(&mut self, key: &str, name: &str, fulfilment: Fulfilment, in_stock: bool) -> Index {
        let found = (self.index.get(key).copied())
            .and_then(|at| Some((at, self.all.get_mut(usize::try_from(at).ok()?)?)));
        let Some((at, known)) = found else {
            let at = Index::try_from(self.all.len()).unwrap_or(Index::MAX);
            self.all.push(Warehouse {
                key: key.to_owned(),
                name: name.to_owned(),
                former: BTreeSet::new(),
                fulfilment,
                in_stock,
            });
            self.index.insert(key.to_owned(), at);
            self.views = None;
            return at;
        };
        // What stock tells of a name is not overruled by orders.
        if in_stock >= known.in_stock && (known.name != name || known.in_stock != in_stock) {
            let before = std::mem::replace(&mut known.name, name.to_owned());
            if known.in_stock && before != name {
                known.former.insert(before);
            }
            known.former.remove(name);
            known.in_stock = in_stock;
            known.fulfilment = fulfilment;
            self.views = None;
        }
        at
    }

    /// Leaves a key out of what can be sold, or takes it in again.
    pub(super) fn leave_out(&mut self, key: &str, left_out: bool) {
        if left_out {
            self.left_out.insert(key.to_owned());
        } else {
            self.left_out.remove(key);
        }
        self.views = None;
    }

    /// The number of a key, if it was seen.
    pub(super) fn find(&self, key: &str) -> Option<Index> {
        self.index.get(key).copied()
    }

    /// Key and name of a warehouse.
    pub(super) fn get(&self, at: Index) -> Option<&Warehouse> {
        self.all.get(usize::try_from(at).ok()?)
    }

    /// Whether other units may be left out than at the last look, because names or exclusions changed.
    pub(super) fn count_anew(&self) -> bool {
        self.views.is_none() && !self.left_out.is_empty()
    }

    /// What follows from the names as they are now.
    pub(super) fn views(&mut self) -> Views {
        if let Some(views) = &self.views {
            return views.clone();
        }
        let resolved: Vec<Option<Index>> = self.all.iter().map(|one| self.resolved(one)).collect();
        let mut views = Views {
            excluded: vec![false; resolved.len()],
            resolved,
        };
        let out = self.left_out.iter().filter_map(|key| self.find(key));
        let out: BTreeSet<Index> = out.map(|at| views.of(at)).collect();
        let excluded = (0..)
            .zip(&views.resolved)
            .map(|(at, alias)| out.contains(&alias.unwrap_or(at)));
        views.excluded = excluded.collect();
        self.views = Some(views.clone());
        views
    }

    /// The one warehouse with an id that has the name of a key: its present name decides, then a former one.
    fn resolved(&self, one: &Warehouse) -> Option<Index> {
        let name = one.name_in_key()?;
        let candidates = (0..).zip(&self.all).filter(|(_, other)| {
            other.fulfilment == one.fulfilment
                && other.in_stock
                && !other.is_masked()
                && !other.key.contains(":name:")
                && other.had_name(name)
        });
        let candidates: Vec<(Index, &Warehouse)> = candidates.collect();
        let present = candidates.iter().filter(|(_, other)| other.name == name);
        let present: Vec<Index> = present.map(|(at, _)| *at).collect();
        match (present.as_slice(), candidates.as_slice()) {
            ([at], _) | (_, [(at, _)]) => Some(*at),
            _ => None,
        }
    }
}
