//! What moderators and administrators do.

use axum::http::StatusCode;
use provisioning_registry_api::event::AuditLog;
use provisioning_registry_api::identity::{
    ChangeUser, GiveNamespace, Namespaces, NewUser, User, UserList,
};
use provisioning_registry_api::operation::{Switches, ThrowSwitch};
use provisioning_registry_api::session::{Review, SessionList, SessionStatus};
use provisioning_registry_api::settings::{RegistrySettings, SetValue};
use provisioning_registry_api::trusted::{IssuerList, PutIssuer};

use super::super::{Route, delete, doc, get, post, put};
use super::publishing::PUBLISH_REFUSALS;
use crate::problem::Code;
use crate::routes::{audit, people, reviews, settings, switches, trusted};
use crate::rules::access::Action;
use crate::watch;

const SWITCH: &str = "/api/v1/switches/{switch}";

/// Reviews, settings, and what an operator looks at and holds back.
pub(in crate::router) fn administration() -> Vec<Route> {
    let mut routes = moderation();
    routes.extend(people());
    routes.extend(operation());
    routes
}

/// What an operator looks at and holds back.
fn operation() -> Vec<Route> {
    vec![
        get(
            "/metrics",
            Action::Administer,
            watch::show,
            doc("What Prometheus reads")
                .gives_text(&["text/plain; version=0.0.4; charset=utf-8"])
                .refuses(&[Code::NotFound]),
        ),
        get(
            "/api/v1/switches",
            Action::Moderate,
            switches::list,
            doc("Lists what is held back now").gives::<Switches>(),
        ),
        put(
            SWITCH,
            Action::Administer,
            switches::put,
            doc("Holds something back: a switch of the list in the documentation")
                .takes::<ThrowSwitch>()
                .gives::<Switches>()
                .refuses(&[Code::NotFound]),
        ),
        delete(
            SWITCH,
            Action::Administer,
            switches::delete,
            doc("Lets something go on again")
                .gives::<Switches>()
                .refuses(&[Code::NotFound]),
        ),
    ]
}

fn moderation() -> Vec<Route> {
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
        get(
            "/api/v1/audit",
            Action::Moderate,
            audit::list,
            doc("Reads the audit log, oldest lines first")
                .query::<audit::Asked>()
                .gives::<AuditLog>(),
        ),
        put(
            "/api/v1/settings/{setting}",
            Action::Administer,
            settings::put,
            doc("Changes a setting")
                .takes::<SetValue>()
                .gives::<RegistrySettings>()
                .refuses(&[Code::NotFound]),
        ),
    ]
}

/// Users, the registry's own kinds, issuers.
fn people() -> Vec<Route> {
    vec![
        get(
            "/api/v1/users",
            Action::Administer,
            people::users,
            doc("Lists users").gives::<UserList>(),
        ),
        post(
            "/api/v1/users",
            Action::Administer,
            people::add_user,
            doc("Adds a user")
                .takes::<NewUser>()
                .gives_as::<User>(StatusCode::CREATED, "the user")
                .refuses(&[Code::UserExists, Code::IdentityInvalid]),
        ),
        put(
            "/api/v1/users/{user}",
            Action::Administer,
            people::change_user,
            doc("Changes what a user may do")
                .takes::<ChangeUser>()
                .gives::<User>()
                .refuses(&[Code::UserUnknown]),
        ),
        put(
            "/api/v1/namespaces/{namespace}",
            Action::Administer,
            people::set_namespace,
            doc("Gives one of the registry's own kinds to a team")
                .takes::<GiveNamespace>()
                .gives::<Namespaces>()
                .refuses(&[Code::NotFound, Code::TeamUnknown, Code::IdentityInvalid]),
        ),
        put(
            "/api/v1/issuers/{issuer}",
            Action::Administer,
            trusted::put,
            doc("Adds an issuer, or changes it")
                .takes::<PutIssuer>()
                .gives::<IssuerList>()
                .refuses(&[Code::PublisherInvalid]),
        ),
        delete(
            "/api/v1/issuers/{issuer}",
            Action::Administer,
            trusted::remove,
            doc("Forgets an issuer")
                .gives::<IssuerList>()
                .refuses(&[Code::NotFound]),
        ),
    ]
}
