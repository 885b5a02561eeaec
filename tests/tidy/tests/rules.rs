//! The real workspace before every rule. Each test prints all complaints at once, so that one run shows all
//! there is to do.

#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a rule that cannot read its workspace has nothing to judge, and says why"
)]

use std::process::Command;
use std::sync::LazyLock;

use tidy::graph::{Reality, Table};
use tidy::workspace::{File, Workspace};
use tidy::{docs, events, graph, invariants, leaks, manifests, recipes, security, source, sql};

static WORKSPACE: LazyLock<Workspace> =
    LazyLock::new(|| Workspace::read().expect("the checkout can be read"));
static REALITY: LazyLock<Reality> =
    LazyLock::new(|| Reality::read(&WORKSPACE.root).expect("cargo understands the manifests"));
static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(text("tests/tidy/graph.toml")).expect("the table can be read"));

/// The text of a file that has to be there.
fn text(path: &str) -> &'static str {
    WORKSPACE
        .text(path)
        .unwrap_or_else(|| panic!("{path} is missing"))
}

fn file(path: &str) -> File {
    File::new(path, text(path))
}

#[track_caller]
fn none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(
        complaints.is_empty(),
        "{} complaints\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

fn crate_manifests() -> impl Iterator<Item = &'static File> {
    let files = WORKSPACE.files.iter();
    files.filter(|file| file.path.ends_with("/Cargo.toml"))
}

/// Pages that people read.
fn pages() -> impl Iterator<Item = &'static File> {
    WORKSPACE
        .files
        .iter()
        .filter(|file| file.extension() == Some("md"))
}

fn catalog() -> Vec<events::Entry<'static>> {
    let entries = ::events::catalog::ENTRIES.iter();
    entries.map(|entry| (entry.event_type, entry.version)).collect()
}

fn names_at_the_root() -> Vec<String> {
    let firsts = WORKSPACE
        .files
        .iter()
        .filter_map(|file| file.path.split_once('/'));
    let mut names: Vec<String> = firsts.map(|(first, _rest)| first.to_owned()).collect();
    names.dedup();
    names
}

#[test]
fn the_crate_graph_is_the_table() {
    none(graph::differences(&TABLE, &REALITY));
}

#[test]
fn crates_use_lower_tiers_only() {
    none(graph::upward_edges(&TABLE));
}

#[test]
fn no_way_leads_through_a_wall() {
    none(graph::broken_walls(&TABLE, &REALITY));
}

#[test]
fn reserved_packages_are_used_by_their_crates_only() {
    none(graph::strangers(&TABLE, &REALITY));
}

#[test]
fn pure_crates_use_nothing_that_waits_or_talks() {
    none(graph::impurities(&TABLE, &REALITY));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    none(crate_manifests().flat_map(manifests::own_lints));
}

#[test]
fn every_version_is_chosen_in_the_manifest_of_the_workspace() {
    none(crate_manifests().flat_map(manifests::own_versions));
}

#[test]
fn every_dependency_is_named_in_the_sources_of_its_crate() {
    let sources: Vec<&File> = WORKSPACE.rust().collect();
    none(crate_manifests().flat_map(|manifest| manifests::unused(manifest, &sources)));
}

#[test]
fn no_package_is_banned_or_from_elsewhere() {
    none(manifests::banned(&file("Cargo.lock"), &file(".ci/deny.toml")));
}

#[test]
fn every_source_keeps_the_rules_of_style() {
    none(WORKSPACE.rust().flat_map(source::complaints));
}

#[test]
fn every_statement_is_made_of_constants_and_listed_names() {
    none(
        WORKSPACE
            .rust()
            .flat_map(|file| sql::complaints(file, sql::EXCEPTIONS)),
    );
    let sources: Vec<_> = WORKSPACE.rust().collect();
    none(sql::needless(&sources, sql::EXCEPTIONS));
}

#[test]
fn every_event_has_its_golden_files_and_its_schema() {
    none(events::files(&catalog(), &WORKSPACE.files));
}

#[test]
fn every_event_is_explained_with_its_history() {
    let page = text("docs/events.md");
    none(
        events::words(&catalog(), page)
            .into_iter()
            .chain(events::histories(&catalog(), page)),
    );
}

/// Without a release (or without git, in a copy) there is nothing that must not change yet.
#[test]
fn golden_files_of_the_last_release_are_as_they_were() {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        // A checkout may belong to somebody else than who runs the tests.
        command
            .args(["-c", "safe.directory=*"])
            .args(arguments)
            .current_dir(&WORKSPACE.root);
        let output = command.output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let tags = git(&["tag", "--list", "v*", "--sort=-creatordate"]).unwrap_or_default();
    let Some(release) = tags.lines().next() else {
        return;
    };
    let changes = git(&["diff", "--name-status", release, "--", "events/golden"]);
    none(events::rewritten(
        &changes.expect("git can compare with a tag that it listed"),
    ));
}

#[test]
fn what_the_pages_name_exists() {
    let top = names_at_the_root();
    none(pages().flat_map(|page| docs::dead_paths(page, &top, |path| WORKSPACE.exists(path))));
    let crates: Vec<String> = REALITY.folders.keys().cloned().collect();
    none(pages().flat_map(|page| docs::unknown_crates(page, &crates)));
}

#[test]
fn the_page_about_the_architecture_names_every_crate() {
    let crates: Vec<String> = REALITY.folders.keys().cloned().collect();
    none(docs::unnamed(&file("docs/architecture.md"), &crates));
}

#[test]
fn pages_are_short_enough_to_be_read() {
    none(docs::too_long(&file("docs/architecture.md"), 150));
    none(docs::too_long(&file("README.md"), 120));
}

#[test]
fn the_page_of_settings_is_up_to_date() {
    let page = format!(
        "# Settings\n\n\
         Made from the code by `make gen`; do not edit.\n\n\
         The environment wins over the file `stock-tracker.toml` in the folder where the program starts,\n\
         the file over the default. An unknown key in the file or with the prefix `ST_`, and a value that\n\
         makes no sense, stop the start with exit code 78 and the key's name. Every secret is also\n\
         accepted as `<NAME>_FILE`, the path of a file that holds it. An empty value counts as not given.\n\n{}",
        runtime::config::reference_table()
    );
    support::golden(WORKSPACE.root.join("docs/config.md"), &page);
}

#[test]
fn every_invariant_is_held_by_tests_that_exist() {
    none(invariants::complaints(
        text("docs/invariants.md"),
        &WORKSPACE.files,
    ));
}

#[test]
fn every_row_of_the_table_of_security_names_tests_that_exist() {
    none(security::complaints(text("docs/security.md"), &WORKSPACE.files));
}

#[test]
fn recipes_explain_themselves_and_ship_one_binary() {
    none(recipes::makefile(text("Makefile")));
    none(recipes::whole_check(text(".ci/run"), text("Makefile")));
    none(recipes::dockerfile(text("deploy/Dockerfile")));
    none(recipes::compose(text("deploy/compose.yaml")));
}

#[test]
fn no_file_names_a_package_source_or_a_folder_of_one_machine() {
    none(WORKSPACE.files.iter().flat_map(leaks::complaints));
}
