//! A manifest as JSON: what it means, not how it was written.

use std::collections::BTreeMap;

use provisioning_package::Manifest;
use serde::Serialize;

/// A manifest's content under the names that an index entry uses.
#[derive(Debug, Serialize)]
pub(crate) struct ManifestJson {
    kind: String,
    name: String,
    version: String,
    #[serde(rename = "type")]
    extension_type: Option<String>,
    api: Option<String>,
    description: Option<String>,
    license: Option<String>,
    repository: Option<String>,
    keywords: Vec<String>,
    upstream_version: Option<String>,
    dependencies: BTreeMap<String, DependencyJson>,
    requires: BTreeMap<String, String>,
    install: InstallJson,
}

#[derive(Debug, Serialize)]
struct DependencyJson {
    req: String,
    optional: bool,
}

#[derive(Debug, Serialize)]
struct InstallJson {
    bin: Vec<String>,
    cli: Option<String>,
    config: Vec<String>,
    exclude: Vec<String>,
}

impl From<&Manifest> for ManifestJson {
    fn from(manifest: &Manifest) -> Self {
        let dependencies = manifest.dependencies.iter().map(|(name, it)| {
            let dependency = DependencyJson {
                req: it.req.to_string(),
                optional: it.optional,
            };
            (name.to_string(), dependency)
        });
        Self {
            kind: manifest.kind.to_string(),
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            extension_type: manifest.extension_type.map(|it| it.to_string()),
            api: manifest.api.as_ref().map(ToString::to_string),
            description: manifest.description.clone(),
            license: manifest.license.clone(),
            repository: manifest.repository.clone(),
            keywords: manifest.keywords.clone(),
            upstream_version: manifest.upstream_version.clone(),
            dependencies: dependencies.collect(),
            requires: manifest
                .requires
                .iter()
                .map(|(command, req)| (command.clone(), req.to_string()))
                .collect(),
            install: InstallJson {
                bin: manifest.install.bin.clone(),
                cli: manifest.install.cli.clone(),
                config: manifest.install.config.clone(),
                exclude: manifest.install.exclude.clone(),
            },
        }
    }
}
