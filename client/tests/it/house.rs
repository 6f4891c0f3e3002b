//! The dependency rules of ARCHITECTURE.md, read from `cargo metadata`.
//!
//! An arrow that turns round, or a crate that slips in where it is banned, costs nothing on
//! the day and a reshaping later; so it fails here.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Who may use whom: a crate's short name, and every one of ours that it may depend on.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("package", &[]),
    ("registry-api", &["package"]),
    ("compat", &["registry-api", "package"]),
    ("bundles", &["compat", "registry-api", "package"]),
    ("sources", &["package"]),
    ("trust", &["package", "registry-api"]),
    (
        "installers",
        &["bundles", "compat", "registry-api", "package"],
    ),
    (
        "registry-server",
        &[
            "bundles",
            "compat",
            "trust",
            "installers",
            "registry-api",
            "package",
        ],
    ),
    (
        "client",
        &[
            "sources",
            "installers",
            "bundles",
            "compat",
            "trust",
            "registry-api",
            "package",
        ],
    ),
];

/// A crate from outside, and the only ones of ours that may depend on it.
const ONLY_IN: [(&str, &[&str]); 8] = [
    ("tar", &["package"]),
    ("zstd", &["package"]),
    ("flate2", &["package"]),
    ("sha2", &["package"]),
    ("sqlx", &["registry-server"]),
    ("axum", &["registry-server"]),
    ("reqwest", &["client", "registry-server"]),
    ("clap", &["client", "registry-server"]),
];

/// Crates that do no waiting: values in, values out.
const PURE: [&str; 4] = ["package", "registry-api", "compat", "bundles"];

#[test]
fn every_crate_depends_only_on_those_below_it() {
    let allowed: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let graph = dependencies_of_ours();
    assert_eq!(
        graph.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        allowed.keys().copied().collect(),
        "a crate joined or left the house: say here what it may use"
    );
    for (ours, uses) in &graph {
        let wrong: Vec<_> = uses
            .iter()
            .filter_map(|it| it.strip_prefix("provisioning-"))
            .filter(|it| !allowed[ours.as_str()].contains(it))
            .collect();
        assert!(wrong.is_empty(), "`{ours}` must not use {wrong:?}");
    }
}

#[test]
fn crates_that_belong_to_one_room_stay_in_it() {
    let graph = dependencies_of_ours();
    for (outside, rooms) in ONLY_IN {
        for (ours, uses) in &graph {
            assert!(
                rooms.contains(&ours.as_str()) || !uses.contains(outside),
                "`{ours}` must not use `{outside}`: it belongs to {rooms:?}"
            );
        }
    }
}

#[test]
fn pure_crates_know_no_runtime_server_database_or_command_line() {
    let graph = dependencies_of_ours();
    for ours in PURE {
        for banned in ["tokio", "axum", "sqlx", "reqwest", "clap", "hyper"] {
            assert!(
                !graph[ours].contains(banned),
                "`{ours}` must not use `{banned}`"
            );
        }
    }
}

/// What each crate of ours states under `[dependencies]` and `[build-dependencies]`, by
/// short name. Tests may use what they like, so development dependencies do not count.
fn dependencies_of_ours() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata reads the Cargo workspace");
    metadata
        .packages
        .iter()
        .map(|package| {
            let name = package.name.trim_start_matches("provisioning-").to_owned();
            let uses = package
                .dependencies
                .iter()
                .filter(|it| it.kind != DependencyKind::Development)
                .map(|it| it.name.clone())
                .collect();
            (name, uses)
        })
        .collect()
}
