//! Bad clients: silent, slow, greedy. A good one is served all the same.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use provisioning_registry_server::{Limits, Server, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream as TcpStreamAsync};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server in this process, with less patience than a real one.
struct Impatient {
    folder: TempDir,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

const LIMITS: Limits = Limits {
    header: Duration::from_millis(400),
    body_stall: Duration::from_millis(600),
    body_window: Duration::from_millis(1500),
    body_rate_min: 1024,
    write_stall: Duration::from_millis(600),
    connections: 64,
    connections_per_address: 16,
    shutdown: Duration::from_secs(5),
};

impl Impatient {
    async fn start() -> Self {
        Self::start_with(LIMITS).await
    }

    async fn start_with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            limits,
            ..Settings::in_folder(folder.path().to_owned())
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "TUF expiry needs a clock that moves"
        )]
        let clock = Timestamp::now;
        let server = Server::start(settings, clock).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            // A sender that was dropped means the same.
            let _ = stopped.await;
        }));
        Self {
            folder,
            address,
            stop,
            running,
        }
    }

    fn token(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("admin-token")).unwrap();
        text.trim().to_owned()
    }

    async fn is_serving(&self) -> bool {
        let url = format!("http://{}/livez", self.address);
        reqwest::get(url).await.is_ok_and(|it| it.status() == 200)
    }
}

/// Sends `head`, then `drop` every `pause`, until the server closes; says how long that
/// took and what the server said. At most ten seconds.
async fn until_closed(
    address: SocketAddr,
    head: String,
    drip: &'static [u8],
    pause: Duration,
) -> (Duration, String) {
    let work = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(pause)).unwrap();
        let started = Instant::now();
        stream.write_all(head.as_bytes()).unwrap();
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        while started.elapsed() < Duration::from_secs(10) {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => said.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if stream.write_all(drip).is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        (
            started.elapsed(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

const TICK: Duration = Duration::from_millis(50);

#[tokio::test]
async fn silent_and_slow_heads_are_closed_in_time() {
    let server = Impatient::start().await;
    let (silent, words) = until_closed(server.address, String::new(), b"", TICK).await;
    assert!(silent < Duration::from_secs(3), "{silent:?} {words}");
    let head = "GET /livez HTTP/1.1\r\nHost: x\r\n".to_owned();
    let (slow, _) = until_closed(server.address, head, b"X-A: b\r\n", TICK).await;
    assert!(slow < Duration::from_secs(3), "{slow:?}");
    let head = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
    let (idle, said) = until_closed(server.address, head, b"", TICK).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(
        idle < Duration::from_secs(3),
        "an idle connection: {idle:?}"
    );
    assert!(server.is_serving().await);
}

#[tokio::test]
async fn stalled_and_dripping_bodies_are_closed_in_time() {
    let server = Impatient::start().await;
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
        server.token()
    );
    let (stalled, said) = until_closed(server.address, head.clone(), b"", TICK).await;
    assert!(stalled < Duration::from_secs(4), "{stalled:?} {said}");
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    let (drips, said) = until_closed(server.address, head, b" ", TICK).await;
    assert!(drips > Duration::from_secs(1), "{drips:?}");
    assert!(drips < Duration::from_secs(6), "{drips:?} {said}");
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(server.is_serving().await);
}

#[tokio::test]
async fn a_crowd_of_silent_connections_does_not_keep_a_good_one_out() {
    let server = Impatient::start().await;
    let mut crowd: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(server.address).unwrap())
        .collect();
    assert!(server.is_serving().await);
    // No more than sixteen are held; the oldest were closed before their time-out.
    let first = &mut crowd[0];
    first.set_read_timeout(Some(LIMITS.header / 2)).unwrap();
    assert_eq!(first.read(&mut [0]).unwrap_or(0), 0);
}

#[tokio::test]
async fn busy_connections_above_the_limit_of_one_address_are_turned_away() {
    let server = Impatient::start().await;
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 9\r\n\r\n",
        server.token()
    );
    let crowd: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Requests are read as they come, one connection after the other.
    tokio::time::sleep(LIMITS.body_stall / 2).await;
    assert!(!server.is_serving().await, "every seat is busy");
    drop(crowd);
    let mut is_back = false;
    for _ in 0..40 {
        tokio::time::sleep(TICK).await;
        is_back = is_back || server.is_serving().await;
    }
    assert!(is_back, "seats are given back");
}

#[tokio::test]
async fn a_shutdown_lets_a_running_request_end() {
    let server = Impatient::start().await;
    let body = "{\"versions\": []}";
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.token(),
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        TcpStream::connect(server.address).is_err(),
        "nobody new comes in"
    );
    let said = tokio::task::spawn_blocking(move || {
        stream.write_all(body.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    });
    let said = said.await.unwrap();
    assert!(said.starts_with("HTTP/1.1 422"), "{said}");
    tokio::time::timeout(Duration::from_secs(5), server.running)
        .await
        .expect("the server ends")
        .unwrap();
}

/// A connection from another address of this machine.
async fn connect(from: [u8; 4], to: SocketAddr) -> TcpStreamAsync {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Asks on a connection that stays open; whether the answer was good.
async fn ask(stream: &mut TcpStreamAsync) -> bool {
    let head = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    if stream.write_all(head.as_bytes()).await.is_err() {
        return false;
    }
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while !said.ends_with(b"alive\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => said.extend_from_slice(&buffer[..count]),
        }
    }
    said.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_thousand_connections_are_held_half_of_them_from_one_address() {
    provisioning_registry_server::raise_file_limit();
    let server = Impatient::start_with(Limits {
        // A busy machine may take long to open them all.
        header: Duration::from_mins(2),
        ..Limits::default()
    })
    .await;
    let mut crowd = Vec::new();
    for from in [[127, 0, 0, 2], [127, 0, 0, 3]] {
        for _ in 0..512 {
            crowd.push(connect(from, server.address).await);
        }
    }
    for stream in &mut crowd {
        assert!(ask(stream).await);
    }
    assert!(
        server.is_serving().await,
        "and one more, from a third address"
    );
    for stream in &mut crowd {
        assert!(ask(stream).await, "every one of them stayed open");
    }
}
