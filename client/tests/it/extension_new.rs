//! Extensions that are begun with `extension new`.

use std::process::Command;

use crate::registry_fixture::{Client, Registry, Sample};

#[test]
fn a_new_extension_of_every_type_builds_publishes_and_installs_as_it_is() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    for kind in ["provider", "taskserv", "cluster", "workflow"] {
        let name = format!("my-{}", &kind[..4]);
        let made = client.json(&["extension", "new", &name, "--type", kind]);
        assert_eq!(made["extension"], name.as_str());
        let ran = client.run(&["package", "build", &name, "-o", "dist"]);
        assert_eq!((ran.status(), ran.stderr().as_str()), (0, ""), "{kind}");
        let archive = format!("dist/provisioning-ext-{name}-0.1.0.tar.zst");
        client.ok(&["publish", &archive]);
        let text = std::fs::read_to_string(client.home().join(&name).join("README.md")).unwrap();
        assert!(!text.contains('@'), "{text}");
    }
    // It needs a core, as its manifest says.
    client.error(3, &["extension", "install", "my-clus"]);
    client.publish(&Sample::first_party("core", "3.1.0"));
    client.ok(&["extension", "install", "my-clus"]);
}

#[test]
fn names_that_no_extension_may_have_and_folders_in_use_are_refused() {
    let client = Client::alone();
    for bad in [
        "core",
        "Redis",
        "a--b",
        "azure-provider",
        "ext-x",
        "../x",
        "stable",
    ] {
        let error = client.error(2, &["extension", "new", bad, "--type", "taskserv"]);
        assert_eq!(error["code"], "invalid-name", "{bad}: {error}");
    }
    assert_eq!(
        client
            .run(&["extension", "new", "x", "--type", "plugin"])
            .status(),
        2
    );
    client.write("redis/mine", "");
    let error = client.error(1, &["extension", "new", "redis", "--type", "taskserv"]);
    assert_eq!(error["code"], "folder-exists");
    client.ok(&[
        "extension",
        "new",
        "redis",
        "--type",
        "taskserv",
        "elsewhere",
    ]);
    assert!(client.home().join("elsewhere/taskserv.nu").is_file());
    let names: Vec<_> = std::fs::read_dir(client.home()).unwrap().collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn the_smoke_test_of_a_new_extension_passes_where_nushell_is() {
    let client = Client::alone();
    let Some(nu) = nushell() else {
        return;
    };
    for kind in ["provider", "taskserv", "cluster", "workflow"] {
        client.ok(&["extension", "new", "shop", "--type", kind, kind]);
        let ran = Command::new(&nu)
            .args(["--no-config-file", "tests/smoke.nu"])
            .current_dir(client.home().join(kind))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(
            said.trim(),
            "shop: ok",
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
}

/// Nushell, which `scripts/test` puts into `PATH`.
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks for a program in its own environment"
)]
fn nushell() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|it| it.join("nu"))
        .find(|it| it.is_file())
}
