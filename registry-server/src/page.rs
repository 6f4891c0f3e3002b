//! The one page that browsers get: what is here, and how to install it.

use askama::Template;
use bytes::Bytes;
use provisioning_package::Kind;
use provisioning_registry_api::bundle::{BundleDocument, BundleSequence};
use provisioning_registry_api::index::{IndexEntry, PackageState};

use crate::app::App;
use crate::problem::ServerError;
use crate::read_side::newest;

/// Packages that the page lists; a search finds the others.
const PACKAGES_SHOWN_MAX: usize = 500;

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    name: String,
    base_url: String,
    serial: u64,
    root_fingerprint: String,
    has_client: bool,
    bundles: Vec<BundleRow>,
    packages: Vec<PackageRow>,
    hidden_packages: usize,
}

struct BundleRow {
    name: String,
    title: String,
    sequence: u64,
    state: String,
    channels: Vec<String>,
    released: String,
    supported: String,
    members: Vec<String>,
}

struct PackageRow {
    name: String,
    kind: &'static str,
    extension_type: &'static str,
    version: String,
    versions: usize,
    description: String,
    note: &'static str,
}

/// The page as of now; rendered once for each serial.
pub(crate) async fn current(app: &App) -> Result<Bytes, ServerError> {
    let serial = app.read_side.view().serial;
    if let Some((known, page)) = &*app.page.read().await
        && *known == serial
    {
        return Ok(page.clone());
    }
    let page = Bytes::from(render(app, serial).await?);
    *app.page.write().await = Some((serial, page.clone()));
    Ok(page)
}

async fn render(app: &App, serial: u64) -> Result<String, ServerError> {
    let documents = app.db.bundles().await?;
    let heads = provisioning_bundles::heads(&documents);
    let mut bundles: Vec<BundleRow> = documents
        .iter()
        .filter_map(|document| {
            let sequence = document.current()?;
            let channels = heads
                .channels
                .iter()
                .filter(|(_, head)| head.bundle == document.name)
                .map(|(channel, _)| channel.to_string())
                .collect();
            Some(bundle_row(document, sequence, channels))
        })
        .collect();
    // What channels point at is what people came for; then the newest.
    bundles.sort_by(|left, right| {
        (left.channels.is_empty(), &right.released)
            .cmp(&(right.channels.is_empty(), &left.released))
    });
    let names = app.db.package_names().await?;
    let hidden_packages = names.len().saturating_sub(PACKAGES_SHOWN_MAX);
    let mut packages = Vec::new();
    for name in names.iter().take(PACKAGES_SHOWN_MAX) {
        if let Some(entry) = app.db.index_entry(name).await? {
            packages.push(entry);
        }
    }
    packages.sort_by_key(|it| it.kind);
    let page = Page {
        name: app.read_side.name().to_owned(),
        base_url: app.read_side.public_url().to_owned(),
        serial,
        root_fingerprint: app
            .read_side
            .view()
            .repository
            .root_fingerprint()
            .prefixed(),
        has_client: packages.iter().any(|it| it.kind == Kind::Client),
        bundles,
        packages: packages.iter().map(package_row).collect(),
        hidden_packages,
    };
    page.render()
        .map_err(|error| ServerError::Failed(format!("the page cannot be rendered: {error}")))
}

fn bundle_row(
    document: &BundleDocument,
    sequence: &BundleSequence,
    channels: Vec<String>,
) -> BundleRow {
    BundleRow {
        name: document.name.to_string(),
        title: sequence.title.clone(),
        sequence: sequence.sequence,
        state: format!("{:?}", sequence.state).to_lowercase(),
        channels,
        released: sequence
            .release_date
            .map_or_else(String::new, |it| it.to_string()),
        supported: sequence
            .lts_until
            .map_or_else(String::new, |it| it.to_string()),
        members: sequence
            .members
            .iter()
            .map(|it| format!("{} {}", it.name, it.version))
            .collect(),
    }
}

fn package_row(entry: &IndexEntry) -> PackageRow {
    let newest = newest(&entry.versions);
    PackageRow {
        name: entry.name.to_string(),
        kind: entry.kind.as_str(),
        extension_type: entry.extension_type.map_or("", |it| it.as_str()),
        version: newest.map_or_else(
            || "none: all yanked".to_owned(),
            |it| it.version.to_string(),
        ),
        versions: entry.versions.len(),
        description: entry.description.clone().unwrap_or_default(),
        note: match entry.status.state {
            PackageState::Active => "",
            PackageState::Deprecated => "deprecated",
            PackageState::Archived => "archived",
            PackageState::Quarantined => "quarantined",
        },
    }
}
