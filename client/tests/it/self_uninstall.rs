//! The client takes itself away.

use std::fs;

use crate::registry_fixture::{Client, Registry, Sample};
use crate::self_update::install;

#[test]
fn everything_that_goes_is_listed_and_what_is_not_ours_stays() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    author.publish(&Sample::extension("redis", "1.0.0").file("bin/redis-tool", "#!/bin/sh\n"));
    let mut client = Client::of(&registry);
    install(&mut client);
    client.ok(&["install", "redis"]);
    let prefix = client.prefix();
    let line = format!(
        "PATH='{}':\"$PATH\" # provisioning's installer\n",
        prefix.join("bin").display()
    );
    client.write(".bashrc", &format!("alias l=ls\n{line}"));
    client.write("prefix/bin/mine", "mine");
    client.write("prefix/etc/provisioning/redis/x", "mine");

    let error = client.error(1, &["self", "uninstall", "--yes"]);
    assert_eq!(error["code"], "still-installed");
    assert!(
        error["message"].as_str().unwrap().contains("redis 1.0.0"),
        "{error}"
    );
    let error = client.error(1, &["self", "uninstall", "--all"]);
    assert_eq!(error["code"], "not-confirmed", "nobody can say yes here");

    let listed = client.json(&["self", "uninstall", "--all", "--dry-run"]);
    let paths: Vec<&str> = listed["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect();
    for part in [
        ".bashrc",
        ".cache/provisioning",
        "state/provisioning/trust",
        "bin/redis-tool",
        "lib/provisioning/store",
    ] {
        assert!(
            paths.iter().any(|it| it.ends_with(part)),
            "{part} in {paths:?}"
        );
    }
    assert!(paths.last().unwrap().ends_with("prefix/lib/provisioning"));
    client.ok(&["verify"]);

    client.ok(&["self", "uninstall", "--all", "--yes"]);
    let left = |path: &str| client.home().join(path).symlink_metadata().is_ok();
    assert!(left("prefix/bin/mine") && left("prefix/etc/provisioning/redis/x"));
    for gone in [
        "prefix/lib",
        "prefix/share",
        "prefix/extensions",
        "prefix/bin/provisioning",
        "prefix/bin/redis-tool",
        ".cache/provisioning",
        "state/provisioning",
    ] {
        assert!(!left(gone), "{gone}");
    }
    assert_eq!(
        fs::read_to_string(client.home().join(".bashrc")).unwrap(),
        "alias l=ls\n"
    );
}

#[test]
fn a_cache_folder_that_somebody_chose_keeps_what_else_is_in_it() {
    let mut client = Client::alone();
    install(&mut client);
    client.write("mine/provisioning/notes", "mine");
    let line = format!(
        "PATH='{}':\"$PATH\" # provisioning's installer\n",
        client.prefix().join("bin").display()
    );
    client.write("dotfiles/bashrc", &format!("alias l=ls\n{line}"));
    let profile = client.home().join(".bashrc");
    std::os::unix::fs::symlink("dotfiles/bashrc", &profile).unwrap();
    let chosen = client.home().join("mine/provisioning");
    let client = client.with("PROVISIONING_CACHE_DIR", chosen.to_str().unwrap());
    client.ok(&["self", "uninstall", "--yes"]);
    assert!(chosen.join("notes").is_file());
    assert!(profile.is_symlink(), "somebody's link stays a link");
    assert_eq!(fs::read_to_string(&profile).unwrap(), "alias l=ls\n");
}

#[test]
fn with_nothing_installed_the_whole_prefix_goes_and_purge_takes_the_configuration() {
    let mut client = Client::alone();
    install(&mut client);
    client.write(".config/provisioning/config.toml", "color = \"never\"\n");
    let done = client.json(&["self", "uninstall", "--yes", "--purge"]);
    assert_eq!(done["removed"], true);
    assert!(!client.prefix().exists());
    assert!(!client.home().join(".config/provisioning").exists());
}
