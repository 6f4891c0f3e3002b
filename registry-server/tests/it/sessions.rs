//! A publish session's states, what it reserves, and uploads that go on.

use std::fmt::Write as _;

use provisioning_package::{ArchiveFormat, Target};
use provisioning_registry_api::session::{
    OpenSession, Review, SessionList, SessionState, SessionStatus, UploadOffset, Verdict, WaitsFor,
};
use provisioning_registry_api::settings::{RegistrySettings, SetValue};
use reqwest::Method;

use crate::registry::{
    Archive, Registry, answer, archive, declared, header, manifest, pack, problem,
};

fn token(registry: &Registry, name: &str, scopes: &str) -> String {
    let made = registry.command(&["token", "create", "--name", name, "--scope", scopes]);
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

async fn open(
    registry: &Registry,
    token: &str,
    versions: &[(&str, &Archive)],
) -> reqwest::Response {
    let open = OpenSession {
        versions: versions
            .iter()
            .map(|(spec, it)| declared(spec, std::slice::from_ref(*it)))
            .collect(),
    };
    registry
        .send_as(token, Method::POST, "sessions", &open)
        .await
}

async fn look(registry: &Registry, session: &str) -> SessionStatus {
    let path = format!("sessions/{session}");
    answer(registry.send(Method::GET, &path, &()).await)
        .await
        .unwrap()
}

async fn set_review(registry: &Registry, value: &str) {
    let value = SetValue {
        value: value.to_owned(),
    };
    let done = registry.send(Method::PUT, "settings/review", &value).await;
    let done: RegistrySettings = answer(done).await.unwrap();
    assert_eq!(done.settings["review"], value.value);
}

#[tokio::test]
async fn a_session_says_what_it_waits_for_at_every_step() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "x");
    let opened = open(&registry, &registry.admin(), &[("redis@1.0.0", &redis)]).await;
    assert_eq!(opened.status(), 201);
    let status: SessionStatus = answer(opened).await.unwrap();
    assert_eq!(status.state, SessionState::Uploading);
    assert_eq!(status.waits_for, Some(WaitsFor::Archives));
    assert!(status.expires_at.is_some_and(|it| it > status.since));
    let sent = registry.upload(&status.session, &redis.digest, &redis.bytes);
    let status: SessionStatus = answer(sent.await.unwrap()).await.unwrap();
    assert_eq!(status.state, SessionState::Uploaded);
    assert_eq!(status.waits_for, Some(WaitsFor::Owner));
    assert!(!status.next.is_empty());
    let path = format!("sessions/{}/finalize", status.session);
    let finished = registry.send(Method::POST, &path, &()).await;
    assert_eq!(finished.status(), 201);
    let status: SessionStatus = answer(finished).await.unwrap();
    assert_eq!(status.state, SessionState::Visible);
    assert_eq!((status.waits_for, status.expires_at), (None, None));
    let again = registry.send(Method::POST, &path, &()).await;
    assert_eq!(again.status(), 201, "asking again says so again");
}

#[tokio::test]
async fn an_open_session_reserves_its_versions_against_others_until_it_ends() {
    let registry = Registry::start();
    let (ada, bob) = (
        token(&registry, "ada", "publish-new,publish"),
        token(&registry, "bob", "publish-new,publish"),
    );
    let (one, two) = (archive("redis@1.0.0", "1"), archive("redis@1.0.0", "2"));
    let opened = open(&registry, &ada, &[("redis@1.0.0", &one)]).await;
    let first: SessionStatus = answer(opened).await.unwrap();
    let refused = problem(open(&registry, &bob, &[("redis@1.0.0", &two)]).await).await;
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (409, "version-reserved")
    );
    assert!(
        refused.detail.contains(&one.digest.prefixed()),
        "{refused:?}"
    );
    let same = open(&registry, &bob, &[("redis@1.0.0", &one)]).await;
    let same: SessionStatus = answer(same).await.unwrap();
    assert_eq!(
        same.session, first.session,
        "the same bytes are the same publish"
    );
    let own = open(&registry, &ada, &[("redis@1.0.0", &two)]).await;
    answer::<SessionStatus>(own).await.unwrap();
    let path = format!("sessions/{}", first.session);
    let given_up = registry.send_as(&ada, Method::DELETE, &path, &()).await;
    let given_up: SessionStatus = answer(given_up).await.unwrap();
    assert_eq!(given_up.state, SessionState::Refused);
    let free = open(&registry, &bob, &[("redis@1.0.0", &two)]).await;
    answer::<SessionStatus>(free).await.unwrap();
    let finalize = format!("sessions/{}/finalize", first.session);
    let late = registry.send_as(&ada, Method::POST, &finalize, &()).await;
    assert_eq!(problem(late).await.code, "session-refused");
}

#[tokio::test]
async fn what_is_visible_cannot_be_given_up() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "x");
    let status = registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let path = format!("sessions/{}", status.session);
    let refused = registry.send(Method::DELETE, &path, &()).await;
    assert_eq!(problem(refused).await.code, "session-state");
    assert_eq!(
        look(&registry, &status.session).await.state,
        SessionState::Visible
    );
}

#[tokio::test]
async fn a_new_package_waits_for_a_moderator_where_the_registry_says_so() {
    let registry = Registry::start();
    set_review(&registry, "new-packages").await;
    let redis = archive("redis@1.0.0", "x");
    let held = registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    assert_eq!(held.state, SessionState::AwaitingReview);
    assert_eq!(held.waits_for, Some(WaitsFor::Moderator));
    assert!(held.reasons[0].contains("redis"), "{held:?}");
    assert_eq!(
        registry.get("index/extension/redis.json").await.status(),
        404
    );
    let moderator = token(&registry, "mod", "moderate");
    let waiting = registry
        .send_as(&moderator, Method::GET, "reviews", &())
        .await;
    let waiting: SessionList = answer(waiting).await.unwrap();
    assert_eq!(waiting.sessions.len(), 1);
    let path = format!("sessions/{}/review", held.session);
    let yes = Review {
        verdict: Verdict::Approve,
        reason: None,
    };
    let publisher = token(&registry, "p", "publish");
    let refused = registry
        .send_as(&publisher, Method::POST, &path, &yes)
        .await;
    assert_eq!(problem(refused).await.code, "scope-missing");
    let done = registry
        .send_as(&moderator, Method::POST, &path, &yes)
        .await;
    assert_eq!(done.status(), 201);
    let done: SessionStatus = answer(done).await.unwrap();
    assert_eq!(done.state, SessionState::Visible);
    assert_eq!(registry.index("redis").await.versions.len(), 1);
    let again = registry
        .send_as(&moderator, Method::POST, &path, &yes)
        .await;
    assert_eq!(problem(again).await.code, "session-state");
    let next = archive("redis@1.1.0", "x");
    let next = registry.publish("redis@1.1.0", &[next]).await.unwrap();
    assert_eq!(next.state, SessionState::Visible, "it is not new any more");
}

#[tokio::test]
async fn a_moderator_who_refuses_says_why_and_frees_the_name() {
    let registry = Registry::start();
    set_review(&registry, "every-version").await;
    let redis = archive("redis@1.0.0", "x");
    let held = registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    let path = format!("sessions/{}/review", held.session);
    let silent = Review {
        verdict: Verdict::Refuse,
        reason: None,
    };
    let refused = registry.send(Method::POST, &path, &silent).await;
    assert_eq!(problem(refused).await.code, "bad-request");
    let no = Review {
        verdict: Verdict::Refuse,
        reason: Some("it mines coins".to_owned()),
    };
    let ended: SessionStatus = answer(registry.send(Method::POST, &path, &no).await)
        .await
        .unwrap();
    assert_eq!(ended.state, SessionState::Refused);
    assert!(ended.reasons[0].contains("it mines coins"));
    set_review(&registry, "nothing").await;
    let other = archive("redis@1.0.0", "other");
    let done = registry.publish("redis@1.0.0", &[other]).await.unwrap();
    assert_eq!(done.state, SessionState::Visible);
}

#[tokio::test]
async fn settings_that_do_not_exist_are_refused() {
    let registry = Registry::start();
    let value = SetValue {
        value: "sometimes".to_owned(),
    };
    let wrong = registry.send(Method::PUT, "settings/review", &value).await;
    assert_eq!(problem(wrong).await.code, "bad-request");
    let unknown = registry.send(Method::PUT, "settings/colour", &value).await;
    assert_eq!(problem(unknown).await.code, "not-found");
}

/// Bytes that do not compress, so that an archive of them is large.
fn noise(length: usize) -> String {
    let mut state = 7_u64;
    let mut text = String::new();
    while text.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        write!(text, "{state:016x}").unwrap();
    }
    text
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_where_it_stopped_also_after_a_restart() {
    let mut registry = Registry::start_lasting();
    let redis = pack(
        &manifest("redis@1.0.0", ""),
        &noise(600_000),
        Target::Any,
        ArchiveFormat::TarZst,
    );
    let half = redis.bytes.len() / 2;
    assert!(half > 100_000);
    let opened = open(&registry, &registry.admin(), &[("redis@1.0.0", &redis)]).await;
    let status: SessionStatus = answer(opened).await.unwrap();
    let path = format!(
        "api/v1/sessions/{}/archives/{}",
        status.session,
        redis.digest.hex()
    );
    let send_from = async |registry: &Registry, offset: usize, bytes: &[u8]| {
        let url = format!("{}/{path}", registry.base);
        let request = registry.http.patch(url).bearer_auth(registry.admin());
        let request = request.header("upload-offset", offset.to_string());
        request.body(bytes.to_vec()).send().await.unwrap()
    };
    let part = send_from(&registry, 0, &redis.bytes[..half]).await;
    let part: SessionStatus = answer(part).await.unwrap();
    assert_eq!(part.state, SessionState::Uploading);
    registry.kill_and_restart(&[]);
    let url = format!("{}/{path}", registry.base);
    let asked = registry.http.head(url).bearer_auth(registry.admin());
    let asked = asked.send().await.unwrap();
    assert_eq!(header(&asked, "upload-offset"), half.to_string());
    assert_eq!(header(&asked, "upload-complete"), "?0");
    let wrong = send_from(&registry, half + 1, &redis.bytes[half + 1..]).await;
    assert_eq!(problem(wrong).await.code, "upload-offset");
    let rest = send_from(&registry, half, &redis.bytes[half..]).await;
    let rest: SessionStatus = answer(rest).await.unwrap();
    assert_eq!(rest.state, SessionState::Uploaded);
    let short = path.strip_prefix("api/v1/").unwrap();
    let offset: UploadOffset = answer(registry.send(Method::GET, short, &()).await)
        .await
        .unwrap();
    assert!(offset.complete);
    let finalize = format!("sessions/{}/finalize", status.session);
    let done = registry.send(Method::POST, &finalize, &()).await;
    assert_eq!(done.status(), 201);
    assert_eq!(registry.archive(&redis.digest).await, redis.bytes);
}
