//! What moderators and administrators do.

use axum::http::StatusCode;
use provisioning_registry_api::session::{Review, SessionList, SessionStatus};
use provisioning_registry_api::settings::{RegistrySettings, SetValue};

use super::super::{Route, doc, get, post, put};
use super::publishing::PUBLISH_REFUSALS;
use crate::problem::Code;
use crate::routes::{reviews, settings};
use crate::rules::access::Action;

/// Reviews and settings.
pub(in crate::router) fn administration() -> Vec<Route> {
    vec![
        get(
            "/api/v1/reviews",
            Action::Moderate,
            reviews::list,
            doc("Lists the sessions that wait for a moderator").gives::<SessionList>(),
        ),
        post(
            "/api/v1/sessions/{id}/review",
            Action::Moderate,
            reviews::review,
            doc("Lets a session go on, or ends it")
                .takes::<Review>()
                .gives_as::<SessionStatus>(StatusCode::CREATED, "it is visible")
                .gives_as::<SessionStatus>(StatusCode::ACCEPTED, "it goes on, or has ended")
                .refuses(PUBLISH_REFUSALS),
        ),
        get(
            "/api/v1/settings",
            Action::Administer,
            settings::show,
            doc("Lists the settings that hold for the whole registry").gives::<RegistrySettings>(),
        ),
        put(
            "/api/v1/settings/{name}",
            Action::Administer,
            settings::put,
            doc("Changes a setting")
                .takes::<SetValue>()
                .gives::<RegistrySettings>()
                .refuses(&[Code::NotFound]),
        ),
    ]
}
