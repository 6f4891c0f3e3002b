//! A registry folder as somebody else's signer makes it: one key, no delegations, nothing
//! that the contract does not ask for.

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use provisioning_package::Digest;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::registry_fixture::Client;

const EXPIRES: &str = "2099-01-01T00:00:00Z";

/// A registry folder.
pub(crate) struct ForeignRegistry {
    folder: TempDir,
    targets: Map<String, Value>,
    /// When its timestamp ends.
    pub(crate) timestamp_expires: String,
}

impl ForeignRegistry {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            targets: Map::new(),
            timestamp_expires: EXPIRES.to_owned(),
        }
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a target.
    pub(crate) fn target(&mut self, path: &str, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        let place = provisioning_registry_api::paths::consistent(path, &digest);
        self.write(&format!("targets/{place}"), bytes);
        let hashes = json!({"length": bytes.len(), "hashes": {"sha256": digest.hex()}});
        self.targets.insert(path.to_owned(), hashes);
    }

    /// Adds an extension; each version is `(version, [(needed, requirement)])`.
    pub(crate) fn extension(&mut self, name: &str, versions: &[(&str, &[(&str, &str)])]) {
        self.package("extension", name, versions);
    }

    /// Adds a package of the kind that is its name.
    pub(crate) fn first_party(&mut self, name: &str, versions: &[(&str, &[(&str, &str)])]) {
        self.package(name, name, versions);
    }

    fn package(&mut self, kind: &str, name: &str, versions: &[(&str, &[(&str, &str)])]) {
        let versions: Vec<Value> = versions
            .iter()
            .map(|(version, needs)| {
                let digest = Digest::of(format!("{name} {version}").as_bytes());
                let needs: Map<String, Value> = needs
                    .iter()
                    .map(|(needed, req)| ((*needed).to_owned(), json!({ "req": req })))
                    .collect();
                json!({"version": version, "published_at": "2025-10-01T12:00:00Z",
                    "dependencies": needs,
                    "archives": [{"target": "any", "digest": digest.prefixed(), "size": 1,
                        "unpacked": 1, "entries": 1, "format": "tar.zst"}]})
            })
            .collect();
        let is_extension = kind == "extension";
        let entry = json!({"schema": 1, "kind": kind, "name": name,
            "type": is_extension.then_some("taskserv"), "versions": versions});
        let path = format!("index/{kind}/{name}.json");
        self.target(&path, entry.to_string().as_bytes());
    }

    /// Signs everything; a client of it.
    pub(crate) fn signed(&self) -> Client {
        let address = format!("file://{}", self.signed_folder().display());
        Client::alone().with("PROVISIONING_REGISTRY", &address)
    }

    /// Signs everything; the folder.
    pub(crate) fn signed_folder(&self) -> &Path {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = json!({"keytype": "ed25519", "scheme": "ed25519",
            "keyval": {"public": hex::encode(key.verifying_key().to_bytes())}});
        let id = Digest::of(&provisioning_trust::canonical_json(&public).unwrap()).hex();
        let role = json!({"keyids": [&id], "threshold": 1});
        let roles = json!({"root": role, "targets": role, "snapshot": role, "timestamp": role});
        let root = json!({"consistent_snapshot": true, "keys": {&id: public}, "roles": roles});
        let metas = json!({"targets.json": {"version": 1}});
        let root = self.sign(&key, &id, "root", "1.root.json", root);
        self.sign(
            &key,
            &id,
            "targets",
            "1.targets.json",
            json!({ "targets": self.targets }),
        );
        self.sign(
            &key,
            &id,
            "snapshot",
            "1.snapshot.json",
            json!({ "meta": metas }),
        );
        let metas = json!({"snapshot.json": {"version": 1}});
        self.sign(
            &key,
            &id,
            "timestamp",
            "timestamp.json",
            json!({ "meta": metas }),
        );
        let discovery = json!({"protocol": 1, "metadata": "metadata/", "targets": "targets/",
            "archives": "archives/", "root_fingerprint": Digest::of(&root).prefixed()});
        self.write(
            ".well-known/provisioning-registry.json",
            discovery.to_string().as_bytes(),
        );
        self.folder()
    }

    fn sign(&self, key: &SigningKey, id: &str, kind: &str, file: &str, body: Value) -> Vec<u8> {
        let mut signed = body;
        signed["_type"] = json!(kind);
        signed["spec_version"] = json!("1.0.31");
        signed["version"] = json!(1);
        signed["expires"] = json!(match kind {
            "timestamp" => &self.timestamp_expires,
            _ => EXPIRES,
        });
        let bytes = provisioning_trust::canonical_json(&signed).unwrap();
        let signature = hex::encode(key.sign(&bytes).to_bytes());
        let document = json!({"signed": signed, "signatures": [{"keyid": id, "sig": signature}]});
        let bytes = document.to_string().into_bytes();
        self.write(&format!("metadata/{file}"), &bytes);
        bytes
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let place = self.folder().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, bytes).unwrap();
    }
}
