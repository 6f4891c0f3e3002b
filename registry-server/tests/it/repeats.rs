//! A publish whose answer was lost is repeated, by the same token or the same machine.

use provisioning_package::{ArchiveFormat, Target};
use provisioning_registry_api::session::{OpenSession, SessionState, SessionStatus};
use reqwest::Method;

use crate::registry::{Archive, Registry, answer, archive, declared, manifest, pack, problem};

async fn open(registry: &Registry, token: &str, session: &OpenSession) -> reqwest::Response {
    registry
        .send_as(token, Method::POST, "sessions", session)
        .await
}

#[tokio::test]
async fn a_token_for_new_packages_may_repeat_its_own_publish() {
    let registry = Registry::start();
    let made = registry.command(&["token", "create", "--name", "t", "--scope", "publish-new"]);
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let redis = archive("redis@1.0.0", "x");
    registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    let session = OpenSession {
        versions: vec![declared("redis@1.0.0", &[redis])],
    };
    let opened: SessionStatus = answer(open(&registry, &token, &session).await)
        .await
        .unwrap();
    let path = format!("sessions/{}/finalize", opened.session);
    let finished = registry.send_as(&token, Method::POST, &path, &()).await;
    let finished: SessionStatus = answer(finished).await.unwrap();
    assert_eq!(finished.state, SessionState::Visible);
    // A further version is another thing, and so are other bytes.
    for (spec, content) in [("redis@1.1.0", "x"), ("redis@1.0.0", "y")] {
        let session = OpenSession {
            versions: vec![declared(spec, &[archive(spec, content)])],
        };
        let refused = problem(open(&registry, &token, &session).await).await;
        assert_eq!(refused.code, "scope-missing", "{spec} {content}");
    }
}

#[tokio::test]
async fn one_machine_of_several_repeats_its_share_without_waiting() {
    let registry = Registry::start();
    let build = |content: &str, target: Target| -> Archive {
        let text = manifest("redis@1.0.0", "");
        pack(&text, content, target, ArchiveFormat::TarZst)
    };
    let intel = build("intel", Target::LinuxX86_64);
    let arm = build("arm", Target::LinuxArm64);
    let both = [intel, arm];
    registry.publish("redis@1.0.0", &both).await.unwrap();
    let mut share = declared("redis@1.0.0", &both);
    share.archives[1].digest = None;
    share.archives[1].size = None;
    let session = OpenSession {
        versions: vec![share],
    };
    let opened: SessionStatus = answer(open(&registry, &registry.admin(), &session).await)
        .await
        .unwrap();
    assert!(opened.missing.is_empty(), "{:?}", opened.missing);
    let path = format!("sessions/{}/finalize", opened.session);
    let finished = registry.send(Method::POST, &path, &()).await;
    let finished: SessionStatus = answer(finished).await.unwrap();
    assert_eq!(finished.state, SessionState::Visible);
}
