//! Publishing: round trips, repetition, refusal, and being killed half-way.

use std::time::Duration;

use crate::registry_fixture::{Client, Registry, Sample};

fn path(archive: &std::path::Path) -> &str {
    archive.to_str().unwrap()
}

#[test]
fn what_was_published_is_what_info_and_search_show() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    let sample = Sample::extension("mongodb", "1.2.0")
        .key("core-version = \"^3.0\"")
        .key("description = \"MongoDB replica sets\"");
    let archive = client.build(&sample);
    let published = client.json(&["publish", path(&archive)]);
    assert_eq!(published["state"], "visible");
    assert!(!published["session"].as_str().unwrap().is_empty());
    let info = client.json(&["info", "mongodb"]);
    assert_eq!(info["versions"][0]["version"], "1.2.0");
    assert_eq!(info["versions"][0]["dependencies"]["core"]["req"], "^3.0");
    let found = client.json(&["search", "mongo"]);
    assert_eq!(found["packages"][0]["name"], "mongodb");
    let status = client.json(&["publish", "status", published["session"].as_str().unwrap()]);
    assert_eq!(status["state"], "visible");
    let text = client.ok(&["info", "mongodb-taskserv"]);
    assert!(text.contains("core ^3.0"), "{text}");
    assert_eq!(
        client.error(3, &["info", "mongo"])["code"],
        "unknown-package"
    );
}

#[test]
fn the_same_bytes_again_succeed_and_other_bytes_are_refused_with_both_digests() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    let archive = client.build(&Sample::first_party("core", "3.1.0"));
    let first = client.json(&["package", "inspect", path(&archive)]);
    client.ok(&["publish", path(&archive)]);
    assert_eq!(
        client.json(&["publish", path(&archive)])["state"],
        "visible"
    );
    let other = client.build(&Sample::first_party("core", "3.1.0").file("more", "other bytes"));
    let second = client.json(&["package", "inspect", path(&other)]);
    let error = client.error(1, &["publish", path(&other)]);
    assert_eq!(error["code"], "version-exists");
    for digest in [&first["digest"], &second["digest"]] {
        let digest = digest.as_str().unwrap();
        assert!(error.to_string().contains(digest), "{digest}: {error}");
    }
}

#[test]
fn several_archives_become_visible_together_or_not_at_all() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.0.0"));
    let good = client.build(&Sample::extension("azure", "2.0.0"));
    let bad = client.build(&Sample::extension("redis", "1.0.0").file("more", "other bytes"));
    client.error(1, &["publish", path(&good), path(&bad)]);
    assert_eq!(
        client.error(3, &["info", "azure"])["code"],
        "unknown-package"
    );
    let fine = client.build(&Sample::extension("redis", "1.1.0"));
    client.ok(&["publish", path(&good), path(&fine)]);
    assert_eq!(
        client.json(&["info", "azure"])["versions"][0]["version"],
        "2.0.0"
    );
}

#[test]
fn declared_targets_are_waited_for_and_the_last_makes_the_version_visible() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.build(&Sample::first_party("platform", "2.5.0"));
    let folder = "src/platform-2.5.0";
    let archives = ["linux-x86_64", "linux-arm64"].map(|target| {
        let built = client.json(&["package", "build", folder, "--target", target, "-o", "dist"]);
        built["archive"].as_str().unwrap().to_owned()
    });
    let targets = ["--targets", "linux-x86_64,linux-arm64"];
    let first = client.json(&["publish", &archives[0], targets[0], targets[1]]);
    assert_eq!(first["state"], "uploading");
    client.error(3, &["info", "platform"]);
    let second = client.json(&["publish", &archives[1], targets[0], targets[1]]);
    assert_eq!(second["state"], "visible");
    let info = client.json(&["info", "platform"]);
    assert_eq!(info["versions"][0]["archives"].as_array().unwrap().len(), 2);
}

#[test]
fn a_publish_that_waits_says_for_what_and_can_be_given_up() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    client.build(&Sample::first_party("platform", "2.5.0"));
    let target = ["--target", "linux-x86_64", "-o", "dist"];
    let built = client.json(&[&["package", "build", "src/platform-2.5.0"], &target[..]].concat());
    let archive = built["archive"].as_str().unwrap();
    let targets = "linux-x86_64,linux-arm64";
    let waiting = client.json(&["publish", archive, "--targets", targets]);
    assert_eq!(waiting["waits_for"], "archives");
    let session = waiting["session"].as_str().unwrap();
    let text = client.ok(&["publish", "status", session]);
    for part in [
        "missing: platform 2.5.0 for linux-arm64",
        "since: ",
        "publish abandon",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let ended = client.json(&["publish", "abandon", session]);
    assert_eq!(ended["state"], "refused");
    let error = client.error(1, &["publish", "status", session]);
    assert_eq!(error["code"], "publish-refused");
    assert!(
        error["causes"].to_string().contains("gave it up"),
        "{error}"
    );
}

#[test]
fn without_a_token_or_with_a_wrong_one_the_failure_says_what_to_do() {
    let registry = Registry::start();
    let client = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    let archive = client.build(&Sample::first_party("core", "3.1.0"));
    let error = client.error(1, &["publish", path(&archive)]);
    assert_eq!(error["code"], "no-token");
    assert!(error["hints"].to_string().contains("provisioning login"));
    let client = client.with("PROVISIONING_TOKEN", "not-a-token");
    let error = client.error(1, &["publish", path(&archive)]);
    assert!(
        error["hints"].to_string().contains("PROVISIONING_TOKEN"),
        "{error}"
    );
    assert!(!error.to_string().contains("not-a-token"), "{error}");
}

#[test]
fn a_folder_can_be_read_and_never_published_to() {
    let registry = Registry::start();
    let mirror = registry.mirror();
    let client = Client::of(&registry).with(
        "PROVISIONING_REGISTRY",
        &format!("file://{}", mirror.path().display()),
    );
    let archive = client.build(&Sample::first_party("core", "3.1.0"));
    assert_eq!(
        client.error(1, &["publish", path(&archive)])["code"],
        "read-only-registry"
    );
}

/// Text that does not compress well, always the same.
fn noise(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(b'!' + u8::try_from(state % 90).unwrap()));
    }
    text
}

#[test]
fn a_publish_that_was_killed_anywhere_succeeds_when_it_is_run_again() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    let noise = noise(6_400_000);
    for (round, delay) in [5, 20, 60, 120, 250].into_iter().enumerate() {
        let version = format!("1.0.{round}");
        let archive = client.build(&Sample::extension("big", &version).file("noise", &noise));
        let mut child = client
            .command(&["publish", path(&archive)])
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        let _ = child.wait();
        assert_eq!(
            client.json(&["publish", path(&archive)])["state"],
            "visible",
            "{version}"
        );
    }
    let info = client.json(&["info", "big"]);
    assert_eq!(info["versions"].as_array().unwrap().len(), 5);
}

#[test]
fn a_registry_that_is_killed_serves_all_that_it_acknowledged() {
    let mut registry = Registry::start();
    let client = Client::of(&registry);
    client.publish(&Sample::extension("redis", "1.1.0"));
    registry.crash_and_restart();
    assert_eq!(
        client.json(&["info", "redis"])["versions"][0]["version"],
        "1.1.0"
    );
    client.publish(&Sample::extension("redis", "1.2.0"));
}

#[test]
fn a_discovery_document_cannot_send_the_token_to_another_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let root = format!("sha256:{}", "0".repeat(64));
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = std::io::Read::read(&mut socket, &mut [0; 4096]);
            let body = format!(
                "{{\"protocol\": 1, \"name\": \"x\", \"metadata\": \"metadata/\", \"targets\": \
                 \"targets/\", \"archives\": \"archives/\", \"api\": \"http://127.0.0.1:9/api/v1/\", \
                 \"root_fingerprint\": \"{root}\"}}"
            );
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = std::io::Write::write_all(&mut socket, format!("{head}{body}").as_bytes());
        }
    });
    let client = Client::alone()
        .with("PROVISIONING_REGISTRY", &address)
        .with("PROVISIONING_TOKEN", "secret-token");
    let archive = client.build(&Sample::first_party("core", "3.1.0"));
    let error = client.error(1, &["publish", path(&archive)]);
    assert_eq!(error["code"], "foreign-api");
    let server = client.run(&["-vv", "publish", path(&archive)]);
    assert!(
        !server.stderr().contains("secret-token"),
        "{}",
        server.stderr()
    );
}

/// An archive with a link to `/etc/passwd`, made by the system's `tar`.
fn hostile(client: &Client) -> std::path::PathBuf {
    let manifest = "[extension]\nname = \"evil\"\nversion = \"1.0.0\"\ntype = \"taskserv\"\n";
    client.write("evil/manifest.toml", manifest);
    std::os::unix::fs::symlink("/etc/passwd", client.home().join("evil/link")).unwrap();
    let archive = client.home().join("evil.tar.gz");
    let made = std::process::Command::new("tar")
        .arg("czf")
        .arg(&archive)
        .arg("-C")
        .arg(client.home().join("evil"))
        .arg(".")
        .status()
        .unwrap();
    assert!(made.success());
    archive
}

#[test]
fn a_hostile_archive_is_refused_with_one_code_at_build_inspect_unpack_and_publish() {
    let registry = Registry::start();
    let client = Client::of(&registry);
    let archive = hostile(&client);
    let codes = [
        client.error(4, &["package", "build", "evil"]),
        client.error(4, &["package", "inspect", path(&archive)]),
        client.error(4, &["package", "unpack", path(&archive), "--to", "out"]),
        client.error(4, &["publish", path(&archive)]),
    ]
    .map(|error| {
        assert!(
            error["message"].as_str().unwrap().contains("`link`"),
            "{error}"
        );
        error["code"].as_str().unwrap().to_owned()
    });
    assert!(codes.iter().all(|it| *it == codes[0]), "{codes:?}");
    assert!(!client.home().join("out").exists());
    client.error(3, &["info", "evil"]);
}

#[test]
fn a_server_that_is_killed_during_a_publish_does_not_keep_it_from_succeeding() {
    let mut registry = Registry::start();
    let client = Client::of(&registry);
    for (round, delay) in [30, 90, 180].into_iter().enumerate() {
        let sample = Sample::extension("big", &format!("2.0.{round}"));
        let archive = client.build(&sample.file("noise", &noise(6_400_000)));
        let mut child = client
            .command(&["publish", path(&archive)])
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        registry.crash_and_restart();
        let _ = child.wait();
        assert_eq!(
            client.json(&["publish", path(&archive)])["state"],
            "visible"
        );
    }
}
