//! Who people are, what is theirs, and which CI may publish for them.

use axum::http::StatusCode;
use provisioning_registry_api::identity::{
    AnswerInvitation, GiveRole, GiveTeamRole, InvitationList, Me, Namespaces, NewTeam, NewToken,
    Owners, Team, TeamList, Token, TokenList, TokenMade,
};
use provisioning_registry_api::trusted::{
    Exchange, Exchanged, IssuerList, NewTrustedPublisher, TrustedPublisher, TrustedPublisherList,
};

use super::super::{Route, delete, doc, get, post, put, read};
use crate::problem::Code;
use crate::routes::{me, owners, people, tokens, trusted};
use crate::rules::access::Action;

const OWNERS: &str = "/api/v1/packages/{kind}/{name}/owners";
const OWNER: &str = "/api/v1/packages/{kind}/{name}/owners/{holder}";
const MEMBER: &str = "/api/v1/teams/{team}/members/{user}";
const PUBLISHERS: &str = "/api/v1/packages/{kind}/{name}/publishers";

/// What giving or taking a role may be refused with.
const ROLE_REFUSALS: &[Code] = &[
    Code::VersionUnknown,
    Code::UserUnknown,
    Code::TeamUnknown,
    Code::LastOwner,
    Code::IdentityInvalid,
];

/// People, their tokens, teams, packages and CI.
pub(in crate::router) fn identity() -> Vec<Route> {
    let mut routes = own();
    routes.extend(tokens());
    routes.extend(roles());
    routes.extend(teams());
    routes.extend(trust());
    routes
}

/// The one who asks.
fn own() -> Vec<Route> {
    vec![
        get(
            "/api/v1/me",
            Action::OwnAccount,
            me::show,
            doc("Says whose token it is, and what is theirs").gives::<Me>(),
        ),
        get(
            "/api/v1/me/invitations",
            Action::OwnAccount,
            me::invitations,
            doc("Lists the invitations that wait for an answer")
                .gives::<InvitationList>()
                .refuses(&[Code::NoUser]),
        ),
        post(
            "/api/v1/me/invitations/{invitation}",
            Action::OwnAccount,
            me::answer,
            doc("Answers an invitation")
                .takes::<AnswerInvitation>()
                .gives::<InvitationList>()
                .refuses(&[Code::NoUser, Code::InvitationUnknown]),
        ),
        delete(
            "/api/v1/me/packages/{kind}/{name}",
            Action::OwnAccount,
            me::leave_package,
            doc("Gives up one's role in a package")
                .gives::<Owners>()
                .refuses(&[Code::NoUser])
                .refuses(ROLE_REFUSALS),
        ),
        delete(
            "/api/v1/me/teams/{team}",
            Action::OwnAccount,
            me::leave_team,
            doc("Leaves a team")
                .gives::<InvitationList>()
                .refuses(&[Code::NoUser])
                .refuses(ROLE_REFUSALS),
        ),
        post(
            "/api/v1/me/publishers",
            Action::MakeOwn,
            trusted::add_pending,
            doc("Lets a CI publish the first version of a new package")
                .takes::<NewTrustedPublisher>()
                .gives_as::<TrustedPublisher>(StatusCode::CREATED, "it waits for the release")
                .refuses(&[
                    Code::NoUser,
                    Code::NotFound,
                    Code::NameTaken,
                    Code::PublisherInvalid,
                ]),
        ),
    ]
}

fn tokens() -> Vec<Route> {
    vec![
        get(
            "/api/v1/tokens",
            Action::OwnAccount,
            tokens::list,
            doc("Lists one's tokens; everyone's for administrators")
                .gives::<TokenList>()
                .refuses(&[Code::NoUser]),
        ),
        post(
            "/api/v1/tokens",
            Action::MakeOwn,
            tokens::make,
            doc("Makes a token of one's own; the answer alone shows it")
                .takes::<NewToken>()
                .gives_as::<TokenMade>(StatusCode::CREATED, "the token")
                .refuses(&[Code::NoUser, Code::UserUnknown, Code::IdentityInvalid]),
        ),
        delete(
            "/api/v1/tokens/{token}",
            Action::OwnAccount,
            tokens::revoke,
            doc("Ends a token; `current` is the one that was sent")
                .gives::<Token>()
                .refuses(&[Code::TokenUnknown]),
        ),
        post(
            "/api/v1/oidc/token",
            Action::Exchange,
            trusted::exchange,
            doc("Exchanges an issuer's token for one that lives for some minutes")
                .takes::<Exchange>()
                .gives_as::<Exchanged>(StatusCode::CREATED, "the token")
                .refuses(&[
                    Code::ProofInvalid,
                    Code::ProofReplayed,
                    Code::NotTrusted,
                    Code::IssuerUnavailable,
                ]),
        ),
    ]
}

/// Owners.
fn roles() -> Vec<Route> {
    vec![
        read(
            OWNERS,
            owners::list,
            doc("Lists who has a role in a package, and who is invited")
                .gives::<Owners>()
                .refuses(&[Code::VersionUnknown]),
        ),
        put(
            OWNER,
            Action::ChangeOwners,
            owners::put,
            doc("Gives a user or `team:NAME` a role in a package")
                .takes::<GiveRole>()
                .gives::<Owners>()
                .refuses(ROLE_REFUSALS),
        ),
        delete(
            OWNER,
            Action::ChangeOwners,
            owners::remove,
            doc("Takes a role or an invitation away")
                .gives::<Owners>()
                .refuses(ROLE_REFUSALS),
        ),
    ]
}

/// Teams and what is theirs.
fn teams() -> Vec<Route> {
    vec![
        get(
            "/api/v1/teams",
            Action::OwnAccount,
            people::teams,
            doc("Lists teams").gives::<TeamList>(),
        ),
        post(
            "/api/v1/teams",
            Action::MakeOwn,
            people::add_team,
            doc("Makes a team; who makes it is its maintainer")
                .takes::<NewTeam>()
                .gives_as::<Team>(StatusCode::CREATED, "the team")
                .refuses(&[Code::TeamExists, Code::IdentityInvalid]),
        ),
        get(
            "/api/v1/teams/{team}",
            Action::OwnAccount,
            people::team,
            doc("Shows a team")
                .gives::<Team>()
                .refuses(&[Code::TeamUnknown]),
        ),
        put(
            MEMBER,
            Action::ChangeTeam,
            people::put_member,
            doc("Invites a user to a team, or changes what they are in it")
                .takes::<GiveTeamRole>()
                .gives::<Team>()
                .refuses(ROLE_REFUSALS),
        ),
        delete(
            MEMBER,
            Action::ChangeTeam,
            people::remove_member,
            doc("Takes a user out of a team")
                .gives::<Team>()
                .refuses(ROLE_REFUSALS),
        ),
        read(
            "/api/v1/namespaces",
            people::namespaces,
            doc("Lists which team each of the registry's own kinds belongs to")
                .gives::<Namespaces>(),
        ),
    ]
}

/// Trusted publishing.
fn trust() -> Vec<Route> {
    vec![
        read(
            "/api/v1/issuers",
            trusted::issuers,
            doc("Lists the issuers whose tokens are taken").gives::<IssuerList>(),
        ),
        get(
            PUBLISHERS,
            Action::TrustPublisher,
            trusted::list,
            doc("Lists the CI that may publish a package")
                .gives::<TrustedPublisherList>()
                .refuses(&[Code::VersionUnknown]),
        ),
        post(
            PUBLISHERS,
            Action::TrustPublisher,
            trusted::add,
            doc("Lets a CI publish a package")
                .takes::<NewTrustedPublisher>()
                .gives_as::<TrustedPublisher>(StatusCode::CREATED, "it may publish")
                .refuses(&[Code::VersionUnknown, Code::NotFound, Code::PublisherInvalid]),
        ),
        delete(
            "/api/v1/packages/{kind}/{name}/publishers/{publisher}",
            Action::TrustPublisher,
            trusted::forget,
            doc("Takes a CI's right to publish away")
                .gives::<TrustedPublisherList>()
                .refuses(&[Code::VersionUnknown, Code::NotFound]),
        ),
    ]
}
