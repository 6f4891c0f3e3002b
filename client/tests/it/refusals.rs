//! What a registry folder holds that is strange, turned round or shut: the usable part is
//! used, and a refusal says the same whatever the order of what it is about.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use provisioning_package::Digest;

use crate::foreign_registry::ForeignRegistry;
use crate::product::packages;
use crate::registry_fixture::Client;

/// A version of an index entry. `more` goes behind its number.
fn version(number: &str, needs: &[(&str, &str)], more: &str) -> String {
    let needs: Vec<String> = needs
        .iter()
        .map(|(name, req)| format!(r#""{name}": {{"req": "{req}"}}"#))
        .collect();
    format!(
        r#"{{"version": "{number}", "dependencies": {{{}}}{more}}}"#,
        needs.join(", ")
    )
}

/// The archives of a version, as a field.
fn archives(targets: &[&str], format: &str) -> String {
    let archives: Vec<String> = targets
        .iter()
        .map(|target| {
            let digest = Digest::of(target.as_bytes()).prefixed();
            format!(
                r#"{{"target": "{target}", "digest": "{digest}", "size": 1, "unpacked": 1,
                    "entries": 1, "format": "{format}"}}"#
            )
        })
        .collect();
    format!(r#", "archives": [{}]"#, archives.join(", "))
}

fn entry(registry: &mut ForeignRegistry, name: &str, versions: &[String]) {
    let text = format!(
        r#"{{"schema": 1, "kind": "extension", "name": "{name}", "type": "taskserv",
            "versions": [{}]}}"#,
        versions.join(", ")
    );
    let path = format!("index/extension/{name}.json");
    registry.target(&path, text.as_bytes());
}

#[test]
fn a_version_that_cannot_be_understood_is_refused_alone_and_the_refusal_says_why() {
    let any = archives(&["any"], "tar.zst");
    let mut registry = ForeignRegistry::new();
    let strange = [
        version("1.0.0", &[], &any),
        version("2.0.0", &[("Foo", "^1")], &any),
        version("3.0.0", &[("foo_bar", "^1.2")], &any),
        version("4.0.0", &[("other", "sometime next week")], &any),
        version("5.0.0", &[], &archives(&["plan9-mips"], "tar.zst")),
        version("6.0.0", &[], &archives(&["any"], "shar")),
        version("seven", &[], &any),
    ];
    entry(&mut registry, "strange", &strange);
    entry(
        &mut registry,
        "user",
        &[version("1.0.0", &[("strange", "^2")], &any)],
    );
    entry(&mut registry, "other", &[version("1.0.0", &[], &any)]);
    let client = registry.signed();
    assert_eq!(
        packages(&client.json(&["resolve", "strange"])),
        ["strange 1.0.0"]
    );
    for (spec, why) in [
        (
            "user",
            "it needs `Foo` `^1`, and no package of a registry can have that name",
        ),
        ("strange@3", "it needs `foo_bar` `^1.2`, and no package"),
        (
            "strange@4",
            "it needs `other` `sometime next week`, which cannot be understood",
        ),
        (
            "strange@5",
            "this client does not know what its archives have: the target `plan9-mips`",
        ),
        (
            "strange@6",
            "this client does not know what its archives have: the format `shar`",
        ),
        (
            "strange@7",
            "this registry has 1.0.0; `seven` is there too and is no SemVer version",
        ),
    ] {
        let refused = client.error(3, &["resolve", spec]);
        assert_eq!(refused["code"], "no-solution");
        let causes = refused["causes"].to_string();
        assert!(causes.contains(why), "{spec}: {causes}");
    }
}

#[test]
fn an_index_that_is_written_the_other_way_round_gives_the_same_answers_and_texts() {
    let both = ["linux-arm64", "linux-x86_64"];
    let folder = |is_turned: bool| {
        let turned = |it: &[&'static str]| -> String {
            let mut targets = it.to_vec();
            if is_turned {
                targets.reverse();
            }
            archives(&targets, "tar.zst")
        };
        let mut registry = ForeignRegistry::new();
        for (name, needs) in [
            ("alpha", [("gamma", "^1"), ("delta", "^1")]),
            ("beta", [("gamma", "^2"), ("delta", ">=1, <3")]),
            ("gamma", [("delta", "*"), ("Odd", "^1")]),
            ("delta", [("odd_one", "^1"), ("gamma", "^9")]),
        ] {
            let mut needs = needs.to_vec();
            if is_turned {
                needs.reverse();
            }
            let is_leaf = name == "gamma" || name == "delta";
            let mut versions = vec![
                version("1.0.0", if is_leaf { &[] } else { &needs }, &turned(&both)),
                version("1.10.0", if is_leaf { &[] } else { &needs }, &turned(&both)),
                version("1.9.0", &[], &turned(&["macos-arm64", "macos-x86_64"])),
                version("2.0.0-rc.1", &[], &turned(&both)),
                version("3.0.0", &needs, &turned(&both)),
            ];
            if is_turned {
                versions.reverse();
            }
            entry(&mut registry, name, &versions);
        }
        registry
    };
    let (one, other) = (folder(false), folder(true));
    // One client meets each: the addresses are no part of any text.
    let (one, other) = (one.signed(), other.signed());
    for specs in [
        &["alpha@1.10.0"][..],
        &["alpha@1", "delta@1"],
        &["alpha@1.10.0", "beta@1.10.0"],
        &["beta@3"],
        &["gamma@3", "delta@3"],
        &["gamma@1.9.0"],
        &["gamma@2"],
        &["alpha", "beta", "gamma@^7"],
    ] {
        for target in ["linux-x86_64", "macos-arm64"] {
            let mut arguments = vec!["resolve", "--target", target];
            arguments.extend(specs);
            let told = |client: &Client| {
                let ran = client.run(&arguments);
                (ran.status(), ran.stdout(), ran.stderr())
            };
            assert_eq!(told(&one), told(&other), "{arguments:?}");
        }
    }
}

/// Serves a folder until the test ends; what `is_shut` names is answered with 401.
fn serve(folder: PathBuf, is_shut: fn(&str) -> bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = answer(stream, &folder, is_shut);
        }
    });
    address
}

fn answer(
    mut stream: TcpStream,
    folder: &std::path::Path,
    is_shut: fn(&str) -> bool,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|it| !it.is_empty()) {}
    let path = first
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let (status, body) = if is_shut(path) {
        ("401 Unauthorized", Vec::new())
    } else {
        match std::fs::read(folder.join(path)) {
            Ok(bytes) => ("200 OK", bytes),
            Err(_) => ("404 Not Found", Vec::new()),
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

#[test]
fn an_entry_that_one_may_not_read_is_told_apart_from_one_that_is_not_there() {
    let mut registry = ForeignRegistry::new();
    registry.extension("open", &[("1.0.0", &[("secret", "^1")])]);
    registry.extension("lost", &[("1.0.0", &[("nowhere", "^1")])]);
    registry.extension("secret", &[("1.0.0", &[])]);
    let address = serve(registry.signed_folder().to_owned(), |path| {
        path.ends_with(".secret.json")
    });
    let client = Client::alone().with("PROVISIONING_REGISTRY", &address);
    let shut = client.error(3, &["resolve", "open"]);
    let causes = shut["causes"].to_string();
    assert!(
        causes.contains("does not let you read about `secret`: the server answered 401"),
        "{shut}"
    );
    assert_eq!(shut["explanation"]["because"][2]["kind"], "not-authorised");
    let lost = client.error(3, &["resolve", "lost"]);
    assert!(
        lost["causes"]
            .to_string()
            .contains("has no package `nowhere`"),
        "{lost}"
    );
}

#[test]
fn a_lockfile_says_on_which_targets_it_does_not_install() {
    let everywhere = ["linux-x86_64", "linux-arm64", "macos-arm64", "macos-x86_64"];
    let mut registry = ForeignRegistry::new();
    let all = archives(&everywhere, "tar.zst");
    let few = archives(&everywhere[..3], "tar.zst");
    entry(&mut registry, "wide", &[version("1.0.0", &[], &all)]);
    entry(
        &mut registry,
        "narrow",
        &[version("1.0.0", &[], &all), version("1.1.0", &[], &few)],
    );
    let client = registry.signed();
    client.write(
        "provisioning.toml",
        "[requires]\nwide = \"^1\"\nnarrow = \"^1\"\n",
    );
    let ran = client.run(&["lock", "--json"]);
    assert_eq!(ran.status(), 0, "{}", ran.stderr());
    let missing = "on macos-x86_64 this lockfile does not install: narrow 1.1.0 has no archive \
                   for it (narrow 1.0.0 has one)";
    assert!(ran.stderr().contains(missing), "{}", ran.stderr());
    assert_eq!(ran.stderr().matches("does not install").count(), 1);
    let lockfile = std::fs::read_to_string(client.home().join("provisioning.lock")).unwrap();
    let narrow = lockfile.lines().find(|it| it.starts_with("narrow = {"));
    for target in &everywhere[..3] {
        assert!(narrow.unwrap().contains(target), "{lockfile}");
    }
    // As it looks where nothing is made for the machine.
    let host = provisioning_package::Target::host().unwrap();
    let elsewhere = narrow.unwrap().replace(host.as_str(), "macos-x86_64");
    client.write(
        "provisioning.lock",
        &lockfile.replace(narrow.unwrap(), &elsewhere),
    );
    let refused = client.error(3, &["sync", "--frozen"]);
    assert_eq!(refused["code"], "no-archive");
    let message = format!("narrow 1.1.0 is locked and has no archive for {host}");
    assert_eq!(refused["message"], message);
}
