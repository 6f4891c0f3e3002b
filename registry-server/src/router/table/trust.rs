//! What people sign, and how the roles stand.

use provisioning_registry_api::trust::{
    AddSignature, MakeOnlineKey, OnlineKeyMade, PutRoles, ReleaseTask, RolesPut, SignatureAdded,
    TrustStatus,
};

use super::super::{Route, doc, get, post};
use crate::problem::Code;
use crate::routes::trust as routes;
use crate::rules::access::Action;

/// Signatures, keys, and the state of the roles.
pub(in crate::router) fn trust() -> Vec<Route> {
    vec![
        get(
            "/api/v1/trust",
            Action::Read,
            routes::status,
            doc("Tells until when each role holds, and who signs it").gives::<TrustStatus>(),
        ),
        get(
            "/api/v1/trust/release",
            Action::SignRelease,
            routes::release,
            doc("Gives the release that waits for signatures").gives::<ReleaseTask>(),
        ),
        post(
            "/api/v1/trust/release/signatures",
            Action::SignRelease,
            routes::add_signature,
            doc("Adds a signature to the release that waits")
                .takes::<AddSignature>()
                .gives::<SignatureAdded>()
                .refuses(&[
                    Code::BaseMoved,
                    Code::SignatureInvalid,
                    Code::Unsigned,
                    Code::ProposalInvalid,
                    Code::VersionExists,
                    Code::NameTaken,
                    Code::NotVisibleYet,
                    Code::StorageFull,
                ]),
        ),
        post(
            "/api/v1/trust/roles",
            Action::Administer,
            routes::put_roles,
            doc("Puts a signed change of keys in force")
                .takes::<PutRoles>()
                .gives::<RolesPut>()
                .refuses(&[
                    Code::BaseMoved,
                    Code::Unsigned,
                    Code::ProposalInvalid,
                    Code::NotVisibleYet,
                    Code::StorageFull,
                ]),
        ),
        post(
            "/api/v1/trust/online-keys",
            Action::Administer,
            routes::make_online_key,
            doc("Makes a key for a role that the registry signs itself")
                .takes::<MakeOnlineKey>()
                .gives::<OnlineKeyMade>(),
        ),
    ]
}
