//! Webhooks, for administrators.

use axum::http::StatusCode;
use provisioning_registry_api::webhook::{Delivery, NewWebhook, Webhook, WebhookCreated, Webhooks};

use super::super::{Route, delete, doc, get, post};
use crate::problem::Code;
use crate::routes::webhooks;
use crate::rules::access::Action;

/// Making, looking at, trying and taking away.
pub(in crate::router) fn webhooks() -> Vec<Route> {
    vec![
        get(
            "/api/v1/webhooks",
            Action::Administer,
            webhooks::list,
            doc("Lists webhooks").gives::<Webhooks>(),
        ),
        post(
            "/api/v1/webhooks",
            Action::Administer,
            webhooks::create,
            doc("Makes a webhook; the answer alone tells its secret")
                .takes::<NewWebhook>()
                .gives_as::<WebhookCreated>(
                    StatusCode::CREATED,
                    "the webhook is told of what follows",
                )
                .refuses(&[Code::WebhookInvalid]),
        ),
        get(
            "/api/v1/webhooks/{id}",
            Action::Administer,
            webhooks::show,
            doc("Shows a webhook and what became of its newest messages")
                .gives::<Webhook>()
                .refuses(&[Code::NotFound]),
        ),
        delete(
            "/api/v1/webhooks/{id}",
            Action::Administer,
            webhooks::delete,
            doc("Takes a webhook away")
                .gives_nothing(StatusCode::NO_CONTENT, "it is told nothing more")
                .refuses(&[Code::NotFound]),
        ),
        post(
            "/api/v1/webhooks/{id}/ping",
            Action::Administer,
            webhooks::ping,
            doc("Sends a message now and says what became of it")
                .gives::<Delivery>()
                .refuses(&[Code::NotFound]),
        ),
        post(
            "/api/v1/webhooks/{id}/resume",
            Action::Administer,
            webhooks::resume,
            doc("Lets a stopped webhook go on where it was")
                .gives::<Webhook>()
                .refuses(&[Code::NotFound]),
        ),
    ]
}
