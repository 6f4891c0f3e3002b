//! Publishing: what is accepted, what is refused, and who wins.

use provisioning_package::{ArchiveFormat, Digest, Target};
use provisioning_registry_api::session::{
    DeclaredArchive, OpenSession, SessionState, SessionStatus,
};
use reqwest::Method;

use crate::registry::{Archive, Registry, answer, archive, declared, manifest, pack, problem};

#[tokio::test]
async fn a_published_version_is_readable_byte_for_byte() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "hello");
    let status = registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    assert_eq!(status.state, SessionState::Visible);
    assert_eq!(status.serial, Some(1));
    let entry = registry.index("redis").await;
    let listed = &entry.versions[0].archives[0];
    assert_eq!(listed.digest, redis.digest);
    assert_eq!(listed.size, redis.bytes.len() as u64);
    assert_eq!(registry.archive(&redis.digest).await, redis.bytes);
}

#[tokio::test]
async fn the_same_bytes_again_succeed_and_change_nothing() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "hello");
    let first = registry
        .publish("redis@1.0.0", std::slice::from_ref(&redis))
        .await
        .unwrap();
    let again = registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    assert_eq!(again.state, SessionState::Visible);
    assert_eq!(again.serial, first.serial);
    let other = archive("mongodb@1.0.0", "hello");
    let next = registry.publish("mongodb@1.0.0", &[other]).await.unwrap();
    assert_eq!(next.serial, Some(2), "nothing visible came between");
}

#[tokio::test]
async fn other_bytes_are_refused_and_both_digests_named() {
    let registry = Registry::start();
    let first = archive("redis@1.0.0", "first");
    let second = archive("redis@1.0.0", "second");
    registry
        .publish("redis@1.0.0", std::slice::from_ref(&first))
        .await
        .unwrap();
    let refused = registry
        .publish("redis@1.0.0", std::slice::from_ref(&second))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.status, refused.code.as_str()),
        (409, "version-exists")
    );
    assert!(
        refused.detail.contains(&first.digest.prefixed()),
        "{refused:?}"
    );
    assert!(
        refused.detail.contains(&second.digest.prefixed()),
        "{refused:?}"
    );
    assert_eq!(registry.archive(&first.digest).await, first.bytes);
}

#[tokio::test]
async fn two_sessions_that_race_have_one_winner() {
    let registry = Registry::start();
    let mut rivals = Vec::new();
    for content in ["one", "two"] {
        let rival = archive("redis@1.0.0", content);
        let open = OpenSession {
            versions: vec![declared("redis@1.0.0", std::slice::from_ref(&rival))],
        };
        let opened = registry.send(Method::POST, "sessions", &open).await;
        let status: SessionStatus = answer(opened).await.unwrap();
        let sent = registry.upload(&status.session, &rival.digest, &rival.bytes);
        assert_eq!(sent.await.unwrap().status(), 200);
        rivals.push((status.session, rival));
    }
    let finish = |session: &str| {
        let path = format!("sessions/{session}/finalize");
        let registry = &registry;
        async move { registry.send(Method::POST, &path, &()).await }
    };
    let (left, right) = tokio::join!(finish(&rivals[0].0), finish(&rivals[1].0));
    let (winner, loser) = if left.status() == 201 {
        (0, right)
    } else {
        assert_eq!(right.status(), 201);
        (1, left)
    };
    assert_eq!(problem(loser).await.code, "version-exists");
    let entry = registry.index("redis").await;
    assert_eq!(
        entry.versions[0].archives[0].digest,
        rivals[winner].1.digest
    );
    let lost = format!("api/v1/sessions/{}", rivals[1 - winner].0);
    let url = format!("{}/{lost}", registry.base);
    let response = registry
        .http
        .get(url)
        .bearer_auth(registry.admin())
        .send()
        .await
        .unwrap();
    let status: SessionStatus = answer(response).await.unwrap();
    assert_eq!(status.state, SessionState::Refused);
    assert!(!status.reasons.is_empty() && !status.next.is_empty());
}

#[tokio::test]
async fn a_session_of_many_packages_is_visible_whole_or_not_at_all() {
    let registry = Registry::start();
    let taken = archive("redis@1.0.0", "taken");
    registry.publish("redis@1.0.0", &[taken]).await.unwrap();
    let core = archive("core@1.0.0", "core");
    let early = archive("core@1.1.0", "core");
    let other = archive("redis@1.0.0", "other");
    registry
        .publish_together(&[
            ("core@1.0.0", std::slice::from_ref(&core)),
            ("redis@1.0.0", std::slice::from_ref(&other)),
        ])
        .await
        .unwrap_err();
    assert_eq!(registry.get("index/core/core.json").await.status(), 404);
    registry
        .publish_together(&[
            ("core@1.1.0", std::slice::from_ref(&early)),
            ("core@1.0.0", std::slice::from_ref(&core)),
        ])
        .await
        .unwrap();
    let versions = registry.index("core").await.versions;
    let numbers: Vec<_> = versions.iter().map(|it| it.version.to_string()).collect();
    assert_eq!(numbers, ["1.0.0", "1.1.0"], "oldest first");
}

#[tokio::test]
async fn an_abandoned_session_does_not_wedge_its_version() {
    let registry = Registry::start();
    let never_sent = archive("redis@1.0.0", "never sent");
    let open = OpenSession {
        versions: vec![declared("redis@1.0.0", &[never_sent])],
    };
    registry.send(Method::POST, "sessions", &open).await;
    let redis = archive("redis@1.0.0", "sent");
    registry.publish("redis@1.0.0", &[redis]).await.unwrap();
}

#[tokio::test]
async fn two_machines_publish_one_version_for_their_targets() {
    let registry = Registry::start();
    let text = manifest("platform@1.0.0", "");
    let x86 = pack(&text, "x86", Target::LinuxX86_64, ArchiveFormat::TarZst);
    let arm = pack(&text, "arm", Target::LinuxArm64, ArchiveFormat::TarZst);
    let mut sessions = Vec::new();
    for own in [&x86, &arm] {
        let mut version = declared("platform@1.0.0", &[x86.clone(), arm.clone()]);
        for one in &mut version.archives {
            if one.target != own.target {
                (one.digest, one.size) = (None, None);
            }
        }
        let open = OpenSession {
            versions: vec![version],
        };
        let opened = registry.send(Method::POST, "sessions", &open).await;
        let status: SessionStatus = answer(opened).await.unwrap();
        let sent = registry
            .upload(&status.session, &own.digest, &own.bytes)
            .await;
        let status: SessionStatus = answer(sent.unwrap()).await.unwrap();
        let path = format!("sessions/{}/finalize", status.session);
        let finished = registry.send(Method::POST, &path, &()).await;
        if own.target == x86.target {
            assert_eq!(problem(finished).await.code, "session-incomplete");
        } else {
            assert_eq!(finished.status(), 201);
        }
        sessions.push(status.session);
    }
    assert_eq!(sessions[0], sessions[1]);
    assert_eq!(
        registry.index("platform").await.versions[0].archives.len(),
        2
    );
}

/// What one wrong publish is refused with.
async fn refusal(registry: &Registry, spec: &str, archives: &[Archive]) -> String {
    registry.publish(spec, archives).await.unwrap_err().code
}

#[tokio::test]
async fn archives_that_contradict_their_declaration_are_refused() {
    let registry = Registry::start();
    let zst = ArchiveFormat::TarZst;
    let plain = |text: &str, target| pack(text, "x", target, zst);
    let other_version = archive("redis@2.0.0", "x");
    assert_eq!(
        refusal(&registry, "redis@1.0.0", &[other_version]).await,
        "manifest-mismatch"
    );
    let client = archive("client@1.0.0", "x");
    assert_eq!(
        refusal(&registry, "client@1.0.0", &[client]).await,
        "client-format"
    );
    let broken = plain("[extension]\nname = \"redis\"\n", Target::Any);
    assert_eq!(
        refusal(&registry, "redis@1.0.0", &[broken]).await,
        "manifest-invalid"
    );
    let one = plain(&manifest("redis@1.0.0", ""), Target::LinuxX86_64);
    let two = plain(
        &manifest("redis@1.0.0", "api = \"1.0.0\"\n"),
        Target::LinuxArm64,
    );
    assert_eq!(
        refusal(&registry, "redis@1.0.0", &[one, two]).await,
        "manifests-differ"
    );
    let garbage = Archive {
        bytes: b"not an archive".to_vec(),
        digest: Digest::of(b"not an archive"),
        target: Target::Any,
    };
    let code = refusal(&registry, "redis@1.0.0", &[garbage]).await;
    assert!(!["internal", "broken"].contains(&code.as_str()), "{code}");
    // None of it stuck.
    let good = archive("redis@1.0.0", "good");
    registry.publish("redis@1.0.0", &[good]).await.unwrap();
}

#[tokio::test]
async fn targets_that_differ_in_their_install_section_alone_are_one_version() {
    let registry = Registry::start();
    let text = |bin: &str| manifest("platform@1.0.0", &format!("[install]\nbin = [\"{bin}\"]\n"));
    let x86 = pack(
        &text("content"),
        "x86",
        Target::LinuxX86_64,
        ArchiveFormat::TarZst,
    );
    let arm = pack(
        &manifest("platform@1.0.0", ""),
        "arm",
        Target::LinuxArm64,
        ArchiveFormat::TarZst,
    );
    registry
        .publish("platform@1.0.0", &[x86, arm])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_version_that_differs_in_build_metadata_alone_is_refused() {
    let registry = Registry::start();
    let first = archive("redis@1.0.0+one", "x");
    registry.publish("redis@1.0.0+one", &[first]).await.unwrap();
    let second = archive("redis@1.0.0+two", "x");
    let code = refusal(&registry, "redis@1.0.0+two", &[second]).await;
    assert_eq!(code, "build-metadata-conflict");
}

#[tokio::test]
async fn targets_are_not_added_to_a_published_version() {
    let registry = Registry::start();
    let text = manifest("platform@1.0.0", "");
    let x86 = pack(&text, "x86", Target::LinuxX86_64, ArchiveFormat::TarZst);
    let arm = pack(&text, "arm", Target::LinuxArm64, ArchiveFormat::TarZst);
    registry
        .publish("platform@1.0.0", std::slice::from_ref(&x86))
        .await
        .unwrap();
    let code = refusal(&registry, "platform@1.0.0", &[x86, arm.clone()]).await;
    assert_eq!(code, "version-exists");
    let any = Archive {
        target: Target::Any,
        ..arm.clone()
    };
    let code = refusal(&registry, "platform@2.0.0", &[any, arm]).await;
    assert_eq!(code, "declaration-invalid");
}

#[tokio::test]
async fn wrong_or_cut_bytes_are_refused_and_can_be_sent_again() {
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "hello");
    let mut version = declared("redis@1.0.0", std::slice::from_ref(&redis));
    let without_size = DeclaredArchive {
        size: None,
        ..version.archives[0].clone()
    };
    version.archives = vec![without_size];
    let open = OpenSession {
        versions: vec![version],
    };
    let opened = registry.send(Method::POST, "sessions", &open).await;
    let status: SessionStatus = answer(opened).await.unwrap();
    let cut = &redis.bytes[..redis.bytes.len() - 1];
    let refused = registry.upload(&status.session, &redis.digest, cut).await;
    assert_eq!(problem(refused.unwrap()).await.code, "digest-mismatch");
    let undeclared = registry
        .upload(&status.session, &Digest::of(b"x"), b"x")
        .await;
    assert_eq!(
        problem(undeclared.unwrap()).await.code,
        "archive-undeclared"
    );
    let staged = std::fs::read_dir(registry.file("staging")).unwrap().count();
    assert_eq!(staged, 0, "nothing is left behind");
    let status = registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    assert_eq!(status.state, SessionState::Visible);
}

#[tokio::test]
async fn a_package_describes_itself_by_its_newest_version() {
    let registry = Registry::start();
    for (version, words) in [("1.0.0", "one"), ("2.0.0", "two"), ("1.5.0", "late")] {
        let spec = format!("redis@{version}");
        let text = manifest(&spec, &format!("description = \"{words}\"\n"));
        let packed = pack(&text, "x", Target::Any, ArchiveFormat::TarZst);
        registry.publish(&spec, &[packed]).await.unwrap();
    }
    let entry = registry.index("redis").await;
    assert_eq!(entry.description.as_deref(), Some("two"));
}

#[tokio::test]
async fn of_many_rivals_one_wins_and_equal_ones_all_succeed() {
    let registry = std::sync::Arc::new(Registry::start());
    let mut running = tokio::task::JoinSet::new();
    for number in 0..24 {
        let registry = std::sync::Arc::clone(&registry);
        running.spawn(async move {
            let rival = archive("redis@1.0.0", &format!("{number}"));
            let equal = archive("mongodb@1.0.0", "equal");
            let won = registry.publish("redis@1.0.0", &[rival]).await;
            let same = registry.publish("mongodb@1.0.0", &[equal]).await;
            (won, same)
        });
    }
    let mut winners = 0;
    while let Some(done) = running.join_next().await {
        let (won, same) = done.unwrap();
        assert_eq!(same.unwrap().state, SessionState::Visible);
        match won {
            Ok(_) => winners += 1,
            Err(refused) => assert_eq!(refused.code, "version-exists", "{refused:?}"),
        }
    }
    assert_eq!(winners, 1);
    let other = archive("core@1.0.0", "x");
    let next = registry.publish("core@1.0.0", &[other]).await.unwrap();
    assert_eq!(next.serial, Some(3), "one change for each version");
}

#[tokio::test]
async fn packages_published_at_once_are_signed_together_and_all_listed() {
    let registry = std::sync::Arc::new(Registry::start());
    let mut running = tokio::task::JoinSet::new();
    for number in 0..24 {
        let registry = std::sync::Arc::clone(&registry);
        running.spawn(async move {
            let name = format!("package{number}");
            let spec = format!("{name}@1.0.0");
            let packed = archive(&spec, &spec);
            registry.publish(&spec, &[packed]).await.unwrap();
            // It is readable as soon as its publisher is told.
            assert_eq!(registry.index(&name).await.versions.len(), 1);
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_and_is_simply_sent_again() {
    use std::io::Write as _;
    let registry = Registry::start();
    let redis = archive("redis@1.0.0", "hello");
    let open = OpenSession {
        versions: vec![declared("redis@1.0.0", std::slice::from_ref(&redis))],
    };
    let opened = registry.send(Method::POST, "sessions", &open).await;
    let status: SessionStatus = answer(opened).await.unwrap();
    let address = registry.base.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "PUT /api/v1/sessions/{}/archives/{} HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        status.session,
        redis.digest.hex(),
        registry.admin(),
        redis.bytes.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&redis.bytes[..9]).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(stream);
    let staged = || std::fs::read_dir(registry.file("staging")).unwrap().count();
    for _ in 0..100 {
        if staged() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(staged(), 0);
    let status = registry.publish("redis@1.0.0", &[redis]).await.unwrap();
    assert_eq!(status.state, SessionState::Visible);
}

#[tokio::test]
async fn a_refused_upload_hears_why_while_it_is_still_sending() {
    let registry = Registry::start();
    let url = format!(
        "{}/api/v1/sessions/none/archives/{}",
        registry.base,
        "0".repeat(64)
    );
    let body = vec![7; 12 * 1024 * 1024];
    let stranger = registry
        .http
        .put(&url)
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(problem(stranger).await.code, "token-missing");
    let request = registry.http.put(&url).bearer_auth(registry.admin());
    let lost = request.body(body).send().await.unwrap();
    assert_eq!(problem(lost).await.code, "session-unknown");
}
