//! What happens to packages and versions after they were published.

use provisioning_registry_api::life::{Because, Quota, SetStatus, StatusChanged, VersionDeleted};

use super::super::{Route, delete, doc, get, post, put};
use crate::problem::Code;
use crate::routes::life;
use crate::rules::access::Action;

const QUARANTINE: &str = "/api/v1/packages/{kind}/{name}/quarantine";
const QUOTA: &str = "/api/v1/packages/{kind}/{name}/quota";

/// What a change of state may be refused with.
const REFUSALS: &[Code] = &[
    Code::VersionUnknown,
    Code::PackageClosed,
    Code::NotVisibleYet,
    Code::StorageFull,
];

/// States, deletion, quotas.
pub(in crate::router) fn life() -> Vec<Route> {
    vec![
        put(
            "/api/v1/packages/{kind}/{name}/status",
            Action::Describe,
            life::put_status,
            doc("Deprecates or archives a package, or takes that back")
                .takes::<SetStatus>()
                .gives::<StatusChanged>()
                .refuses(REFUSALS),
        ),
        put(
            QUARANTINE,
            Action::Moderate,
            life::quarantine,
            doc("Holds a package: no solution takes it, nobody publishes it")
                .takes::<Because>()
                .gives::<StatusChanged>()
                .refuses(REFUSALS),
        ),
        delete(
            QUARANTINE,
            Action::Moderate,
            life::release,
            doc("Lets a package go")
                .gives::<StatusChanged>()
                .refuses(REFUSALS),
        ),
        delete(
            "/api/v1/packages/{kind}/{name}/versions/{version}",
            Action::DeleteVersion,
            life::delete,
            doc("Deletes a version, by the written rule")
                .takes::<Because>()
                .gives::<VersionDeleted>()
                .refuses(REFUSALS)
                .refuses(&[Code::DeletionRefused]),
        ),
        post(
            "/api/v1/packages/{kind}/{name}/versions/{version}/removal",
            Action::Moderate,
            life::removal,
            doc("Takes a version away for legal reasons")
                .takes::<Because>()
                .gives::<VersionDeleted>()
                .refuses(REFUSALS),
        ),
        get(
            QUOTA,
            Action::Administer,
            life::show_quota,
            doc("What a package may have beyond the registry's settings")
                .gives::<Quota>()
                .refuses(&[Code::VersionUnknown]),
        ),
        put(
            QUOTA,
            Action::Administer,
            life::put_quota,
            doc("Says what a package may have beyond the registry's settings")
                .takes::<Quota>()
                .gives::<Quota>()
                .refuses(&[Code::VersionUnknown]),
        ),
    ]
}
