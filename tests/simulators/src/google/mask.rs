//! Field masks: which parts of an answer are wanted, which parts of a resource an update may touch.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A tree of field names; a node without children stands for everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mask {
    children: BTreeMap<String, Mask>,
    everything: bool,
}

impl Mask {
    /// The mask `*`.
    pub(crate) fn everything() -> Self {
        Self {
            children: BTreeMap::new(),
            everything: true,
        }
    }

    /// Parses `a.b,c(d,e/f)`; `None` if brackets do not match or nothing is named.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut mask = Self::default();
        let mut rest = text.trim();
        mask.read_list(&mut rest)?;
        (rest.is_empty() && (mask.everything || !mask.children.is_empty())).then_some(mask)
    }

    fn read_list(&mut self, rest: &mut &str) -> Option<()> {
        loop {
            self.read_path(rest)?;
            match rest.strip_prefix(',') {
                Some(after) => *rest = after.trim_start(),
                None => return Some(()),
            }
        }
    }

    fn read_path(&mut self, rest: &mut &str) -> Option<()> {
        let end = rest.find(['.', '/', ',', '(', ')']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let name = name.trim();
        if name.is_empty() {
            return None;
        }
        *rest = after;
        if name == "*" {
            self.everything = true;
            return Some(());
        }
        let child = self.children.entry(name.to_owned()).or_default();
        if let Some(after) = rest.strip_prefix(['.', '/']) {
            *rest = after;
            return child.read_path(rest);
        }
        if let Some(after) = rest.strip_prefix('(') {
            *rest = after;
            child.read_list(rest)?;
            *rest = rest.strip_prefix(')')?;
            return Some(());
        }
        child.everything = true;
        Some(())
    }

    /// Whether the mask stands for everything from here.
    pub(crate) fn is_everything(&self) -> bool {
        self.everything
    }

    /// The mask of a field, if the field is wanted at all.
    pub(crate) fn get(&self, name: &str) -> Option<Self> {
        if self.everything {
            Some(Self::everything())
        } else {
            self.children.get(name).cloned()
        }
    }

    /// Whether any part of the dotted path is wanted.
    pub(crate) fn touches(&self, path: &str) -> bool {
        let mut mask = self.clone();
        for name in path.split('.') {
            match mask.get(name) {
                Some(next) => mask = next,
                None => return false,
            }
        }
        true
    }

    /// Names at the top of the mask.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.children.keys().map(String::as_str)
    }

    /// Where `from` is named, `to` is named as well: two fields that are one.
    pub(crate) fn pair(&mut self, one: &str, two: &str) {
        for (from, to) in [(one, two), (two, one)] {
            if let Some(mask) = self.children.get(from).cloned()
                && !self.children.contains_key(to)
            {
                // Both hold the same colour in different nesting, so the twin is always taken whole.
                let twin = Self {
                    everything: true,
                    ..mask
                };
                self.children.insert(to.to_owned(), twin);
            }
        }
    }

    /// Applies [`Mask::pair`] to a child.
    pub(crate) fn pair_in(&mut self, child: &str, one: &str, two: &str) {
        if let Some(mask) = self.children.get_mut(child) {
            mask.pair(one, two);
        }
    }

    /// Keeps only what is wanted; lists are looked through.
    pub(crate) fn filter(&self, value: Value) -> Value {
        if self.everything {
            return value;
        }
        match value {
            Value::Array(list) => Value::Array(list.into_iter().map(|item| self.filter(item)).collect()),
            Value::Object(fields) => Value::Object(
                fields
                    .into_iter()
                    .filter_map(|(name, value)| {
                        self.children.get(&name).map(|mask| (name, mask.filter(value)))
                    })
                    .collect(),
            ),
            other => other,
        }
    }

    /// Writes the masked parts of `source` over `target`; a part that `source` lacks is removed.
    pub(crate) fn merge(&self, target: &mut Value, source: &Value) {
        if self.everything {
            *target = source.clone();
            return;
        }
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        let Value::Object(fields) = target else { return };
        for (name, mask) in &self.children {
            let part = source.get(name).unwrap_or(&Value::Null);
            if mask.everything {
                if part.is_null() {
                    fields.remove(name);
                } else {
                    fields.insert(name.clone(), part.clone());
                }
                continue;
            }
            let slot = fields.entry(name.clone()).or_insert(Value::Null);
            mask.merge(slot, part);
            if slot.as_object().is_some_and(Map::is_empty) {
                fields.remove(name);
            }
        }
    }
}
