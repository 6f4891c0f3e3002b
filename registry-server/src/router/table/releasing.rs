//! What moves bundles through their gates, and whose word counts there.

use provisioning_registry_api::command::{BundleMoved, PromoteBundle, WithdrawBundle};
use provisioning_registry_api::evidence::{AddTester, EvidenceAccepted, SignedEvidence, Testers};
use provisioning_registry_api::update::{CommentUpdate, CreateUpdate, UpdateList, UpdateStatus};

use super::super::{Route, delete, doc, get, post, put};
use crate::problem::Code;
use crate::routes::{evidence, promotions, testers, updates};
use crate::rules::access::Action;

const TESTER: &str = "/api/v1/testers/{tester}";

/// Promotions, evidence and testers.
pub(in crate::router) fn releasing() -> Vec<Route> {
    let mut routes = vec![
        post(
            "/api/v1/bundles/{name}/promote",
            Action::PromoteBundle,
            promotions::promote,
            doc("Moves a sequence of a bundle to its next state, through the gates on the way")
                .takes::<PromoteBundle>()
                .gives::<BundleMoved>()
                .refuses(&[
                    Code::BundleInvalid,
                    Code::BundleUnknown,
                    Code::BundleState,
                    Code::GateClosed,
                    Code::NotVisibleYet,
                ]),
        ),
        post(
            "/api/v1/bundles/{name}/withdraw",
            Action::PromoteBundle,
            promotions::withdraw,
            doc("Takes sequences of a bundle back, and says why")
                .takes::<WithdrawBundle>()
                .gives::<BundleMoved>()
                .refuses(&[
                    Code::BundleInvalid,
                    Code::BundleUnknown,
                    Code::NotVisibleYet,
                ]),
        ),
    ];
    routes.extend(evidence_and_testers());
    routes.extend(batches());
    routes
}

fn evidence_and_testers() -> Vec<Route> {
    vec![
        post(
            "/api/v1/evidence",
            Action::SubmitEvidence,
            evidence::submit,
            doc("Takes the evidence of a test that a tester signed")
                .takes::<SignedEvidence>()
                .gives::<EvidenceAccepted>()
                .refuses(&[
                    Code::TesterUnknown,
                    Code::EvidenceInvalid,
                    Code::NotVisibleYet,
                ]),
        ),
        get(
            "/api/v1/evidence/{hex}",
            Action::Read,
            evidence::show,
            doc("Shows evidence by its digest, as gates name it")
                .gives::<SignedEvidence>()
                .refuses(&[Code::NotFound]),
        ),
        get(
            "/api/v1/testers",
            Action::Read,
            testers::list,
            doc("Lists whose evidence counts").gives::<Testers>(),
        ),
        put(
            TESTER,
            Action::ManageTesters,
            testers::add,
            doc("Makes somebody's evidence count")
                .takes::<AddTester>()
                .gives::<Testers>()
                .refuses(&[Code::NameTaken, Code::NotVisibleYet]),
        ),
        delete(
            TESTER,
            Action::ManageTesters,
            testers::remove,
            doc("Makes somebody's evidence count no more")
                .gives::<Testers>()
                .refuses(&[Code::NotFound, Code::NotVisibleYet]),
        ),
    ]
}

/// Bundles that become stable together.
fn batches() -> Vec<Route> {
    vec![
        get(
            "/api/v1/updates",
            Action::Read,
            updates::list,
            doc("Lists updates, newest first").gives::<UpdateList>(),
        ),
        get(
            "/api/v1/updates/{id}",
            Action::Read,
            updates::show,
            doc("Shows an update and what it still needs")
                .gives::<UpdateStatus>()
                .refuses(&[Code::NotFound]),
        ),
        post(
            "/api/v1/updates",
            Action::PromoteBundle,
            updates::create,
            doc("Collects what waits in testing into one update")
                .takes::<CreateUpdate>()
                .gives::<UpdateStatus>()
                .refuses(&[Code::UpdateEmpty]),
        ),
        post(
            "/api/v1/updates/{id}/comments",
            Action::CommentUpdate,
            updates::comment,
            doc("Says whether an update works")
                .takes::<CommentUpdate>()
                .gives::<UpdateStatus>()
                .refuses(&[Code::NotFound, Code::UpdateEnded, Code::NotVisibleYet]),
        ),
        post(
            "/api/v1/updates/{id}/push",
            Action::PromoteBundle,
            updates::push,
            doc("Moves every bundle of an update to stable, or none")
                .gives::<UpdateStatus>()
                .refuses(&[
                    Code::NotFound,
                    Code::UpdateNotReady,
                    Code::UpdateEnded,
                    Code::NotVisibleYet,
                ]),
        ),
    ]
}
