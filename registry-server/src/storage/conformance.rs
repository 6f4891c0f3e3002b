//! What every storage must do, on each kind of it: a folder, memory, and S3 (an in-process
//! server; with `PROVISIONING_TEST_S3` also a real one, which `scripts/test-ceph` starts).
#![expect(
    clippy::disallowed_methods,
    reason = "a test may ask the environment where its bucket is"
)]

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::probe::Condition;
use super::{ByteRange, Storage};

const BUCKET: &str = "packages";
const KEY: &str = "AKTEST";
const SECRET: &str = "SKTEST";

/// More than one part of a multipart upload.
const LARGE_BYTES: usize = 11 * 1024 * 1024 + 17;

#[tokio::test]
async fn a_folder_keeps_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    conforms(&Storage::open(None, folder.path(), &[]).unwrap()).await;
}

#[tokio::test]
async fn memory_keeps_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    conforms(&Storage::open(Some("memory:"), folder.path(), &[]).unwrap()).await;
}

#[tokio::test]
async fn s3_keeps_what_it_is_given() {
    let (_files, endpoint) = serve_s3().await;
    let storage = bucket(&endpoint, BUCKET);
    conforms(&storage).await;
    let probed = storage.probe("one").await.unwrap().unwrap();
    assert!(probed.lists_at_once, "{probed}");
    assert_eq!(storage.read("probe/one").await.unwrap(), None);
}

#[tokio::test]
async fn a_real_bucket_keeps_what_it_is_given() {
    let Ok(endpoint) = std::env::var("PROVISIONING_TEST_S3") else {
        return;
    };
    let storage = bucket(&endpoint, BUCKET);
    conforms(&storage).await;
    let probed = storage.probe("one").await.unwrap().unwrap();
    println!("{probed}");
    assert_ne!(probed.if_none_match, Condition::Ignored);
    // A bucket that is not there is an error, and not an empty one.
    let nowhere = bucket(&endpoint, "nowhere");
    nowhere.put("a/b", "c").await.unwrap_err();
    nowhere.probe("one").await.unwrap_err();
}

#[tokio::test]
async fn only_buckets_are_probed() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(None, folder.path(), &[]).unwrap();
    assert_eq!(storage.probe("one").await.unwrap(), None);
}

async fn conforms(storage: &Storage) {
    // Absent things are absent, not errors.
    assert_eq!(storage.read("metadata/none.json").await.unwrap(), None);
    assert_eq!(storage.length("metadata/none.json").await.unwrap(), None);
    assert_eq!(storage.look("metadata/none.json").await.unwrap(), None);
    storage.delete("metadata/none.json").await.unwrap();

    // A write is readable at once, and replaces.
    for text in ["one", "two, longer"] {
        storage.put("metadata/timestamp.json", text).await.unwrap();
        let found = storage.read("metadata/timestamp.json").await.unwrap();
        assert_eq!(found.as_deref(), Some(text.as_bytes()));
    }
    let several = ["3", "4"].map(|it| (format!("targets/index/{it}.json"), Bytes::from(it)));
    storage.put_all_hastily(several.to_vec()).await.unwrap();
    storage.put_hastily("metadata/5.json", "5").await.unwrap();
    storage.settle().await.unwrap();
    assert!(!storage.settle().await.unwrap(), "nothing new");

    // A staged file arrives whole, also where it takes several parts; again is harmless.
    let staging = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..=250).cycle().take(LARGE_BYTES).collect();
    for _ in 0..2 {
        let staged = staging.path().join("staged");
        std::fs::write(&staged, &large).unwrap();
        storage
            .put_file("archives/sha256/aa", &staged)
            .await
            .unwrap();
    }
    let length = storage.length("archives/sha256/aa").await.unwrap();
    assert_eq!(length, Some(LARGE_BYTES as u64));
    for (start, length) in [
        (0, 1),
        (5 * 1024 * 1024 - 1, 2),
        (LARGE_BYTES as u64 - 3, 3),
    ] {
        let range = ByteRange { start, length };
        let part = storage.stream("archives/sha256/aa", range).await.unwrap();
        let part: Vec<u8> = part.try_collect::<Vec<Bytes>>().await.unwrap().concat();
        let from = usize::try_from(start).unwrap();
        assert_eq!(part, large[from..from + usize::try_from(length).unwrap()]);
    }

    // A stream that fails leaves nothing.
    let broken = futures_util::stream::iter([
        Ok(Bytes::from_static(b"half")),
        Err(std::io::Error::other("cut")),
    ]);
    storage
        .put_stream("archives/sha256/bb", broken.boxed())
        .await
        .unwrap_err();
    assert_eq!(storage.length("archives/sha256/bb").await.unwrap(), None);

    // A listing shows what is there, below its folder alone.
    let listed: Vec<_> = storage.list("targets").try_collect().await.unwrap();
    let mut paths: Vec<_> = listed.into_iter().map(|it| it.path).collect();
    paths.sort();
    assert_eq!(paths, ["targets/index/3.json", "targets/index/4.json"]);
    storage.delete("targets/index/3.json").await.unwrap();
    let listed: Vec<_> = storage.list("targets").try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
}

fn bucket(endpoint: &str, name: &str) -> Storage {
    let options = [
        ("aws_endpoint", endpoint),
        ("aws_allow_http", "true"),
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", KEY),
        ("aws_secret_access_key", SECRET),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let url = format!("s3://{name}/registry");
    Storage::open(Some(&url), std::path::Path::new("unused"), &options).unwrap()
}

/// An S3 server in this process, with one bucket.
async fn serve_s3() -> (TempDir, String) {
    let files = tempfile::tempdir().unwrap();
    std::fs::create_dir(files.path().join(BUCKET)).unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(files.path()).unwrap());
    service.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = service.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let io = TokioIo::new(stream);
                // A client that goes away ends its connection.
                let _ = http1::Builder::new().serve_connection(io, service).await;
            });
        }
    });
    (files, endpoint)
}
