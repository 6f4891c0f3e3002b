//! TLS that ends here, with a certificate that can change while the server runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at for a new certificate.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to its authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// Why TLS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not what it should be.
    #[error("`{}` {problem}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificate and key do not belong together, or are of a sort that is not supported.
    #[error("certificate and key in `{}` and `{}` cannot be used together", files.certificate.display(), files.key.display())]
    Pair {
        /// The files.
        files: TlsFiles,
        /// What rustls said.
        source: rustls::Error,
    },
}

/// Ends TLS with the newest good certificate.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    held: Arc<Held>,
}

/// The certificate that is shown now.
#[derive(Debug)]
struct Held {
    files: TlsFiles,
    provider: CryptoProvider,
    now: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Held {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.now.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl Tls {
    /// Reads the files.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = aws_lc_rs::default_provider();
        let key = read(&files, &provider)?;
        let held = Arc::new(Held {
            files: files.clone(),
            provider: provider.clone(),
            now: RwLock::new(Arc::new(key)),
        });
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::Pair { files, source })?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&held) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            held,
        })
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Reads the files again; what cannot be used leaves the old certificate.
    pub fn reload(&self) {
        match read(&self.held.files, &self.held.provider) {
            Ok(key) => {
                *self
                    .held
                    .now
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                tracing::info!("the TLS certificate was read again");
            }
            Err(error) => {
                let chain = crate::problem::chain(&error);
                tracing::error!("the old TLS certificate stays: {chain}");
            }
        }
    }

    /// Reads the files again whenever they change.
    pub(crate) async fn follow(self) {
        let mut seen = self.written_at();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.written_at();
            if now != seen {
                seen = now;
                self.reload();
            }
        }
    }

    fn written_at(&self) -> [Option<SystemTime>; 2] {
        let files = &self.held.files;
        [&files.certificate, &files.key].map(|it| fs::metadata(it).ok()?.modified().ok())
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let wrong = |path: &Path, problem: String| TlsError::File {
        path: path.to_owned(),
        problem,
    };
    let place = &files.certificate;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(place)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(place, format!("holds no certificate: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(place, "holds no certificate".to_owned()));
    }
    let place = &files.key;
    let key = PrivateKeyDer::from_pem_file(place)
        .map_err(|error| wrong(place, format!("holds no private key: {error}")))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Pair {
        files: files.clone(),
        source,
    })
}
