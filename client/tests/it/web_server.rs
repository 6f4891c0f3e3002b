//! A web server for one test: it serves a folder of files, over TLS where that is asked for,
//! and refuses, lies or hangs up where it is told to. Asked as a proxy it answers itself.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What a request is answered with.
pub(crate) enum Answer {
    /// The file, or 404.
    File,
    /// A status line's end and headers, without a body.
    Status(&'static str, &'static [&'static str]),
    /// The file, of which only so many bytes are sent.
    Cut(usize),
    /// The file with this `Content-Length`, of which that many bytes are sent.
    Lying {
        /// What is announced.
        length: Option<u64>,
        /// How many bytes are sent; more than the file has are zeros.
        sent: usize,
    },
}

/// A request as it came.
pub(crate) struct Asked {
    /// The path, with its leading `/`.
    pub(crate) path: String,
    /// Every line of the head, as it was sent.
    pub(crate) head: String,
    /// How many requests for this path there were, this one included.
    pub(crate) nth: usize,
}

/// A server that runs until the test ends.
pub(crate) struct WebServer {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

/// Everything that a connection needs.
struct Service {
    folder: PathBuf,
    tls: Option<Arc<ServerConfig>>,
    heads: Arc<Mutex<Vec<String>>>,
    script: Box<dyn Fn(&Asked) -> Answer + Send + Sync>,
}

/// A certificate authority, and what it signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Asked {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut fields = lines.filter_map(|it| it.split_once(':'));
        fields
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

impl WebServer {
    /// Serves `folder` as `script` says.
    pub(crate) fn start(
        folder: &Path,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with_tls(folder, None, script)
    }

    /// The same over TLS, where there is a configuration.
    pub(crate) fn with_tls(
        folder: &Path,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}/", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let service = Arc::new(Service {
            folder: folder.to_owned(),
            tls,
            heads: Arc::clone(&heads),
            script: Box::new(script),
        });
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let service = Arc::clone(&service);
                // A client that hangs up is no failure of the test.
                std::thread::spawn(move || service.serve(connection));
            }
        });
        Self { address, heads }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    /// Its port.
    pub(crate) fn port(&self) -> &str {
        let address = self.address.trim_end_matches('/');
        address.rsplit(':').next().unwrap()
    }

    /// The head of every request so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Service {
    fn serve(&self, mut connection: TcpStream) -> Option<()> {
        let Some(tls) = &self.tls else {
            return self.answer(&mut connection);
        };
        // A proxy is asked in the clear for a way to the server, which is this one too.
        let mut first = [0];
        connection.peek(&mut first).ok()?;
        if first == *b"C" {
            let head = read_head(&mut connection)?;
            self.heads.lock().unwrap().push(head);
            connection
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .ok()?;
        }
        let session = ServerConnection::new(Arc::clone(tls)).ok()?;
        let mut stream = StreamOwned::new(session, connection);
        let done = self.answer(&mut stream);
        stream.conn.send_close_notify();
        let _ = stream.flush();
        done
    }

    /// Answers one request, and ends the connection.
    fn answer(&self, stream: &mut (impl Read + Write)) -> Option<()> {
        let head = read_head(stream)?;
        let target = head.split_whitespace().nth(1)?;
        // A proxy is asked for whole addresses.
        let path = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
            None => target,
        };
        let path = path.to_owned();
        let nth = {
            let mut heads = self.heads.lock().unwrap();
            heads.push(head.clone());
            let same = |it: &&String| it.split_whitespace().nth(1) == Some(target);
            heads.iter().filter(same).count()
        };
        let asked = Asked { path, head, nth };
        let bytes = self.reply((self.script)(&asked), &asked);
        stream.write_all(&bytes).ok()?;
        stream.flush().ok()
    }

    fn reply(&self, answer: Answer, asked: &Asked) -> Vec<u8> {
        let file = std::fs::read(self.folder.join(asked.path.trim_start_matches('/')));
        match (answer, file) {
            (Answer::Status(status, headers), _) => {
                let mut all = vec!["content-length: 0"];
                all.extend(headers);
                head(status, &all).into_bytes()
            }
            (_, Err(_)) => head("404 Not Found", &["content-length: 0"]).into_bytes(),
            (Answer::File, Ok(file)) => {
                let from = asked.header("range").and_then(|it| {
                    let first = it.strip_prefix("bytes=")?.strip_suffix('-')?;
                    first.parse::<usize>().ok()
                });
                let part = &file[from.unwrap_or(0).min(file.len())..];
                let length = format!("content-length: {}", part.len());
                let mut bytes = match from {
                    None => head("200 OK", &[&length]),
                    Some(from) => {
                        let last = file.len().saturating_sub(1);
                        let range = format!("content-range: bytes {from}-{last}/{}", file.len());
                        head("206 Partial Content", &[&length, &range])
                    }
                }
                .into_bytes();
                bytes.extend(part);
                bytes
            }
            (Answer::Cut(sent), Ok(file)) => {
                let length = format!("content-length: {}", file.len());
                let mut bytes = head("200 OK", &[&length]).into_bytes();
                bytes.extend(&file[..sent]);
                bytes
            }
            (Answer::Lying { length, sent }, Ok(mut file)) => {
                file.resize(sent, 0);
                let length = length.map(|it| format!("content-length: {it}"));
                let headers: Vec<&str> = length.iter().map(String::as_str).collect();
                let mut bytes = head("200 OK", &headers).into_bytes();
                bytes.extend(file);
                bytes
            }
        }
    }
}

fn head(status: &str, headers: &[&str]) -> String {
    let mut text = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text
}

/// Reads up to the empty line that ends a head.
fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

impl Authority {
    /// An authority that no system knows.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { issuer }
    }

    /// Its certificate in PEM form.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What a server named `name` shows, good until the end of `year`.
    pub(crate) fn server(&self, name: &str, year: i32) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}
