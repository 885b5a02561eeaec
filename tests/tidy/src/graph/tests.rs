//! Each rule about the graph, shown a workspace that breaks it.

use super::*;

const TABLE: &str = r#"
[[crate]]
name = "events"
tier = 0
uses = []
[[crate]]
name = "domain"
tier = 1
uses = ["events"]
tests_use = ["support"]
[[crate]]
name = "read-models"
tier = 2
uses = ["events"]
[[crate]]
name = "support"
tier = 9
uses = []
[[wall]]
from = "domain"
to = ["read-models"]
reason = "the write side never reads the read side"
[[only]]
packages = ["reqwest"]
crates = ["connectors"]
tests = ["*"]
reason = "all outgoing HTTP is in connectors"
[pure]
crates = ["domain"]
without = ["tokio", "reqwest"]
"#;

fn table() -> Table {
    toml::from_str(TABLE).unwrap()
}

fn reality() -> Reality {
    let names = ["events", "domain", "read-models", "support"];
    Reality {
        folders: names
            .iter()
            .map(|name| ((*name).to_owned(), format!("/somewhere/{name}")))
            .collect(),
        inside: vec![
            Edge::new("domain", "events", false),
            Edge::new("domain", "support", true),
            Edge::new("read-models", "events", false),
        ],
        outside: vec![Edge::new("domain", "thiserror", false)],
    }
}

#[test]
fn a_workspace_like_its_table_has_no_complaints() {
    assert_eq!(differences(&table(), &reality()), [""; 0]);
    assert_eq!(upward_edges(&table()), [""; 0]);
    assert_eq!(broken_walls(&table(), &reality()), [""; 0]);
    assert_eq!(strangers(&table(), &reality()), [""; 0]);
    assert_eq!(impurities(&table(), &reality()), [""; 0]);
}

#[test]
fn an_edge_that_the_table_does_not_list_is_named() {
    let mut reality = reality();
    reality.inside.push(Edge::new("read-models", "domain", false));
    let complaints = differences(&table(), &reality);
    assert!(
        complaints.len() == 1 && complaints[0].contains("read-models uses domain"),
        "{complaints:?}"
    );
}

#[test]
fn an_edge_that_only_the_table_knows_is_named() {
    let mut reality = reality();
    reality.inside.remove(0);
    let complaints = differences(&table(), &reality);
    assert!(
        complaints.len() == 1 && complaints[0].contains("its manifest does not"),
        "{complaints:?}"
    );
}

#[test]
fn a_crate_without_a_row_and_a_row_without_a_crate_are_named() {
    let mut reality = reality();
    reality.folders.remove("support");
    reality
        .folders
        .insert("helpers".into(), "/somewhere/helpers".into());
    let complaints = differences(&table(), &reality);
    assert!(complaints.iter().any(|c| c.contains("helpers has no row")));
    assert!(
        complaints
            .iter()
            .any(|c| c.contains("support, which does not exist"))
    );
}

#[test]
fn a_folder_with_another_name_than_its_crate_is_named() {
    let mut reality = reality();
    reality
        .folders
        .insert("domain".into(), "/somewhere/core-domain".into());
    assert!(differences(&table(), &reality)[0].contains("a folder is named like its crate"));
}

#[test]
fn an_edge_upward_or_inside_a_tier_is_named_even_when_listed() {
    let mut upward = table();
    upward.crates[0].uses.push("domain".into());
    assert!(upward_edges(&upward)[0].contains("events (tier 0) uses domain (tier 1)"));
    let mut level = table();
    level.crates[2].tier = 1;
    level.crates[2].uses.push("domain".into());
    assert!(upward_edges(&level)[0].contains("edges go down"));
}

#[test]
fn only_a_test_crate_may_use_what_it_likes() {
    let mut free = table();
    free.crates[3].uses = vec!["*".into()];
    let mut reality = reality();
    reality.inside.push(Edge::new("support", "domain", false));
    assert_eq!(differences(&free, &reality), [""; 0]);
    free.crates[2].uses = vec!["*".into()];
    assert!(!differences(&free, &reality).is_empty());
}

#[test]
fn test_help_in_the_product_is_named() {
    let mut table = table();
    table.crates[1].uses.push("support".into());
    assert!(
        upward_edges(&table)
            .iter()
            .any(|c| c.contains("for tests, in the product"))
    );
}

#[test]
fn a_way_around_a_wall_is_named_with_every_crate_on_it() {
    let mut reality = reality();
    reality.folders.insert("between".into(), "/x/between".into());
    reality.inside.push(Edge::new("domain", "between", false));
    reality.inside.push(Edge::new("between", "read-models", false));
    let complaints = broken_walls(&table(), &reality);
    assert_eq!(
        complaints,
        ["domain -> between -> read-models: the write side never reads the read side"]
    );
}

#[test]
fn a_stranger_with_a_reserved_package_is_named_unless_it_is_a_test() {
    let mut reality = reality();
    reality.outside.push(Edge::new("read-models", "reqwest", false));
    reality.outside.push(Edge::new("support", "reqwest", false));
    reality.outside.push(Edge::new("domain", "reqwest", true));
    assert_eq!(
        strangers(&table(), &reality),
        ["read-models uses reqwest: all outgoing HTTP is in connectors"]
    );
}

#[test]
fn a_pure_crate_that_waits_is_named() {
    let mut reality = reality();
    reality.outside.push(Edge::new("domain", "tokio-util", false));
    reality.outside.push(Edge::new("domain", "tokio", true));
    assert_eq!(
        impurities(&table(), &reality),
        ["domain is pure and uses tokio-util"]
    );
}
