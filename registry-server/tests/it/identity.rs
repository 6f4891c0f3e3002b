//! Users, teams, owners, invitations and their tokens.

use provisioning_registry_api::identity::{
    AnswerInvitation, GiveRole, GiveTeamRole, InvitationAnswer, InvitationList, Me, NewToken,
    Owners, PackageRole, TeamRole, TokenList, TokenMade,
};
use provisioning_registry_api::problem::Problem;
use provisioning_registry_api::session::{OpenSession, SessionStatus};
use reqwest::{Method, Response};
use serde::Serialize;

use crate::registry::{Registry, answer, archive, declared, problem};

struct People {
    registry: Registry,
}

impl People {
    fn start(users: &[&str]) -> Self {
        let people = Self {
            registry: Registry::start(),
        };
        for user in users {
            people.run(&["user", "add", user]);
        }
        people
    }

    fn run(&self, arguments: &[&str]) -> String {
        let ran = self.registry.command(arguments);
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    fn token(&self, user: &str) -> String {
        self.run(&["user", "token", user, "--scope", "admin"])
    }

    async fn send(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Response {
        self.registry.send_as(token, method, path, body).await
    }

    async fn publish(&self, token: &str, spec: &str) -> Result<SessionStatus, Problem> {
        let packed = archive(spec, spec);
        let open = OpenSession {
            versions: vec![declared(spec, std::slice::from_ref(&packed))],
        };
        let opened = self.send(token, Method::POST, "sessions", &open).await;
        let status: SessionStatus = answer(opened).await?;
        let url = format!(
            "{}/api/v1/sessions/{}/archives/{}",
            self.registry.base,
            status.session,
            packed.digest.hex()
        );
        let request = self.registry.http.put(url).bearer_auth(token);
        answer::<SessionStatus>(request.body(packed.bytes).send().await.unwrap()).await?;
        let path = format!("sessions/{}/finalize", status.session);
        answer(self.send(token, Method::POST, &path, &()).await).await
    }

    async fn invitations(&self, token: &str) -> InvitationList {
        let asked = self.send(token, Method::GET, "me/invitations", &()).await;
        answer(asked).await.unwrap()
    }

    async fn answer_first(&self, token: &str, said: InvitationAnswer) {
        let waiting = self.invitations(token).await.invitations;
        let path = format!("me/invitations/{}", waiting[0].id);
        let body = AnswerInvitation { answer: said };
        let done = self.send(token, Method::POST, &path, &body).await;
        answer::<InvitationList>(done).await.unwrap();
    }
}

const REDIS: &str = "packages/extension/redis/owners";

fn role(role: PackageRole) -> GiveRole {
    GiveRole { role }
}

#[tokio::test]
async fn whoever_publishes_an_extension_first_owns_it_and_nobody_else_publishes_it() {
    let people = People::start(&["ada", "bob"]);
    let (ada, bob) = (people.token("ada"), people.token("bob"));
    people.publish(&ada, "redis@1.0.0").await.unwrap();
    let refused = people.publish(&bob, "redis@1.1.0").await.unwrap_err();
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (403, "role-missing")
    );
    people.publish(&bob, "valkey@1.0.0").await.unwrap();
    people.publish(&ada, "redis@1.1.0").await.unwrap();
    let me = people.send(&ada, Method::GET, "me", &()).await;
    let me: Me = answer(me).await.unwrap();
    assert_eq!(me.user.as_deref(), Some("ada"));
    assert_eq!(me.packages.len(), 1);
    assert_eq!(me.packages[0].role, PackageRole::Owner);
    assert!(me.token.last_used_at.is_some());
    let listed: Owners = answer(people.registry.get(&format!("api/v1/{REDIS}")).await)
        .await
        .unwrap();
    assert_eq!(listed.owners[0].holder, "ada");
}

#[tokio::test]
async fn the_registrys_own_kinds_belong_to_their_teams() {
    let people = People::start(&["ada", "bob"]);
    people.run(&["team", "add", "core-team"]);
    people.run(&["team", "namespace", "core", "core-team"]);
    people.run(&["team", "member", "core-team", "ada"]);
    let (ada, bob) = (people.token("ada"), people.token("bob"));
    people.publish(&ada, "core@1.0.0").await.unwrap();
    people.publish(&ada, "core@1.1.0").await.unwrap();
    for spec in ["core@1.2.0", "platform@1.0.0"] {
        let refused = people.publish(&bob, spec).await.unwrap_err();
        assert_eq!(refused.code, "role-missing", "{spec}");
    }
    people.run(&["user", "roles", "bob", "--role", "release-engineer"]);
    people.publish(&bob, "platform@1.0.0").await.unwrap();
}

#[tokio::test]
async fn a_role_is_offered_accepted_limited_and_given_up() {
    let people = People::start(&["ada", "bob", "eve"]);
    let (ada, bob, eve) = (
        people.token("ada"),
        people.token("bob"),
        people.token("eve"),
    );
    people.publish(&ada, "redis@1.0.0").await.unwrap();
    let path = format!("{REDIS}/bob");
    let own = people
        .send(
            &eve,
            Method::PUT,
            &format!("{REDIS}/eve"),
            &role(PackageRole::Owner),
        )
        .await;
    assert_eq!(
        problem(own).await.code,
        "role-missing",
        "nobody helps themselves"
    );
    let offered = people
        .send(&ada, Method::PUT, &path, &role(PackageRole::Publisher))
        .await;
    let offered: Owners = answer(offered).await.unwrap();
    assert_eq!(offered.invited[0].holder, "bob");
    assert!(
        people.publish(&bob, "redis@1.1.0").await.is_err(),
        "not answered yet"
    );
    people.answer_first(&bob, InvitationAnswer::Decline).await;
    assert!(people.publish(&bob, "redis@1.1.0").await.is_err());
    people
        .send(&ada, Method::PUT, &path, &role(PackageRole::Publisher))
        .await;
    let waiting = people.invitations(&bob).await.invitations;
    let stolen = AnswerInvitation {
        answer: InvitationAnswer::Accept,
    };
    let stolen = people
        .send(
            &eve,
            Method::POST,
            &format!("me/invitations/{}", waiting[0].id),
            &stolen,
        )
        .await;
    assert_eq!(problem(stolen).await.code, "invitation-unknown");
    people.answer_first(&bob, InvitationAnswer::Accept).await;
    people.publish(&bob, "redis@1.1.0").await.unwrap();
    let more = people
        .send(&bob, Method::PUT, &path, &role(PackageRole::Owner))
        .await;
    assert_eq!(problem(more).await.code, "role-missing");
    let left = people
        .send(&bob, Method::DELETE, "me/packages/extension/redis", &())
        .await;
    answer::<Owners>(left).await.unwrap();
    assert!(people.publish(&bob, "redis@1.2.0").await.is_err());
}

#[tokio::test]
async fn the_last_owner_stays_responsible() {
    let people = People::start(&["ada", "bob"]);
    let (ada, bob) = (people.token("ada"), people.token("bob"));
    people.publish(&ada, "redis@1.0.0").await.unwrap();
    let leave = "me/packages/extension/redis";
    let refused = people.send(&ada, Method::DELETE, leave, &()).await;
    assert_eq!(problem(refused).await.code, "last-owner");
    let less = people
        .send(
            &ada,
            Method::PUT,
            &format!("{REDIS}/ada"),
            &role(PackageRole::Reader),
        )
        .await;
    assert_eq!(problem(less).await.code, "last-owner");
    people
        .send(
            &ada,
            Method::PUT,
            &format!("{REDIS}/bob"),
            &role(PackageRole::Owner),
        )
        .await;
    people.answer_first(&bob, InvitationAnswer::Accept).await;
    let left = people.send(&ada, Method::DELETE, leave, &()).await;
    let left: Owners = answer(left).await.unwrap();
    assert_eq!(left.owners.len(), 1);
}

#[tokio::test]
async fn a_team_has_a_role_for_all_its_members() {
    let people = People::start(&["ada", "bob"]);
    let (ada, bob) = (people.token("ada"), people.token("bob"));
    people.publish(&ada, "redis@1.0.0").await.unwrap();
    let made = serde_json::json!({"name": "data"});
    let made = people.send(&ada, Method::POST, "teams", &made).await;
    assert_eq!(made.status(), 201);
    let member = GiveTeamRole {
        role: TeamRole::Member,
    };
    let path = "teams/data/members/bob";
    let own = people.send(&bob, Method::PUT, path, &member).await;
    assert_eq!(problem(own).await.code, "role-missing");
    people.send(&ada, Method::PUT, path, &member).await;
    people.answer_first(&bob, InvitationAnswer::Accept).await;
    let owners = format!("{REDIS}/team:data");
    let given = people
        .send(&ada, Method::PUT, &owners, &role(PackageRole::Publisher))
        .await;
    answer::<Owners>(given).await.unwrap();
    people.publish(&bob, "redis@1.1.0").await.unwrap();
    let left = people
        .send(&bob, Method::DELETE, "me/teams/data", &())
        .await;
    assert_eq!(left.status(), 200);
    assert!(people.publish(&bob, "redis@1.2.0").await.is_err());
    let last = people
        .send(&ada, Method::DELETE, "me/teams/data", &())
        .await;
    assert_eq!(problem(last).await.code, "last-owner");
}

#[tokio::test]
async fn tokens_are_made_listed_limited_and_ended() {
    let people = People::start(&["ada"]);
    let ada = people.token("ada");
    let new = NewToken {
        name: "ci".to_owned(),
        scopes: vec![
            "publish-new:mongodb*".to_owned(),
            "publish:mongodb*".to_owned(),
        ],
        expires_at: None,
        bound: None,
    };
    let made = people.send(&ada, Method::POST, "tokens", &new).await;
    assert_eq!(made.status(), 201);
    let made: TokenMade = answer(made).await.unwrap();
    assert!(made.secret.starts_with("prv_"));
    assert!(made.token.expires_at.is_some(), "it ends by itself");
    people
        .publish(&made.secret, "mongodb-tools@1.0.0")
        .await
        .unwrap();
    let refused = people
        .publish(&made.secret, "redis@1.0.0")
        .await
        .unwrap_err();
    assert_eq!(refused.code, "pattern-missing");
    let outlive = people
        .send(&made.secret, Method::POST, "tokens", &new)
        .await;
    assert_eq!(problem(outlive).await.code, "scope-missing");
    let listed = people.send(&ada, Method::GET, "tokens", &()).await;
    let listed: TokenList = answer(listed).await.unwrap();
    assert_eq!(listed.tokens.len(), 2);
    assert!(
        listed
            .tokens
            .iter()
            .all(|it| it.user.as_deref() == Some("ada"))
    );
    let path = format!("tokens/{}", made.token.id);
    let ended = people.send(&ada, Method::DELETE, &path, &()).await;
    assert_eq!(ended.status(), 200);
    let late = people
        .publish(&made.secret, "mongodb@1.0.0")
        .await
        .unwrap_err();
    assert_eq!(late.code, "token-revoked");
    let own = people
        .send(&ada, Method::DELETE, "tokens/current", &())
        .await;
    assert_eq!(own.status(), 200);
    let late = people.send(&ada, Method::GET, "me", &()).await;
    assert_eq!(problem(late).await.code, "token-revoked");
}

#[tokio::test]
async fn nobody_sees_or_ends_the_tokens_of_others_but_administrators() {
    let people = People::start(&["ada", "bob"]);
    people.run(&["user", "add", "root", "--role", "administrator"]);
    let (ada, bob, root) = (
        people.token("ada"),
        people.token("bob"),
        people.token("root"),
    );
    let me: Me = answer(people.send(&ada, Method::GET, "me", &()).await)
        .await
        .unwrap();
    let path = format!("tokens/{}", me.token.id);
    let refused = people.send(&bob, Method::DELETE, &path, &()).await;
    assert_eq!(problem(refused).await.code, "token-unknown");
    let all = people.send(&root, Method::GET, "tokens", &()).await;
    let all: TokenList = answer(all).await.unwrap();
    assert!(all.tokens.len() >= 4, "{all:?}");
    let ended = people.send(&root, Method::DELETE, &path, &()).await;
    assert_eq!(ended.status(), 200);
    let late = people.send(&ada, Method::GET, "me", &()).await;
    assert_eq!(problem(late).await.code, "token-revoked");
}

#[tokio::test]
async fn a_token_bound_to_one_version_publishes_that_alone() {
    let people = People::start(&[]);
    let scopes = ["--scope", "publish-new,publish", "--bind", "redis@1.0.0"];
    let bound = people.run(&[&["token", "create", "--name", "once"], &scopes[..]].concat());
    let refused = people.publish(&bound, "redis@1.0.1").await.unwrap_err();
    assert_eq!(refused.code, "token-bound");
    people.publish(&bound, "redis@1.0.0").await.unwrap();
}

#[tokio::test]
async fn the_command_line_lists_people_and_refuses_with_a_way_out() {
    let people = People::start(&["ada"]);
    assert!(people.run(&["user", "list"]).contains("ada"));
    let again = people.registry.command(&["user", "add", "ada"]);
    assert_eq!(again.status.code(), Some(1));
    let unknown = people
        .registry
        .command(&["user", "token", "eve", "--scope", "publish"]);
    let text = String::from_utf8_lossy(&unknown.stderr);
    assert!(
        text.contains("`eve`") && text.contains("user add"),
        "{text}"
    );
    for bad in ["Ada", "a--b", ""] {
        assert!(
            !people
                .registry
                .command(&["user", "add", bad])
                .status
                .success(),
            "{bad}"
        );
    }
    let listed: serde_json::Value =
        serde_json::from_str(&people.run(&["token", "list", "--json"])).unwrap();
    let id = listed["tokens"][0]["id"].as_str().unwrap();
    assert!(people.run(&["token", "revoke", id]).contains("has ended"));
    people.run(&["settings", "set", "review", "new-packages"]);
    assert!(
        people
            .run(&["settings", "show"])
            .contains("review = new-packages")
    );
}
