//! Who may use whom. The table is data (`graph.toml`), so that the page about the architecture, the reviewer
//! and this rule read the same lines; it has to equal the manifests in both directions, or it would go stale.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};
use serde::Deserialize;

/// The table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Every crate of the workspace.
    #[serde(rename = "crate")]
    pub crates: Vec<Row>,
    /// Pairs that may not see each other even through others.
    pub wall: Vec<Wall>,
    /// Packages that few crates may use.
    pub only: Vec<Only>,
    /// Crates without I/O.
    pub pure: Pure,
}

/// One crate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name, which is also the name of its folder.
    pub name: String,
    /// Which level it is on. It uses lower ones only.
    pub tier: u8,
    /// Crates it uses; `*` where it may use any, which only tests may.
    pub uses: Vec<String>,
    /// Crates that only its tests use.
    #[serde(default)]
    pub tests_use: Vec<String>,
}

impl Row {
    fn is_free(&self) -> bool {
        self.tier == TESTS && self.uses == ["*"]
    }
}

/// Two crates between which no way may lead.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wall {
    /// Who may not reach.
    pub from: String,
    /// What may not be reached.
    pub to: Vec<String>,
    /// Why.
    pub reason: String,
}

/// A package from outside that few crates may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// The packages.
    pub packages: Vec<String>,
    /// Crates whose product code may use them.
    pub crates: Vec<String>,
    /// Crates whose tests may use them, beside the crates above; `*` for all.
    pub tests: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Crates that may be run by anybody, anywhere, at any time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pure {
    /// Which.
    pub crates: Vec<String>,
    /// Packages (or their first words) that do I/O, wait, or look at a clock.
    pub without: Vec<String>,
}

/// One dependency of one crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Who uses.
    pub from: String,
    /// What is used.
    pub to: String,
    /// Whether only tests use it.
    pub tests_only: bool,
}

impl Edge {
    /// A dependency.
    #[must_use]
    pub fn new(from: &str, to: &str, tests_only: bool) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            tests_only,
        }
    }
}

/// The real workspace.
#[derive(Debug, Clone, Default)]
pub struct Reality {
    /// Crates and their folders.
    pub folders: BTreeMap<String, String>,
    /// Dependencies on each other.
    pub inside: Vec<Edge>,
    /// Dependencies on packages from outside.
    pub outside: Vec<Edge>,
}

impl Reality {
    /// Asks cargo.
    ///
    /// # Errors
    /// When cargo does not understand the manifests.
    pub fn read(root: &std::path::Path) -> Result<Self, cargo_metadata::Error> {
        let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
        let names: BTreeSet<&str> = metadata.packages.iter().map(|p| p.name.as_str()).collect();
        let mut reality = Self::default();
        for package in &metadata.packages {
            let folder = package.manifest_path.parent().map(ToString::to_string);
            let folder = folder.unwrap_or_default();
            reality.folders.insert(package.name.to_string(), folder);
            for dependency in &package.dependencies {
                let tests_only = dependency.kind == DependencyKind::Development;
                let edge = Edge::new(package.name.as_str(), &dependency.name, tests_only);
                if names.contains(dependency.name.as_str()) {
                    reality.inside.push(edge);
                } else {
                    reality.outside.push(edge);
                }
            }
        }
        Ok(reality)
    }
}

/// The table and the manifests name the same crates and edges.
#[must_use]
pub fn differences(table: &Table, reality: &Reality) -> Vec<String> {
    let mut complaints = Vec::new();
    let rows: BTreeSet<&str> = table.crates.iter().map(|row| row.name.as_str()).collect();
    for (name, folder) in &reality.folders {
        if !rows.contains(name.as_str()) {
            complaints.push(format!("crate {name} has no row in tests/tidy/graph.toml"));
        }
        if !folder.ends_with(&format!("/{name}")) {
            complaints.push(format!(
                "crate {name} lies in {folder}: a folder is named like its crate"
            ));
        }
    }
    for row in &table.crates {
        if !reality.folders.contains_key(&row.name) {
            complaints.push(format!(
                "tests/tidy/graph.toml has a row for {}, which does not exist",
                row.name
            ));
        }
    }
    let real: BTreeSet<Edge> = reality.inside.iter().cloned().collect();
    let told: BTreeSet<Edge> = edges(table).collect();
    let free: BTreeSet<&str> = table
        .crates
        .iter()
        .filter(|row| row.is_free())
        .map(|row| row.name.as_str())
        .collect();
    for edge in real
        .difference(&told)
        .filter(|edge| !free.contains(edge.from.as_str()))
    {
        complaints.push(format!(
            "{} uses {}{}, which graph.toml does not list: find another way, or change table and page",
            edge.from,
            edge.to,
            in_tests(edge)
        ));
    }
    for edge in told.difference(&real) {
        complaints.push(format!(
            "graph.toml says that {} uses {}{}, but its manifest does not",
            edge.from,
            edge.to,
            in_tests(edge)
        ));
    }
    complaints
}

/// Every edge goes down. The crates of the highest tier are tests, which may be used by tests of any crate.
#[must_use]
pub fn upward_edges(table: &Table) -> Vec<String> {
    let tiers: BTreeMap<&str, u8> = table
        .crates
        .iter()
        .map(|row| (row.name.as_str(), row.tier))
        .collect();
    let mut complaints = Vec::new();
    for edge in edges(table) {
        let (Some(from), Some(to)) = (tiers.get(edge.from.as_str()), tiers.get(edge.to.as_str())) else {
            complaints.push(format!("{} or {} has no tier", edge.from, edge.to));
            continue;
        };
        let test_help = edge.tests_only && *to == TESTS;
        if to >= from && !test_help && *from != TESTS {
            complaints.push(format!(
                "{} (tier {from}) uses {} (tier {to}): edges go down",
                edge.from, edge.to
            ));
        }
        if *to == TESTS && *from != TESTS && !edge.tests_only {
            complaints.push(format!(
                "{} uses {}, which is for tests, in the product",
                edge.from, edge.to
            ));
        }
    }
    complaints
}

/// No way leads through a wall, however many crates it passes.
#[must_use]
pub fn broken_walls(table: &Table, reality: &Reality) -> Vec<String> {
    let mut complaints = Vec::new();
    for wall in &table.wall {
        if !reality.folders.contains_key(&wall.from) {
            complaints.push(format!(
                "a wall stands before {}, which does not exist",
                wall.from
            ));
        }
        for way in ways(&wall.from, reality) {
            let Some(end) = way.last() else { continue };
            if wall.to.contains(end) {
                complaints.push(format!("{}: {}", way.join(" -> "), wall.reason));
            }
        }
    }
    complaints
}

/// Packages that few crates may use are used by those only.
#[must_use]
pub fn strangers(table: &Table, reality: &Reality) -> Vec<String> {
    let tiers: BTreeMap<&str, u8> = table
        .crates
        .iter()
        .map(|row| (row.name.as_str(), row.tier))
        .collect();
    let mut complaints = Vec::new();
    for rule in &table.only {
        for edge in reality
            .outside
            .iter()
            .filter(|edge| rule.packages.contains(&edge.to))
        {
            let for_tests = edge.tests_only || tiers.get(edge.from.as_str()) == Some(&TESTS);
            let test_may = for_tests && rule.tests.iter().any(|name| name == "*" || *name == edge.from);
            if !rule.crates.contains(&edge.from) && !test_may {
                complaints.push(format!("{} uses {}: {}", edge.from, edge.to, rule.reason));
            }
        }
    }
    complaints
}

/// Pure crates use nothing that waits, looks at a clock or talks to the outside.
#[must_use]
pub fn impurities(table: &Table, reality: &Reality) -> Vec<String> {
    let is_impure = |name: &str| {
        let parts = |word: &String| name == word || name.starts_with(&format!("{word}-"));
        table.pure.without.iter().any(parts)
    };
    reality
        .outside
        .iter()
        .filter(|edge| !edge.tests_only && table.pure.crates.contains(&edge.from) && is_impure(&edge.to))
        .map(|edge| format!("{} is pure and uses {}", edge.from, edge.to))
        .collect()
}

/// The tier of test crates.
const TESTS: u8 = 9;

fn in_tests(edge: &Edge) -> &'static str {
    if edge.tests_only { " in tests" } else { "" }
}

fn edges(table: &Table) -> impl Iterator<Item = Edge> + '_ {
    let bound = table.crates.iter().filter(|row| !row.is_free());
    bound.flat_map(|row| {
        let uses = row.uses.iter().map(|to| Edge::new(&row.name, to, false));
        let tests = row.tests_use.iter().map(|to| Edge::new(&row.name, to, true));
        uses.chain(tests)
    })
}

/// One shortest way to every crate that the product code of `from` reaches.
fn ways(from: &str, reality: &Reality) -> Vec<Vec<String>> {
    let mut found = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut next = 0;
    while let Some(way) = found.get(next).cloned() {
        let Some(end) = way.last() else { break };
        for edge in reality
            .inside
            .iter()
            .filter(|edge| !edge.tests_only && edge.from == *end)
        {
            if seen.insert(edge.to.clone()) {
                let mut longer = way.clone();
                longer.push(edge.to.clone());
                found.push(longer);
            }
        }
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests;
