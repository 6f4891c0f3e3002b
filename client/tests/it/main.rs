//! The command as people and scripts meet it: real processes, a real registry.
//!
//! A test file that is not named here does not run, which the last test notices.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod adopt;
mod air_gap;
mod answers;
mod bundle;
mod burgled;
mod cache;
mod changes;
mod compat;
mod config;
mod core;
mod crash_world;
mod crowd;
mod doctor;
mod dry_run;
mod extension_new;
mod faults;
mod folder;
mod foreign_registry;
mod full_disk;
mod gates;
mod hostile;
mod house;
mod install;
mod interruption;
mod killing;
mod link;
mod lock;
mod matrix_lint;
mod merges;
mod mirror;
mod network;
mod owner;
mod package;
mod peers;
mod pins;
mod poll;
mod product;
mod publish;
mod python_tuf;
mod questions;
mod reading;
mod refusals;
mod registry_fixture;
mod release;
mod resolve;
mod schemas;
mod self_uninstall;
mod self_update;
mod shell_files;
mod signing;
mod source;
mod text;
mod web_server;
mod workspace;
mod workspace_update;
mod yank;

#[test]
fn every_file_in_this_folder_is_a_module_of_this_program() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(here.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(here).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or(&name).to_owned();
        assert!(
            module == "main" || main.contains(&format!("mod {module};")),
            "`{name}` is in no program"
        );
    }
}
