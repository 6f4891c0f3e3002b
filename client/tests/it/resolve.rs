//! `resolve` on static folders: what is chosen, what is read, and what is told when nothing
//! fits.

use std::fs;

use crate::foreign_registry::ForeignRegistry;
use crate::product::packages;

#[test]
fn a_folder_that_lists_its_targets_directly_is_read_like_any_other() {
    let mut registry = ForeignRegistry::new();
    registry.extension("a", &[("1.0.0", &[("b", "^1")])]);
    registry.extension("b", &[("1.0.0", &[]), ("1.1.0", &[]), ("2.0.0", &[])]);
    let client = registry.signed();
    assert_eq!(
        packages(&client.json(&["resolve", "a"])),
        ["a 1.0.0", "b 1.1.0"]
    );
    let oldest = client.json(&["resolve", "a", "--minimal"]);
    assert_eq!(packages(&oldest), ["a 1.0.0", "b 1.0.0"]);
    let old = client.error(3, &["resolve", "a", "--min-age", "9999999h"]);
    assert!(old["causes"].to_string().contains("young"), "{old}");
}

#[test]
fn only_the_entries_that_a_solution_needs_are_read() {
    let mut registry = ForeignRegistry::new();
    registry.extension(
        "a",
        &[("1.0.0", &[("old", "^1")]), ("2.0.0", &[("b", "^1")])],
    );
    registry.extension("b", &[("1.0.0", &[])]);
    registry.extension("old", &[("1.0.0", &[])]);
    let client = registry.signed();
    let entries = registry.folder().join("targets/index/extension");
    for entry in fs::read_dir(entries).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().ends_with("old.json") {
            fs::write(path, "damaged").unwrap();
        }
    }
    assert_eq!(
        packages(&client.json(&["resolve", "a"])),
        ["a 2.0.0", "b 1.0.0"]
    );
    client.error(4, &["resolve", "a@1"]);
}

#[test]
fn a_chain_far_deeper_than_people_write_resolves() {
    let mut registry = ForeignRegistry::new();
    let names: Vec<String> = (0..400).map(|it| format!("p{it}")).collect();
    for pair in names.windows(2) {
        registry.extension(&pair[0], &[("1.0.0", &[(&pair[1], "^1")])]);
    }
    registry.extension("p399", &[("1.0.0", &[])]);
    let client = registry.signed();
    assert_eq!(packages(&client.json(&["resolve", "p0"])).len(), 400);
}

#[test]
fn a_refusal_is_the_same_whatever_the_order_of_the_specs() {
    let mut registry = ForeignRegistry::new();
    registry.extension("a", &[("1.0.0", &[("c", "^1")])]);
    registry.extension("b", &[("1.0.0", &[("c", "^2")])]);
    registry.extension("c", &[("1.0.0", &[]), ("2.0.0", &[])]);
    let client = registry.signed();
    let one = client.error(3, &["resolve", "a", "b"]);
    let other = client.error(3, &["resolve", "b", "a"]);
    assert_eq!(one, other);
    let causes = one["causes"].to_string();
    for part in ["you asked for `a`", "you asked for `b`", "c `^1`", "c `^2`"] {
        assert!(causes.contains(part), "{part}: {causes}");
    }
}

#[test]
fn a_matrix_in_a_folder_binds_like_a_served_one() {
    let mut registry = ForeignRegistry::new();
    registry.extension("a", &[("1.0.0", &[])]);
    registry.extension("b", &[("1.0.0", &[]), ("2.0.0", &[])]);
    let matrix = "[compatibility.a]\n\"1.0.0\" = { b = \"^1\" }\n";
    registry.target("versions.toml", matrix.as_bytes());
    let client = registry.signed();
    assert_eq!(
        packages(&client.json(&["resolve", "a", "b"])),
        ["a 1.0.0", "b 1.0.0"]
    );
    let error = client.error(3, &["resolve", "a", "b@2"]);
    assert!(error["causes"].to_string().contains("line 2"), "{error}");
}
