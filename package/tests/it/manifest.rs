//! Manifests: the contract's sample, every mistake at once, and completion.

use provisioning_package::{
    ArchiveEntry, EntryKind, ExtensionType, Kind, Manifest, PackageName, SourceFacts,
    check_install, complete_manifest,
};

const SAMPLE: &str = r#"[extension]                       # extensions; every other kind writes [package]
name = "mongodb"
version = "1.2.0"
type = "taskserv"
core-version = "^3.0"             # optional: shorthand for [dependencies] core
api = "1.0.0"
description = "MongoDB replica sets"
license = "Apache-2.0"
repository = "https://example.org/mongodb"
keywords = ["database"]
upstream-version = "7.0.14"

[dependencies]
provisioning-core = ">=3.1"
redis = { version = "^1.1", optional = true }

[requires]
nu = ">=0.108"

[install]
bin = ["bin/provisioning-orchestrator"]
config = ["config/*.toml"]
exclude = ["tests/**"]

[test]
smoke = ["bin/provisioning-orchestrator", "--version"]
"#;

fn name(text: &str) -> PackageName {
    PackageName::parse(text).unwrap()
}

fn messages(text: &str) -> String {
    match Manifest::parse(text) {
        Ok(parsed) => format!("valid: {:?}", parsed.warnings),
        Err(errors) => errors.to_string().replace("manifest.toml:", ""),
    }
}

#[test]
fn the_sample_of_the_contract_reads_whole() {
    let parsed = Manifest::parse(SAMPLE).unwrap();
    assert_eq!(parsed.warnings, []);
    let manifest = parsed.manifest;
    assert_eq!(manifest.kind, Kind::Extension);
    assert_eq!(manifest.name, name("mongodb"));
    assert_eq!(manifest.version.to_string(), "1.2.0");
    assert_eq!(manifest.extension_type, Some(ExtensionType::Taskserv));
    assert_eq!(manifest.api.unwrap().to_string(), "1.0.0");
    let core = &manifest.dependencies[&name("core")];
    assert_eq!(core.req.to_string(), ">=3.1, ^3.0", "both hold");
    assert!(!core.optional);
    assert!(manifest.dependencies[&name("redis")].optional);
    assert_eq!(manifest.requires["nu"].to_string(), ">=0.108");
    assert_eq!(manifest.install.bin, ["bin/provisioning-orchestrator"]);
    assert_eq!(manifest.test.smoke[1], "--version");
    assert_eq!(manifest.upstream_version.as_deref(), Some("7.0.14"));
}

#[test]
fn every_kind_of_package_has_its_own_name() {
    for (kind, spelled) in [
        (Kind::Core, "provisioning-core"),
        (Kind::Platform, "platform"),
        (Kind::Workspace, "provisioning-templates"),
        (Kind::Client, "client"),
    ] {
        let text =
            format!("[package]\nkind = \"{kind}\"\nname = \"{spelled}\"\nversion = \"1.0.0\"");
        let manifest = Manifest::parse(&text).unwrap().manifest;
        assert_eq!(
            (manifest.kind, manifest.name.as_str()),
            (kind, kind.as_str())
        );
        let text = format!("[package]\nkind = \"{kind}\"\nversion = \"1.0.0\"");
        assert!(Manifest::parse(&text).is_ok(), "the name may be left out");
    }
}

#[test]
fn all_problems_are_told_at_once_with_line_and_column() {
    let text = r#"[extension]
name = "Mongo"
version = "1.2"
type = "taskserver"
core-version = "three"
api = "1"
description = 3
keywords = "database"

[dependencies]
redis = 1
"a b" = "^1"
valkey = { optional = "yes" }
x = "^1"
provisioning-x = "^1"

[requires]
"/bin/sh" = "*"
nu = "new"

[install]
bin = ["/bin/a", "../b", "b//c", "bin/provisioning", "d/e", "f/e"]
cli = "cli/provisioning"
config = ["../*.toml", "[a"]
exclude = ["*.toml"]

[test]
smoke = [""]
"#;
    let found = messages(text);
    let lines: Vec<usize> = found
        .lines()
        .map(|it| it.split(':').next().unwrap().parse().unwrap())
        .collect();
    let expected = [
        2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 13, 15, 18, 19, 22, 22, 22, 22, 22, 23, 24, 24, 25, 28,
    ];
    assert_eq!(lines, expected, "{found}");
    for part in [
        "2:8: `Mongo` is not a package name",
        "4:8: `taskserver` is not an extension type",
        "8:12: `keywords` must be an array of strings, found a TOML string",
        "13:10: `version` is missing from `[dependencies.valkey]`",
        "15:1: the dependency `x` is named twice",
        "22:8: `/bin/a`: the path is absolute",
        "`cli` is for the core alone",
        "`exclude` would leave out `manifest.toml`",
    ] {
        assert!(found.contains(part), "{part}\n{found}");
    }
}

#[test]
fn unknown_keys_warn_with_their_line_and_do_no_harm() {
    let text = "colour = 1\n[extension]\nname = \"a\"\nversion = \"1.0.0\"\ntype = \"cluster\"\nhue = 2\n[instal]\n[dependencies]\nb = { version = \"1\", git = \"x\" }\n";
    let parsed = Manifest::parse(text).unwrap();
    let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    let expected = [
        "manifest.toml:1:1: unknown key `colour` at the top level",
        "manifest.toml:6:1: unknown key `hue` in `[extension]`",
        "manifest.toml:7:2: unknown key `instal` at the top level",
        "manifest.toml:9:22: unknown key `git` in `[dependencies.b]`",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn forms_that_contradict_themselves_are_refused() {
    for (text, message) in [
        ("", "neither `[extension]` nor `[package]`"),
        (
            "[package]\nkind = \"core\"\nversion = \"1.0.0\"\n[extension]\n",
            "not both",
        ),
        (
            "[package]\nkind = \"extension\"\nversion = \"1.0.0\"\n",
            "writes `[extension]`",
        ),
        (
            "[package]\nkind = \"core\"\nname = \"platform\"\nversion = \"1.0.0\"\n",
            "is called `core`",
        ),
        (
            "[package]\nkind = \"core\"\nversion = \"1.0.0\"\ncore-version = \"^3\"\n",
            "depend on itself",
        ),
        (
            "[extension]\nname = \"core\"\nversion = \"1.0.0\"\ntype = \"cluster\"\n",
            "kind of package",
        ),
        (
            "[extension]\nname = \"a\"\nversion = \"1.0.0\"\ntype = \"cluster\"\n[dependencies]\na-cluster = \"1\"\n",
            "cannot depend on itself",
        ),
        (
            "[extension]\nname = \"azure-provider\"\nversion = \"1.0.0\"\ntype = \"provider\"\n",
            "names an extension type",
        ),
        (
            "[extension]\nname = \"ext-a\"\nversion = \"1.0.0\"\ntype = \"provider\"\n",
            "belongs to full names",
        ),
        ("extension = 3\n", "must be a table"),
        (
            "[extension]\nname = \"a\"\ndescription = \"\\u001b[2J\"\nversion = \"1.0.0\"\ntype = \"cluster\"\n",
            "control characters",
        ),
        ("a = \n", "1:"),
        ("[extension\n", "1:"),
    ] {
        let found = messages(text);
        assert!(found.contains(message), "{text}\n{found}");
    }
}

#[test]
fn facts_of_the_source_tree_fill_gaps_and_both_requirements_hold() {
    let facts = SourceFacts {
        version: Some("2.5.0".parse().unwrap()),
        core_version: Some("^3.1".parse().unwrap()),
    };
    let text = "# ours\n[package]\nkind = \"platform\" # yes\n\n[dependencies]\ncore = \"<4\"\n";
    assert!(Manifest::parse(text).is_err());
    let direct = Manifest::parse_with(text, &facts).unwrap().manifest;
    assert_eq!(direct.version.to_string(), "2.5.0");
    assert_eq!(
        direct.dependencies[&name("core")].req.to_string(),
        "<4, ^3.1"
    );
    let completed = complete_manifest(text, &facts);
    assert!(
        completed.starts_with("# ours\n[package]\nkind = \"platform\" # yes\n"),
        "{completed}"
    );
    assert_eq!(Manifest::parse(&completed).unwrap().manifest, direct);
    assert_eq!(
        complete_manifest(&completed, &facts),
        completed,
        "it is done once"
    );
    assert_eq!(complete_manifest("not = [toml", &facts), "not = [toml");
}

#[test]
fn programs_that_install_names_must_be_there_and_executable() {
    let text = "[package]\nkind = \"core\"\nversion = \"1.0.0\"\n[install]\nbin = [\"bin/a\", \"bin/b\", \"bin/c\"]\ncli = \"cli/run\"\nconfig = [\"config/*.toml\"]\n";
    let manifest = Manifest::parse(text).unwrap().manifest;
    let entry = |path: &str, kind| ArchiveEntry {
        path: path.to_owned(),
        kind,
        size: 1,
    };
    let mut entries = vec![
        entry("bin/a", EntryKind::File { executable: true }),
        entry("bin/b", EntryKind::File { executable: false }),
        entry(
            "cli/run",
            EntryKind::Symlink {
                target: "../bin/a".into(),
            },
        ),
    ];
    let problems = check_install(&manifest, &entries);
    let expected = [
        "`bin/b` is not executable: run `chmod +x bin/b` and build again",
        "`bin/c` is not in the package",
        "`config` names `config/*.toml`, which matches no file",
    ];
    assert_eq!(problems, expected);
    entries[1].kind = EntryKind::File { executable: true };
    entries.push(entry("bin/c", EntryKind::File { executable: true }));
    entries.push(entry(
        "config/x.toml",
        EntryKind::File { executable: false },
    ));
    assert_eq!(check_install(&manifest, &entries), Vec::<String>::new());
}
