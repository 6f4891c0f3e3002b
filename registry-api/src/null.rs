//! Absent and null are the same in documents of the read side.

use serde::{Deserialize, Deserializer};

/// Reads a value whose null means its default, as its absence does.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::bundle::BundleDocument;
    use crate::index::IndexEntry;

    #[test]
    fn null_reads_like_an_absent_field_in_index_entries_and_bundles() {
        let sparse = r#"{"schema": 1, "kind": "core", "name": "core", "keywords": null,
            "status": null, "versions": [{"version": "1.0.0",
            "published_at": "2026-01-01T00:00:00Z", "dependencies": null, "archives": null}]}"#;
        let absent = r#"{"schema": 1, "kind": "core", "name": "core",
            "versions": [{"version": "1.0.0", "published_at": "2026-01-01T00:00:00Z"}]}"#;
        let read = |text: &str| serde_json::from_str::<IndexEntry>(text).expect("it is an entry");
        assert_eq!(read(sparse), read(absent));
        let sparse = r#"{"schema": 1, "name": "b", "sequences": [{"sequence": 1, "title": "B",
            "targets": null, "upgrades_from": null, "gates": null, "state": "stable",
            "members": [{"kind": "core", "name": "core", "version": "1.0.0", "digests": null}]}]}"#;
        let absent = r#"{"schema": 1, "name": "b", "sequences": [{"sequence": 1, "title": "B",
            "state": "stable",
            "members": [{"kind": "core", "name": "core", "version": "1.0.0"}]}]}"#;
        let read =
            |text: &str| serde_json::from_str::<BundleDocument>(text).expect("it is a bundle");
        assert_eq!(read(sparse), read(absent));
    }
}
