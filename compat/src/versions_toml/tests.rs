use super::*;

fn errors(text: &str) -> String {
    VersionsToml::parse(text, None).unwrap_err().to_string()
}

fn warnings(text: &str) -> String {
    let read = VersionsToml::parse(text, None).unwrap();
    let lines: Vec<String> = read.warnings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

const SAMPLE: &str = include_str!("../../tests/sample/versions.toml");
const SEED_FORM: &str = include_str!("../../tests/sample/seed-form.toml");

#[test]
fn the_sample_is_read_whole() {
    let read = VersionsToml::parse(SAMPLE, None).unwrap();
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);
    assert_eq!(read.matrix.rows().count(), 5);
    let stable = &read.bundles[&BundleName::parse("stable-3.2").unwrap()];
    assert_eq!(stable.title, "Stable 3.2 Bundle");
    assert_eq!(stable.release_date, Some(Date::constant(2025, 10, 15)));
    assert_eq!(stable.lts_until, None);
    let members: Vec<String> = stable
        .members
        .iter()
        .map(|(name, version)| format!("{name}@{version}"))
        .collect();
    assert_eq!(
        members.join(" "),
        "core@3.2.1 platform@2.5.3 mongodb@1.2.0 redis@1.1.0 azure@2.0.0 workspace@1.4.0"
    );
    let lts = &read.bundles[&BundleName::parse("lts-3.1").unwrap()];
    assert_eq!(lts.lts_until, Some(Date::constant(2026, 9, 1)));
    assert_eq!(lts.members.len(), 3);
    assert_eq!(lts.line, 15);
}

#[test]
fn the_older_form_with_empty_headers_and_comments_reads_the_same() {
    let plain = VersionsToml::parse(SAMPLE, None).unwrap();
    let seed = VersionsToml::parse(SEED_FORM, None).unwrap();
    let rows = |read: &VersionsToml| -> Vec<String> {
        let rows = read.matrix.rows();
        rows.map(|(name, version, row)| {
            let bounds: Vec<String> = row.bounds.iter().map(|it| it.req.to_string()).collect();
            format!("{name} {version} {bounds:?}")
        })
        .collect()
    };
    assert_eq!(rows(&plain), rows(&seed));
    assert_eq!(
        plain.bundles.keys().collect::<Vec<_>>(),
        seed.bundles.keys().collect::<Vec<_>>()
    );
}

#[test]
fn an_empty_file_is_an_empty_matrix() {
    let read = VersionsToml::parse("", None).unwrap();
    assert!(read.matrix.is_empty());
    assert!(read.bundles.is_empty());
    assert!(
        VersionsToml::parse("[compatibility]\n[bundles]\n", None)
            .unwrap()
            .matrix
            .is_empty()
    );
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    insta::assert_snapshot!(errors(r#"
[compatibility.core]
"3.2" = { platform = "^2.5" }
"3.2.0" = { platform = "nope", min-workspace = "1.0" }
3.1.0 = { platform = "^2.3" }
"3.0.0" = { platform = 2, core = "^3" }
[compatibility.Extensions]
[bundles.stable]
core = "3.2.1"
[bundles.stable-3.2]
core = "3.2"
extensions = ["mongodb", "redis@1.1", "core@3.2.1", "a@1.0.0", "a@1.0.1"]
release-date = "15.10.2025"
targets = ["linux"]
optional = ["nothing"]
client = "1.0.0"
[bundles.empty]
"#), @r#"
versions.toml:3:1: `3.2` is not a SemVer version: unexpected end of input while parsing minor version number
versions.toml:4:24: `nope` is not a requirement: unexpected character 'n' while parsing major version number
versions.toml:4:48: `1.0` is not a SemVer version: unexpected end of input while parsing minor version number
versions.toml:5:1: `3` is not a SemVer version: unexpected end of input while parsing major version number (a version needs quotes: `"3.2.1"`)
versions.toml:5:3: expected a requirement as a string, found table
versions.toml:6:24: expected a requirement as a string, found integer
versions.toml:6:27: a row of core cannot bound core itself
versions.toml:7:16: `Extensions` is not a package name: use 1 to 64 lower-case letters, digits and single inner hyphens
versions.toml:8:10: a bundle cannot be called `stable`: that is a channel
versions.toml:11:8: `3.2` is not a SemVer version: unexpected end of input while parsing minor version number
versions.toml:12:15: `mongodb` names no version: write `NAME@VERSION`
versions.toml:12:26: `1.1` is not a SemVer version: unexpected end of input while parsing minor version number
versions.toml:12:39: core is no extension: write `core = "3.2.1"`
versions.toml:12:64: a is a member already
versions.toml:13:16: `15.10.2025` is not a date like 2025-10-15
versions.toml:14:12: `linux` is not a target: expected `any`, `linux-x86_64`, `linux-arm64`, `macos-x86_64` or `macos-arm64`
versions.toml:15:13: nothing is no member: write `nothing@VERSION`
versions.toml:16:1: the client is in no bundle: `provisioning self update` moves it
versions.toml:17:10: bundle `empty` has no members
"#);
}

#[test]
fn unknown_keys_warn_and_are_ignored() {
    insta::assert_snapshot!(warnings(r#"
colour = "red"
[compatibility.core]
"3.2.0" = { Platform = "^2.5" }
[bundles.one]
core = "3.2.0"
note = "hello"
"#), @r"
versions.toml:2:1: unknown key `colour` is ignored
versions.toml:4:13: unknown key `Platform` is ignored: `Platform` is not a package name: use 1 to 64 lower-case letters, digits and single inner hyphens
versions.toml:7:1: unknown key `note` is ignored
");
}

#[test]
fn rows_that_contradict_are_errors_that_name_both() {
    insta::assert_snapshot!(errors(r#"
[compatibility.core]
"3.2.0" = { platform = "=2.4.0" }
"3.1.0" = { platform = "^2.3", min-platform = "3.0.0" }
"3.0.0" = { platform = ">2, <1" }
[compatibility.platform]
"2.4.0" = { core = "^3.3" }
"#), @r#"
versions.toml:3:24: the row of core 3.2.0 wants platform 2.4.0, but the row of platform 2.4.0 (line 7) wants core `^3.3`
versions.toml:4:47: the row of core 3.1.0 contradicts itself: no version meets both `platform = "^2.3"` and `min-platform = ">=3.0.0"`
versions.toml:5:24: no version can meet `>2, <1`
"#);
    insta::assert_snapshot!(warnings(r#"
[compatibility.core]
"3.2.0" = { platform = "^2.4" }
[compatibility.platform]
"2.4.0" = { core = "^3.3" }
"#), @"versions.toml:3:24: the row of core 3.2.0 wants platform `^2.4`, but every listed platform of these wants another core");
}

#[test]
fn the_companion_is_merged_and_the_same_row_twice_is_an_error() {
    let companion = "[compatibility.core]\n\"3.3.0\" = { platform = \"^2.6\" }\n[bundles.x]\n";
    let read = VersionsToml::parse(SAMPLE, Some(companion)).unwrap();
    assert_eq!(read.matrix.rows().count(), 6);
    assert_eq!(read.warnings[0].file, "compatibility.toml");
    let twice = "[compatibility.provisioning-core]\n\"3.2.1\" = {}\n";
    let problem = VersionsToml::parse(SAMPLE, Some(twice)).unwrap_err();
    insta::assert_snapshot!(problem, @"compatibility.toml:2:1: core 3.2.1 has a row already, in versions.toml line 2: join the two");
}

#[test]
fn dates_may_be_strings_or_dates_of_toml() {
    let text =
        "[bundles.a]\ncore = \"1.0.0\"\nrelease-date = 2025-10-15\nlts-until = \"2026-10-15\"\n";
    let read = VersionsToml::parse(text, None).unwrap();
    let draft = read.bundles.values().next().unwrap();
    assert_eq!(draft.release_date, Some(Date::constant(2025, 10, 15)));
    assert_eq!(draft.lts_until, Some(Date::constant(2026, 10, 15)));
    let timed = "[bundles.a]\ncore = \"1.0.0\"\nrelease-date = 2025-10-15T10:00:00Z\n";
    insta::assert_snapshot!(errors(timed), @"versions.toml:3:16: `2025-10-15T10:00:00Z` is not a date like 2025-10-15");
}

#[test]
fn further_keys_of_a_draft_are_read() {
    let read = VersionsToml::parse(
        r#"
[bundles."a.b"]
core = "1.0.0"
extensions = ["redis@1.1.0", "mongodb@1.2.0"]
optional = ["redis", "azure@2.0.0"]
targets = ["linux-x86_64", "any"]
upgrades-from = ["lts-3.1"]
[bundles."a.b".tests]
smoke = "provisioning --version"
more = ["one", "two"]
"#,
        None,
    )
    .unwrap();
    let draft = &read.bundles[&BundleName::parse("a.b").unwrap()];
    let names = |members: &[(PackageName, Version)]| -> Vec<String> {
        members.iter().map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(names(&draft.members), ["core", "mongodb"]);
    assert_eq!(names(&draft.optional), ["redis", "azure"]);
    assert_eq!(draft.targets, [Target::LinuxX86_64, Target::Any]);
    assert_eq!(draft.upgrades_from[0].as_str(), "lts-3.1");
    assert_eq!(draft.tests["more"], ["one", "two"]);
}

#[test]
fn a_bundle_and_a_longer_name_with_a_dot_stand_side_by_side() {
    let text = "[bundles.a]\ncore = \"1.0.0\"\n[bundles.a.1]\ncore = \"1.1.0\"\n\
                [bundles.a.1.tests]\nx = \"y\"\n";
    let read = VersionsToml::parse(text, None).unwrap();
    let names: Vec<&str> = read.bundles.keys().map(BundleName::as_str).collect();
    assert_eq!(names, ["a", "a.1"]);
    let twice = "[bundles.a.1]\ncore = \"1.0.0\"\n[bundles.\"a.1\"]\ncore = \"1.1.0\"\n";
    insta::assert_snapshot!(errors(twice), @"versions.toml:3:10: bundle `a.1` is written twice");
}

#[test]
fn text_that_is_not_toml_is_reported_with_its_line() {
    insta::assert_snapshot!(errors("[compatibility.core]\n\"3.2.1\" = { platform = \n[bundles\n"), @r"
    versions.toml:3:1: expected a requirement as a string, found array
    versions.toml:3:2: string values must be quoted, expected literal string
    versions.toml:3:9: unclosed array, expected `]`
    versions.toml:3:9: unclosed inline table, expected `}`
    ");
    let twice = "[compatibility.core]\n\"3.2.1\" = {}\n\"3.2.1\" = {}\n\"x\" = {}\n";
    insta::assert_snapshot!(errors(twice), @r"
    versions.toml:3:1: duplicate key
    versions.toml:4:1: `x` is not a SemVer version: unexpected character 'x' while parsing major version number
    ");
}
