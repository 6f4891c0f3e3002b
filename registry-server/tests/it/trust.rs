//! What a client that believes nothing reads from a live registry.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use provisioning_registry_api::discovery::Discovery;
use provisioning_registry_api::index::IndexEntry;
use provisioning_trust::{Anchor, Transport, TransportError, TrustedRegistry};

use crate::registry::{Registry, archive, json};

struct Http {
    base: String,
    client: reqwest::Client,
}

impl Transport for Http {
    fn fetch<'a>(
        &'a self,
        path: &'a str,
        _max_bytes: u64,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, TransportError>> {
        async move {
            let answer = self
                .client
                .get(format!("{}/{path}", self.base))
                .send()
                .await;
            let answer = answer.map_err(|error| TransportError::Unreachable {
                source: Box::new(error),
            })?;
            if answer.status() == 404 {
                return Ok(None);
            }
            assert_eq!(answer.status(), 200, "{path}");
            Ok(Some(answer.bytes().await.unwrap().to_vec()))
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_verifying_client_follows_every_publish() {
    let registry = Registry::start();
    let found: Discovery = json(registry.get(".well-known/provisioning-registry.json").await).await;
    let anchor = Anchor {
        metadata: found.metadata,
        targets: found.targets,
        root_version: found.root_version,
        root_fingerprint: found.root_fingerprint,
    };
    let state = tempfile::tempdir().unwrap();
    let transport = Arc::new(Http {
        base: registry.base.clone(),
        client: registry.http.clone(),
    });
    let opened = TrustedRegistry::open(state.path(), transport, &anchor, None).await;
    let mut trusted = opened.unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "the server under test uses the real clock"
    )]
    let now = Timestamp::now;
    trusted.refresh(now()).await.unwrap();
    let script = trusted.target("scripts/install.sh", now()).await.unwrap();
    assert!(script.unwrap().starts_with(b"#!/bin/sh"));
    for (count, spec) in ["redis@1.0.0", "redis@1.1.0", "core@3.1.0"]
        .iter()
        .enumerate()
    {
        registry.publish(spec, &[archive(spec, "x")]).await.unwrap();
        trusted.refresh(now()).await.unwrap();
        let path = "index/extension/redis.json";
        let entry = trusted.target(path, now()).await.unwrap().unwrap();
        let entry: IndexEntry = serde_json::from_slice(&entry).unwrap();
        assert_eq!(entry.versions.len(), (count + 1).min(2), "{spec}");
    }
    let core = trusted.target("index/core/core.json", now()).await.unwrap();
    assert!(core.is_some());
}
