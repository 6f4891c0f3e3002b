//! Facts from real source trees.

use std::fs;
use std::path::Path;

use provisioning_package::{Manifest, SourceFacts, complete_manifest};
use provisioning_sources::read_facts;

fn facts_of(files: &[(&str, &str)]) -> Result<SourceFacts, String> {
    let tree = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(tree.path().join(name), text).unwrap();
    }
    read_facts(tree.path()).map_err(|problem| {
        let root = format!("{}/", tree.path().display());
        problem.to_string().replace(&root, "")
    })
}

#[test]
fn a_tree_without_such_files_says_nothing() {
    assert_eq!(facts_of(&[]), Ok(SourceFacts::default()));
    let other = [(
        "Cargo.toml",
        "[package]\nname = \"x\"\nversion = \"9.9.9\"\n",
    )];
    assert_eq!(facts_of(&other), Ok(SourceFacts::default()));
}

#[test]
fn the_version_is_found_at_the_top_and_in_its_tables() {
    for text in [
        "version = \"3.2.1\"\n",
        "[version]\nversion = \"3.2.1\"\n",
        "# the core\n[core]\nname = \"core\"\nversion = \"3.2.1\"\n",
        "[package]\nversion = \"3.2.1\"\n",
    ] {
        let facts = facts_of(&[("version.toml", text)]).unwrap();
        assert_eq!(facts.version, Some("3.2.1".parse().unwrap()), "{text}");
    }
}

#[test]
fn the_requirement_is_found_in_package_and_workspace_metadata() {
    let package = "[package.metadata.provisioning]\ncore-version = \"^3.0\"\n";
    let workspace = "[workspace.metadata.provisioning]\ncore-version = \"^3.1\"\n";
    let both = format!("{workspace}{package}");
    for (text, req) in [(package, "^3.0"), (workspace, "^3.1"), (&both, "^3.0")] {
        let facts = facts_of(&[("Cargo.toml", text)]).unwrap();
        assert_eq!(facts.core_version, Some(req.parse().unwrap()));
    }
}

#[test]
fn mistakes_name_the_file_and_the_line() {
    let cases = [
        (
            [("version.toml", "# ours\n\nversion = \"three\"\n")],
            "version.toml:3: `three` is not a SemVer version: unexpected character 't' while \
             parsing major version number",
        ),
        (
            [("version.toml", "\nversion = 3\n")],
            "version.toml:2: `version` must be a string, found a TOML integer",
        ),
        (
            [("version.toml", "name = \"core\"\n")],
            "version.toml:1: `version` is missing: write `version = \"1.2.3\"`",
        ),
        (
            [(
                "Cargo.toml",
                "[package.metadata.provisioning]\n\ncore-version = \"^x^\"\n",
            )],
            "Cargo.toml:3: `^x^` is not a version requirement: unexpected wildcard",
        ),
    ];
    for (files, message) in cases {
        let problem = facts_of(&files).unwrap_err();
        assert!(
            problem.starts_with(&message[..message.len().min(50)]),
            "{problem}"
        );
    }
    let broken = facts_of(&[("version.toml", "a = 1\nb = \n")]).unwrap_err();
    assert!(broken.starts_with("version.toml:2: "), "{broken}");
}

#[test]
fn this_repository_s_own_cargo_workspace_can_be_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    assert_eq!(read_facts(&root).unwrap(), SourceFacts::default());
}

#[test]
fn a_manifest_that_leaves_facts_out_is_completed_with_them() {
    let text = "[package]\nkind = \"core\" # the engine\n";
    let facts = facts_of(&[("version.toml", "version = \"3.2.1\"\n")]).unwrap();
    assert!(Manifest::parse(text).is_err());
    let completed = complete_manifest(text, &facts);
    assert!(completed.contains("# the engine"));
    let manifest = Manifest::parse(&completed).unwrap().manifest;
    assert_eq!(
        manifest,
        Manifest::parse_with(text, &facts).unwrap().manifest
    );
}
