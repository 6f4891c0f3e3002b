//! The registry's machine in a thief's hands, with every online key, after its offline keys
//! moved to people: what cannot be made to install, and what can.

use std::fs;
use std::path::PathBuf;

use provisioning_package::Digest;
use provisioning_registry_api::paths;
use provisioning_trust::{KeySet, SigningKey, canonical_json};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::registry_fixture::{Client, Sample};
use crate::signing::Offline;

/// A copy of the registry's files that the thief serves, with what it signs them by.
struct Loot {
    folder: TempDir,
    keys: KeySet,
}

impl Loot {
    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn newest(&self, role: &str) -> (u64, Value) {
        let end = format!(".{role}.json");
        let entries = fs::read_dir(self.path("metadata")).unwrap();
        let numbers = entries.filter_map(|it| {
            let name = it.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(&end)?.parse::<u64>().ok()
        });
        let number = numbers.max().unwrap();
        let bytes = fs::read(self.path(&format!("metadata/{number}{end}"))).unwrap();
        (number, serde_json::from_slice(&bytes).unwrap())
    }

    /// Signs `signed` with the key called `label`, or keeps the signatures of `file`.
    fn seal(&self, mut file: Value, label: Option<&str>) -> Vec<u8> {
        if let Some(label) = label {
            let message = canonical_json(&file["signed"]).unwrap();
            let signature = self.keys.key(label).unwrap().sign(&message);
            file["signatures"] = serde_json::to_value([signature]).unwrap();
        }
        serde_json::to_vec(&file).unwrap()
    }

    /// Writes the next version of a role, and the snapshot and timestamp that list it.
    fn put_role(&self, role: &str, label: Option<&str>, edit: impl Fn(&mut Value)) {
        let (number, mut file) = self.newest(role);
        let next = number + 1;
        file["signed"]["version"] = next.into();
        edit(&mut file["signed"]);
        let bytes = self.seal(file, label);
        let name = format!("metadata/{next}.{role}.json");
        fs::write(self.path(&name), &bytes).unwrap();
        let pin = if role.starts_with("bin-") {
            json!({ "version": next })
        } else {
            json!({"version": next, "length": bytes.len(),
                "hashes": {"sha256": Digest::of(&bytes).hex()}})
        };
        self.put_snapshot(|meta| {
            meta.insert(format!("{role}.json"), pin.clone());
        });
    }

    fn put_snapshot(&self, edit: impl Fn(&mut serde_json::Map<String, Value>)) {
        let (number, mut snapshot) = self.newest("snapshot");
        let next = number + 1;
        snapshot["signed"]["version"] = next.into();
        edit(snapshot["signed"]["meta"].as_object_mut().unwrap());
        let bytes = self.seal(snapshot, Some("snapshot"));
        fs::write(self.path(&format!("metadata/{next}.snapshot.json")), &bytes).unwrap();
        let place = self.path("metadata/timestamp.json");
        let mut timestamp: Value = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
        let version = timestamp["signed"]["version"].as_u64().unwrap() + 1;
        timestamp["signed"]["version"] = version.into();
        timestamp["signed"]["meta"]["snapshot.json"] = json!({"version": next,
            "length": bytes.len(), "hashes": {"sha256": Digest::of(&bytes).hex()}});
        fs::write(place, self.seal(timestamp, Some("timestamp"))).unwrap();
    }

    /// Puts a target's bytes where clients look for them; what lists them.
    fn put_target(&self, path: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let place = self.path(&format!("targets/{}", paths::consistent(path, &digest)));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
        json!({"length": bytes.len(), "hashes": {"sha256": digest.hex()}})
    }

    /// The text of a target that is signed now.
    fn target(&self, role: &str, path: &str) -> Value {
        let (_, file) = self.newest(role);
        let hex = file["signed"]["targets"][path]["hashes"]["sha256"]
            .as_str()
            .unwrap();
        let digest = Digest::from_hex(hex).unwrap();
        let place = self.path(&format!("targets/{}", paths::consistent(path, &digest)));
        serde_json::from_slice(&fs::read(place).unwrap()).unwrap()
    }
}

/// The bin that lists a path.
fn bin_of(path: &str) -> String {
    format!("bin-{}", &Digest::of(path.as_bytes()).hex()[..2])
}

struct Burglary {
    offline: Offline,
    /// An archive of a false core and a false extension, with their digests.
    evil: Vec<(PathBuf, Digest)>,
}

const CORE: &str = "index/core/core.json";
const REDIS: &str = "index/extension/redis.json";

impl Burglary {
    fn commit() -> Self {
        let offline = Offline::start(&[]);
        offline.publish(&Sample::first_party("core", "3.1.0"));
        offline.client.publish(&Sample::extension("redis", "1.0.0"));
        let matrix = offline.client.write(
            "versions.toml",
            "[compatibility.core]\n\"3.1.0\" = {}\n[bundles.stable-3.1]\nname = \"Stable\"\n\
             release-date = \"2026-01-01\"\ncore = \"3.1.0\"\n",
        );
        let client = &offline.client;
        client.ok(&["compat", "push", matrix.to_str().unwrap()]);
        client.ok(&[
            "trust",
            "sign",
            "--key",
            &offline.key("release"),
            matrix.to_str().unwrap(),
        ]);
        client.ok(&["bundle", "publish", "stable-3.1"]);
        client.ok(&["trust", "sign", "--key", &offline.key("release")]);
        let forger = Client::alone();
        let evil = [
            Sample::first_party("core", "6.6.6").file("share/core.txt", "evil"),
            Sample::extension("redis", "6.6.6").file("share/redis.txt", "evil"),
        ];
        let evil = evil.iter().map(|sample| {
            let file = forger.build(sample);
            let bytes = fs::read(&file).unwrap();
            let kept = offline.client.home().join(file.file_name().unwrap());
            fs::write(&kept, &bytes).unwrap();
            (kept, Digest::of(&bytes))
        });
        let evil = evil.collect();
        Self { offline, evil }
    }

    /// What the thief starts from, with the false archives beside the true ones.
    fn loot(&self) -> Loot {
        let folder = self.offline.registry.mirror();
        for (file, digest) in &self.evil {
            let place = folder.path().join(paths::archive(digest));
            fs::copy(file, place).unwrap();
        }
        let keys = KeySet::load(&self.offline.registry.data().join("keys")).unwrap();
        assert!(
            keys.key("release").is_none(),
            "the registry has no release key"
        );
        Loot { folder, keys }
    }

    /// An index entry that offers a false version beside the true ones.
    fn false_entry(&self, loot: &Loot, role: &str, path: &str) -> Vec<u8> {
        let mut entry = loot.target(role, path);
        let mut version = entry["versions"][0].clone();
        let (file, digest) = &self.evil[usize::from(path == REDIS)];
        version["version"] = "6.6.6".into();
        version["archives"][0]["digest"] = digest.prefixed().into();
        version["archives"][0]["size"] = fs::metadata(file).unwrap().len().into();
        entry["versions"].as_array_mut().unwrap().push(version);
        serde_json::to_vec(&entry).unwrap()
    }
}

/// A client of the thief's files that is told the true root's fingerprint.
fn victim(loot: &Loot, root: &str) -> Client {
    let address = format!("file://{}", loot.folder.path().display());
    Client::alone()
        .with("PROVISIONING_REGISTRY", &address)
        .with("PROVISIONING_ROOT_FINGERPRINT", root)
}

/// What it makes of them: the versions that it installs, or its refusal.
fn installs(client: &Client, spec: &str) -> Result<String, i32> {
    let ran = client.run(&["--json", "install", spec]);
    if ran.status() != 0 {
        return Err(ran.status());
    }
    let document: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let changes = document["plan"]["changes"].as_array().unwrap();
    let versions = changes
        .iter()
        .map(|it| it["to"].as_str().unwrap().to_owned());
    Ok(versions.collect::<Vec<_>>().join(","))
}

type Crime = (&'static str, &'static str, Box<dyn Fn(&Burglary, &Loot)>);

#[expect(
    clippy::too_many_lines,
    reason = "a table of crimes, one after the other"
)]
fn crimes() -> Vec<Crime> {
    let changed = |label: Option<&'static str>| {
        Box::new(move |it: &Burglary, loot: &Loot| {
            let entry = it.false_entry(loot, "release", CORE);
            let listed = loot.put_target(CORE, &entry);
            loot.put_role("release", label, |signed| {
                signed["targets"][CORE] = listed.clone();
            });
        }) as Box<dyn Fn(&Burglary, &Loot)>
    };
    let in_a_bin = |path: &'static str, text: fn(&Burglary, &Loot) -> Vec<u8>| {
        Box::new(move |it: &Burglary, loot: &Loot| {
            let listed = loot.put_target(path, &text(it, loot));
            loot.put_role(&bin_of(path), Some("bins"), |signed| {
                signed["targets"][path] = listed.clone();
            });
        }) as Box<dyn Fn(&Burglary, &Loot)>
    };
    vec![
        ("a release with its old signature", "core", changed(None)),
        (
            "a release that the bins' key signs",
            "core",
            changed(Some("bins")),
        ),
        (
            "a release that the snapshot's key signs",
            "core",
            changed(Some("snapshot")),
        ),
        (
            "a bin that lists the core",
            "core",
            in_a_bin(CORE, |it, loot| it.false_entry(loot, "release", CORE)),
        ),
        (
            "a bin that lists a bundle",
            "false-1.0",
            in_a_bin("bundles/false-1.0.json", |it, _| {
                json!({"schema": 1, "name": "false-1.0", "sequences": [{"sequence": 1, "title": "x",
                "targets": [], "upgrades_from": [], "state": "stable", "gates": [], "members": [
                    {"kind": "core", "name": "core", "version": "6.6.6", "required": true,
                        "digests": {"any": it.evil[0].1.prefixed()}}]}]})
                .to_string()
                .into_bytes()
            }),
        ),
        (
            "a bin that lists the channels",
            "core",
            in_a_bin("channels.json", |_, _| {
                json!({"schema": 1, "channels": {"stable": {"bundle": "false-1.0", "sequence": 1}}})
                    .to_string()
                    .into_bytes()
            }),
        ),
        (
            "a bin that lists the matrix",
            "core",
            in_a_bin("versions.toml", |_, _| {
                b"[compatibility.core]\n\"6.6.6\" = {}\n".to_vec()
            }),
        ),
        (
            "targets that hand the core to the bins' key",
            "core",
            Box::new(|_, loot| {
                let (_, extensions) = loot.newest("extensions");
                let delegated = &extensions["signed"]["delegations"]["roles"][0]["keyids"];
                loot.put_role("targets", Some("bins"), |signed| {
                    signed["delegations"]["roles"][0]["keyids"] = delegated.clone();
                });
            }),
        ),
        (
            "extensions that hand the core on",
            "core",
            Box::new(|_, loot| {
                loot.put_role("extensions", Some("bins"), |signed| {
                    signed["delegations"]["roles"][0]["paths"] = json!([CORE]);
                });
            }),
        ),
        (
            "a root that the online keys sign",
            "core",
            Box::new(|_, loot| {
                let (number, mut root) = loot.newest("root");
                root["signed"]["version"] = (number + 1).into();
                let bins = loot.keys.key("bins").unwrap();
                let id = bins.key_id().to_owned();
                root["signed"]["keys"][&id] = serde_json::to_value(bins.public_key()).unwrap();
                root["signed"]["roles"]["root"] = json!({"keyids": [id], "threshold": 1});
                let bytes = loot.seal(root, Some("bins"));
                fs::write(
                    loot.path(&format!("metadata/{}.root.json", number + 1)),
                    bytes,
                )
                .unwrap();
                loot.put_snapshot(|_| ());
                let place = loot.path(paths::DISCOVERY);
                let mut discovery: Value =
                    serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
                discovery["root_version"] = (number + 1).into();
                fs::write(place, discovery.to_string()).unwrap();
            }),
        ),
        (
            "an older release",
            "core",
            Box::new(|_, loot| {
                let (number, _) = loot.newest("release");
                loot.put_snapshot(|meta| {
                    let bytes =
                        fs::read(loot.path(&format!("metadata/{}.release.json", number - 1)));
                    let bytes = bytes.unwrap();
                    meta.insert(
                        "release.json".to_owned(),
                        json!({"version": number - 1,
                    "length": bytes.len(), "hashes": {"sha256": Digest::of(&bytes).hex()}}),
                    );
                });
            }),
        ),
        (
            "no release at all",
            "core",
            Box::new(|_, loot| {
                loot.put_snapshot(|meta| drop(meta.remove("release.json")));
            }),
        ),
        (
            "other bytes under a signed entry's name",
            "core",
            Box::new(|it, loot| {
                let (_, release) = loot.newest("release");
                let hex = release["signed"]["targets"][CORE]["hashes"]["sha256"]
                    .as_str()
                    .unwrap();
                let digest = Digest::from_hex(hex).unwrap();
                let place = loot.path(&format!("targets/{}", paths::consistent(CORE, &digest)));
                fs::write(place, it.false_entry(loot, "release", CORE)).unwrap();
            }),
        ),
        (
            "other bytes under a signed archive's name",
            "core",
            Box::new(|it, loot| {
                let entry = loot.target("release", CORE);
                let digest = entry["versions"][0]["archives"][0]["digest"]
                    .as_str()
                    .unwrap();
                let digest: Digest = digest.parse().unwrap();
                fs::copy(&it.evil[0].0, loot.path(&paths::archive(&digest))).unwrap();
            }),
        ),
    ]
}

#[test]
fn a_thief_with_every_online_key_ships_no_core_bundle_channel_or_matrix() {
    let burglary = Burglary::commit();
    let root = burglary.offline.client.json(&["trust", "show"]);
    let root = root["root_fingerprint"].as_str().unwrap();
    let crimes = crimes();
    assert!(crimes.len() >= 10);
    for (what, spec, crime) in crimes {
        // A machine that knew the registry, and one that knows its root alone.
        for knows in [false, true] {
            let loot = burglary.loot();
            let client = victim(&loot, root);
            if knows {
                client.ok(&["resolve", "core", "redis"]);
            }
            crime(&burglary, &loot);
            match (what, installs(&client, spec)) {
                // What no role may list is not there; the truth beside it still is.
                (
                    "a bin that lists the core"
                    | "a bin that lists the channels"
                    | "a bin that lists the matrix"
                    | "extensions that hand the core on",
                    Ok(versions),
                ) => assert_eq!(versions, "3.1.0", "{what}"),
                ("a bin that lists a bundle", Err(status)) => assert_eq!(status, 3, "{what}"),
                // Old, and true: a stranger cannot know better, whoever knew newer refuses.
                ("an older release", Ok(versions)) if !knows => {
                    assert_eq!(versions, "3.1.0", "{what}");
                }
                (_, Err(status)) => assert_eq!(status, 4, "{what}"),
                (_, Ok(versions)) => panic!("{what}: {versions} was installed"),
            }
        }
    }
}

#[test]
fn the_same_thief_can_ship_a_false_community_extension_until_its_bins_get_a_new_key() {
    let burglary = Burglary::commit();
    let root = burglary.offline.client.json(&["trust", "show"]);
    let root = root["root_fingerprint"].as_str().unwrap();
    let loot = burglary.loot();
    let bin = bin_of(REDIS);
    let entry = burglary.false_entry(&loot, &bin, REDIS);
    let listed = loot.put_target(REDIS, &entry);
    loot.put_role(&bin, Some("bins"), |signed| {
        signed["targets"][REDIS] = listed.clone();
    });
    assert_eq!(
        installs(&victim(&loot, root), "redis"),
        Ok("6.6.6".to_owned())
    );
    assert_eq!(
        installs(&victim(&loot, root), "core"),
        Ok("3.1.0".to_owned())
    );
    // The honest registry gives the bins a new key: what the old one signs ends.
    let offline = &burglary.offline;
    let extensions = offline.key("extensions");
    offline
        .client
        .ok(&["trust", "rotate", "bins", "--key", &extensions]);
    let stolen = loot.keys;
    let loot = Loot {
        keys: stolen,
        ..burglary.loot()
    };
    let listed = loot.put_target(REDIS, &entry);
    loot.put_role(&bin, Some("bins"), |signed| {
        signed["targets"][REDIS] = listed.clone();
    });
    assert_eq!(installs(&victim(&loot, root), "redis"), Err(4));
}

#[test]
fn a_stranger_who_signs_like_a_registry_is_none() {
    let stranger = SigningKey::generate().unwrap();
    let burglary = Burglary::commit();
    let loot = burglary.loot();
    let wrong = format!("sha256:{}", stranger.key_id());
    assert_eq!(installs(&victim(&loot, &wrong), "core"), Err(4));
}
