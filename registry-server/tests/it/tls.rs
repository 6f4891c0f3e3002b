//! TLS that ends at the registry: bad clients, good ones, and a certificate that changes.

use std::net::SocketAddr;
use std::path::Path;

use jiff::Timestamp;
use provisioning_registry_server::{Limits, Server, Settings, Tls, TlsFiles};
use reqwest::{Certificate, Client};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// A server in this process that speaks TLS.
struct Secured {
    folder: TempDir,
    address: SocketAddr,
    tls: Tls,
    certificate: Certificate,
    _stop: oneshot::Sender<()>,
}

/// Writes a new certificate for this machine; gives it.
fn certify(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = made.cert.pem();
    std::fs::write(folder.join("cert.pem"), &pem).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    Certificate::from_pem(pem.as_bytes()).unwrap()
}

impl Secured {
    async fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = certify(folder.path());
        let settings = Settings {
            limits,
            tls: Some(TlsFiles {
                certificate: folder.path().join("cert.pem"),
                key: folder.path().join("key.pem"),
            }),
            ..Settings::in_folder(folder.path().join("data"))
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "TUF expiry needs a clock that moves"
        )]
        let clock = Timestamp::now;
        let server = Server::start(settings, clock).await.unwrap();
        let address = server.address();
        let tls = server.tls().unwrap().clone();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(server.run(async {
            // A sender that was dropped means the same.
            let _ = stopped.await;
        }));
        Self {
            folder,
            address,
            tls,
            certificate,
            _stop: stop,
        }
    }

    async fn is_serving(&self, certificate: &Certificate) -> bool {
        let client = Client::builder()
            .tls_certs_only([certificate.clone()])
            .timeout(std::time::Duration::from_mins(1))
            .build()
            .unwrap();
        let url = format!("https://{}/livez", self.address);
        let answer = client.get(url).send().await;
        answer.is_ok_and(|it| it.status() == 200)
    }
}

#[tokio::test]
async fn a_crowd_that_never_shakes_hands_does_not_keep_a_good_client_out() {
    let server = Secured::start(Limits {
        connections: 64,
        connections_per_address: 16,
        ..Limits::default()
    })
    .await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert!(server.is_serving(&server.certificate).await);
    drop(crowd);
}

#[tokio::test]
async fn nonsense_in_the_place_of_a_handshake_ends_that_connection_alone() {
    let server = Secured::start(Limits::default()).await;
    let plain = reqwest::get(format!("http://{}/livez", server.address)).await;
    assert!(plain.is_err(), "plain HTTP is not served here");
    assert!(server.is_serving(&server.certificate).await);
}

#[tokio::test]
async fn a_new_certificate_is_shown_after_a_reload_and_a_broken_one_never() {
    let server = Secured::start(Limits::default()).await;
    let old = server.certificate.clone();
    let new = certify(server.folder.path());
    assert!(server.is_serving(&old).await, "nothing was read yet");
    server.tls.reload();
    assert!(server.is_serving(&new).await);
    assert!(!server.is_serving(&old).await);
    std::fs::write(server.folder.path().join("cert.pem"), "no certificate").unwrap();
    server.tls.reload();
    assert!(server.is_serving(&new).await, "the good one stays");
}

#[tokio::test]
async fn files_that_are_no_certificate_stop_the_start_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let other = tempfile::tempdir().unwrap();
    certify(other.path());
    for (certificate, key, word) in [
        (
            folder.path().join("missing.pem"),
            folder.path().join("key.pem"),
            "missing.pem",
        ),
        (
            folder.path().join("cert.pem"),
            folder.path().join("cert.pem"),
            "no private key",
        ),
        (
            folder.path().join("cert.pem"),
            other.path().join("key.pem"),
            "cannot be used together",
        ),
    ] {
        let settings = Settings {
            tls: Some(TlsFiles { certificate, key }),
            ..Settings::in_folder(folder.path().join("data"))
        };
        let clock = || Timestamp::UNIX_EPOCH;
        let error = Server::start(settings, clock).await.err().unwrap();
        assert!(error.to_string().contains(word), "{error}");
    }
}
