//! Completions and manual pages that stand in the prefix.

use std::fs;
use std::process::Command;

use crate::registry_fixture::Client;

#[test]
fn completions_and_pages_are_links_into_our_own_folder() {
    let client = Client::alone();
    let document = client.json(&["completions", "--install"]);
    let installed = document["installed"].as_array().unwrap();
    assert!(installed.len() > 30, "{document}");
    let base = client.prefix().join("lib/provisioning/shell");
    let base = base.canonicalize().unwrap();
    for path in installed {
        let path = std::path::Path::new(path.as_str().unwrap());
        assert!(path.canonicalize().unwrap().starts_with(&base), "{path:?}");
    }
    let share = client.prefix().join("share");
    let script = share.join("bash-completion/completions/provisioning");
    let parsed = Command::new("bash")
        .arg("-n")
        .arg(&script)
        .output()
        .unwrap();
    assert!(parsed.status.success(), "{parsed:?}");
    let page = fs::read_to_string(share.join("man/man1/provisioning-install.1")).unwrap();
    assert!(page.contains(".TH"), "{page}");
    for path in [
        "zsh/site-functions/_provisioning",
        "fish/vendor_completions.d/provisioning.fish",
        "nushell/vendor/autoload/provisioning.nu",
        "powershell/provisioning.ps1",
    ] {
        let text = fs::read_to_string(share.join(path)).unwrap();
        assert!(text.contains("uninstall"), "{path}");
    }
    assert_eq!(client.json(&["completions", "--install"]), document);
}

#[test]
fn a_file_of_somebody_else_stays_and_is_named() {
    let client = Client::alone();
    let path = "prefix/share/zsh/site-functions/_provisioning";
    client.write(path, "# mine\n");
    let document = client.json(&["completions", "--install"]);
    let taken = document["taken"].to_string();
    assert!(taken.contains("_provisioning"), "{taken}");
    let text = fs::read_to_string(client.home().join(path)).unwrap();
    assert_eq!(text, "# mine\n");
}

#[test]
fn a_page_of_a_command_that_is_gone_goes_too() {
    let client = Client::alone();
    client.ok(&["completions", "--install"]);
    let pages = client.prefix().join("share/man/man1");
    let old = pages.join("provisioning-bygone.1");
    std::os::unix::fs::symlink(
        "../../../lib/provisioning/shell/man/man1/provisioning-bygone.1",
        &old,
    )
    .unwrap();
    client.write("prefix/share/man/man1/other.1", "not ours\n");
    client.ok(&["completions", "--install"]);
    assert!(old.symlink_metadata().is_err());
    assert!(pages.join("other.1").is_file());
}
