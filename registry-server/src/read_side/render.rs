//! The bytes of every target, from what the database says.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use provisioning_installers::scripts::{
    Script, ScriptArchive, ScriptClient, ScriptContext, render as render_script,
};
use provisioning_package::{Kind, PackageName};
use provisioning_registry_api::index::{IndexEntry, IndexVersion};
use provisioning_registry_api::paths;
use provisioning_trust::Repository;
use serde::Serialize;

use super::{Rendered, Subject};
use crate::app::App;
use crate::db::packages::index_entry;
use crate::db::{Connection, Db, DbError, WriteTx};

/// Where a bootstrap script is, as a plain name and as a target.
pub(crate) struct ScriptFacts;

impl ScriptFacts {
    /// The target of the script that is served as `/<file>`.
    pub(crate) fn target(file: &str) -> Option<String> {
        Script::ALL
            .into_iter()
            .find(|it| it.file_name() == file)
            .map(|it| paths::script_target(it.file_name()))
    }
}

/// What the bootstrap scripts say of the registry, beside its newest client.
pub(crate) struct Site<'a> {
    /// The base URL without its last slash.
    pub(crate) public_url: &'a str,
    /// What people call this registry.
    pub(crate) name: &'a str,
}

/// Renders everything that `subjects` are about; the scripts only for a `site`.
pub(crate) async fn render(
    db: &Db,
    site: Option<Site<'_>>,
    repository: &Repository,
    subjects: &BTreeSet<Subject>,
) -> Result<Vec<Rendered>, DbError> {
    let mut connection = db.pool().acquire().await?;
    render_on((db, &mut connection), site, repository, subjects).await
}

/// The same of what a transaction would make of it, which is taken back afterwards.
pub(crate) async fn render_in(
    app: &App,
    tx: &mut WriteTx,
    subjects: &BTreeSet<Subject>,
) -> Result<Vec<Rendered>, DbError> {
    let view = app.read_side.view();
    let site = Site {
        public_url: app.read_side.public_url(),
        name: app.read_side.name(),
    };
    let source = (&app.db, tx.connection());
    render_on(source, Some(site), &view.repository, subjects).await
}

/// Versions are read on the connection, the rest, which no publish changes, anywhere.
async fn render_on(
    (db, connection): (&Db, &mut Connection),
    site: Option<Site<'_>>,
    repository: &Repository,
    subjects: &BTreeSet<Subject>,
) -> Result<Vec<Rendered>, DbError> {
    let mut rendered = Vec::new();
    for subject in subjects {
        match subject {
            Subject::Package(name) => {
                if let Some(entry) = index_entry(connection, name).await? {
                    rendered.push(json(paths::index_target(name), &entry));
                }
            }
            Subject::Matrix => {
                if let Some(text) = db.matrix_text().await? {
                    rendered.push(Rendered {
                        path: paths::MATRIX_TARGET.to_owned(),
                        bytes: text.into(),
                    });
                }
            }
            Subject::Bundles => render_bundles(db, &mut rendered).await?,
            Subject::Scripts => {}
        }
    }
    if let Some(site) = site
        && subjects.iter().any(Subject::touches_scripts)
    {
        render_scripts(connection, &site, repository, &mut rendered).await?;
    }
    Ok(rendered)
}

async fn render_bundles(db: &Db, rendered: &mut Vec<Rendered>) -> Result<(), DbError> {
    let documents = db.bundles().await?;
    for document in &documents {
        rendered.push(json(paths::bundle_target(&document.name), document));
    }
    rendered.push(json(
        paths::CHANNELS_TARGET.to_owned(),
        &provisioning_bundles::heads(&documents),
    ));
    Ok(())
}

async fn render_scripts(
    connection: &mut Connection,
    site: &Site<'_>,
    repository: &Repository,
    rendered: &mut Vec<Rendered>,
) -> Result<(), DbError> {
    let client = match PackageName::of_kind(Kind::Client) {
        Some(name) => index_entry(connection, &name).await?,
        None => None,
    };
    let context = ScriptContext {
        base_url: site.public_url.to_owned(),
        registry_name: site.name.to_owned(),
        root_fingerprint: repository.root_fingerprint(),
        client: client.as_ref().and_then(script_client),
    };
    for script in Script::ALL {
        rendered.push(Rendered {
            path: paths::script_target(script.file_name()),
            bytes: render_script(script, &context).into(),
        });
    }
    Ok(())
}

/// The newest client that is neither yanked nor, where there is another, a pre-release.
fn script_client(entry: &IndexEntry) -> Option<ScriptClient> {
    let newest = newest(&entry.versions)?;
    Some(ScriptClient {
        version: newest.version.clone(),
        archives: newest
            .archives
            .iter()
            .map(|archive| {
                let facts = ScriptArchive {
                    digest: archive.digest,
                    size: archive.size,
                    path: paths::archive(&archive.digest),
                    format: archive.format,
                };
                (archive.target, facts)
            })
            .collect::<BTreeMap<_, _>>(),
    })
}

/// The version that people mean by a package's newest.
pub(crate) fn newest(versions: &[IndexVersion]) -> Option<&IndexVersion> {
    versions
        .iter()
        .filter(|it| it.yanked.is_none())
        .max_by_key(|it| (it.version.pre.is_empty(), &it.version))
}

fn json(path: String, value: &impl Serialize) -> Rendered {
    let mut bytes =
        serde_json::to_vec(value).expect("our shapes have string keys and no failing serialisers");
    bytes.push(b'\n');
    Rendered {
        path,
        bytes: Bytes::from(bytes),
    }
}
