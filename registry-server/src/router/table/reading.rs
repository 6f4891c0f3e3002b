//! What everyone may read.

use axum::http::StatusCode;
use provisioning_registry_api::command::{PackageDownloads, PackageVersions, SearchResults};
use provisioning_registry_api::event::Events;
use provisioning_registry_api::operation::OwnLimits;

use super::super::{Route, doc, read};
use crate::problem::Code;
use crate::routes::{
    describe, discovery, download, downloads, events, files, front, health, limits, named, search,
    versions,
};

const JSON: &[&str] = &["application/json"];
const SHELL: &[&str] = &["text/x-shellscript; charset=utf-8"];
const TEXT: &[&str] = &["text/plain; charset=utf-8"];

/// Static files, and what the registry says about itself and its packages.
pub(in crate::router) fn reading() -> Vec<Route> {
    let mut routes = static_files();
    routes.extend(by_plain_name());
    routes.extend([
        read(
            "/livez",
            health::live,
            doc("Whether the process answers").gives_text(TEXT),
        ),
        read(
            "/readyz",
            health::ready,
            doc("Whether database and storage answer too").gives_text(TEXT),
        ),
        read(
            "/api/v1/openapi.json",
            describe::openapi,
            doc("This description").gives_file(JSON),
        ),
        read(
            "/api/v1/me/limits",
            limits::own,
            doc("How often and how much the caller may ask").gives::<OwnLimits>(),
        ),
        read(
            "/api/v1/events",
            events::feed,
            doc("What changed, in pages or, for `Accept: text/event-stream`, as it happens")
                .query::<events::Asked>()
                .gives::<Events>()
                .also_gives("text/event-stream"),
        ),
        read(
            "/api/v1/search",
            search::search,
            doc("Finds packages, best first")
                .query::<search::Asked>()
                .gives::<SearchResults>(),
        ),
        read(
            "/api/v1/packages/{kind}/{name}/downloads",
            downloads::show,
            doc("How often a package was asked for, by version and by day")
                .query::<downloads::Asked>()
                .gives::<PackageDownloads>()
                .refuses(&[Code::NotFound]),
        ),
        read(
            "/api/v1/packages/{kind}/{name}/versions",
            versions::list,
            doc("Lists a package's versions, newest first, and whether each fits")
                .query::<versions::Asked>()
                .gives::<PackageVersions>()
                .refuses(&[Code::NotFound]),
        ),
    ]);
    routes
}

/// What an install reads.
fn static_files() -> Vec<Route> {
    vec![
        read(
            "/.well-known/provisioning-registry.json",
            discovery::show,
            doc("Where everything is").gives_file(JSON),
        ),
        read(
            "/metadata/{file}",
            files::metadata,
            doc("TUF metadata").gives_file(JSON),
        ),
        read(
            "/targets/{*path}",
            files::target,
            doc("A TUF target by its digest").gives_file(&[
                "application/json",
                "application/toml",
                "text/x-shellscript; charset=utf-8",
                "text/plain; charset=utf-8",
            ]),
        ),
        read(
            "/archives/sha256/{hex}",
            files::archive,
            doc("An archive by its digest").gives_file(&["application/octet-stream"]),
        ),
    ]
}

/// The same for people and scripts.
fn by_plain_name() -> Vec<Route> {
    vec![
        read(
            "/",
            front::root,
            doc("A page for browsers, `install.sh` for everything else").gives_file(&[
                "text/html; charset=utf-8",
                "text/x-shellscript; charset=utf-8",
            ]),
        ),
        read(
            "/dl/{kind}/{name}/{version}/{target}",
            download::redirect,
            doc("Leads to an archive by name")
                .gives_nothing(StatusCode::FOUND, "`Location` is the archive")
                .refuses(&[Code::NotFound]),
        ),
        read(
            "/index/{kind}/{file}",
            named::index_entry,
            doc("An index entry").gives_file(JSON),
        ),
        read(
            "/versions.toml",
            named::matrix,
            doc("The compatibility matrix").gives_file(&["application/toml"]),
        ),
        read(
            "/channels.json",
            named::channels,
            doc("Which bundle each channel points at").gives_file(JSON),
        ),
        read(
            "/bundles/{file}",
            named::bundle,
            doc("A bundle").gives_file(JSON),
        ),
        read(
            "/install.sh",
            named::install_sh,
            doc("Installs a bundle, for POSIX shells").gives_file(SHELL),
        ),
        read(
            "/core",
            named::core_sh,
            doc("Installs the core alone, for POSIX shells").gives_file(SHELL),
        ),
        read(
            "/install.ps1",
            named::install_ps1,
            doc("Installs a bundle, for PowerShell").gives_file(TEXT),
        ),
        read(
            "/install.nu",
            named::install_nu,
            doc("Installs a bundle, for Nushell").gives_file(TEXT),
        ),
    ]
}
