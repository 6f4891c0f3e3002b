//! Configurations as Packit reads them: the expected values beside each are Packit's own
//! (`tests/packit/expected.py` writes them).

use std::fs;
use std::path::{Path, PathBuf};

use provisioning_sources::config::{self, ReadOptions};
use serde_json::{Map, Value, json};

/// What this text says otherwise, or what Packit takes from its own lists of hosts.
const NOT_COMPARED: &[&str] = &["dist_git_base_url", "dist_git_namespace"];

/// Keys of ours, and of jobs, that Packit's packages have not.
const OURS: &[&str] = &["handle", "manifest", "forge", "build_service"];
const OF_JOB: &[(&str, bool)] = &[
    ("skip_build", false),
    ("skip_install", false),
    ("manual_trigger", false),
    ("labels", true),
    ("sidetag_group", true),
    ("dependents", true),
    ("dependencies", true),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packit")
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn shown(text: &str) -> Value {
    let options = ReadOptions {
        file: ".packit.yaml",
        repository: "repository",
        tree: None,
    };
    let reading = config::read(text, &options);
    let problems: Vec<String> = reading
        .problems
        .sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    let config = reading.config.unwrap_or_else(|| panic!("{problems:#?}"));
    serde_json::to_value(config).unwrap()
}

/// Packit's defaults with what it computed over them.
fn whole(computed: &Value, defaults: &Value, in_job: bool) -> Map<String, Value> {
    let mut all = defaults.as_object().unwrap().clone();
    if in_job {
        let of_job = OF_JOB.iter().map(|(key, is_null)| {
            let value = if *is_null { Value::Null } else { json!(false) };
            ((*key).to_owned(), value)
        });
        all.extend(of_job);
    }
    all.extend(computed.as_object().unwrap().clone());
    all
}

fn compare(name: &str, ours: &Value, packits: &Value, defaults: &Value, in_job: bool) {
    let (ours, packits) = (ours.as_object().unwrap(), packits.as_object().unwrap());
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        packits.keys().collect::<Vec<_>>(),
        "{name}"
    );
    for (package, computed) in packits {
        let mut expected = whole(computed, defaults, in_job);
        let mut found = ours[package].as_object().unwrap().clone();
        for key in NOT_COMPARED {
            expected.remove(*key);
            found.remove(*key);
        }
        for key in OURS {
            assert!(found.remove(*key).is_some(), "{name}: {key}");
        }
        for (key, value) in &expected {
            assert_eq!(found.get(key), Some(value), "{name}: {package}: {key}");
        }
        assert_eq!(found.len(), expected.len(), "{name}: {package}");
    }
}

#[test]
fn every_value_of_every_configuration_is_what_packit_computes() {
    let defaults = read_json(&folder().join("defaults.json"));
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "yaml") {
            continue;
        }
        count += 1;
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut ours = shown(&fs::read_to_string(&path).unwrap());
        let mut packits = read_json(&path.with_extension("json"));
        compare(
            &name,
            &ours["packages"],
            &packits["packages"],
            &defaults,
            false,
        );
        let (jobs, expected) = (ours["jobs"].take(), packits["jobs"].take());
        let (jobs, expected) = (jobs.as_array().unwrap(), expected.as_array().unwrap());
        assert_eq!(jobs.len(), expected.len(), "{name}");
        for (at, (job, expected)) in jobs.iter().zip(expected).enumerate() {
            let name = format!("{name}: job {at}");
            assert_eq!(job["job"], expected["job"], "{name}");
            assert_eq!(job["trigger"], expected["trigger"], "{name}");
            assert_eq!(job.as_object().unwrap().len(), 3, "{name}");
            compare(
                &name,
                &job["packages"],
                &expected["packages"],
                &defaults,
                true,
            );
        }
    }
    assert!(count >= 12, "{count}");
}
