//! Takes connections and outlasts bad ones.
//!
//! `axum::serve` has no time-out for a request's head, and hyper-util's automatic builder
//! waits for ever on a silent socket; so this speaks HTTP/1 alone, through hyper's own
//! builder with a timer. TLS may end here ([`tls`]); HTTP/2 belongs to a proxy in front.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::rules::client_address::is_trusted;
use crate::settings::Limits;
use crate::watch::{CONNECTIONS, TURNED_AWAY};
use busy_body::BusyBody;
use own_words::OwnWords;
use patient_body::PatientBody;
use patient_stream::PatientStream;
use seats::{Seat, Seats};
use tls::Tls;

mod busy_body;
mod own_words;
mod patient_body;
mod patient_stream;
mod seats;
pub(crate) mod tls;

pub(crate) use patient_body::TooSlow;

/// Bytes that one connection buffers, which is also the most that a request's head may have.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
/// How long to rest when the system has no file descriptors left.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Whose request it is: the peer's, or the one that a trusted proxy names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// What is served, and how.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    /// Ends TLS here.
    pub(crate) tls: Option<Tls>,
    /// Proxies, whose connections are many clients'.
    pub(crate) trusted_proxies: Arc<[IpNet]>,
}

/// Serves until `shutdown` completes, then lets running requests end.
pub(crate) async fn serve(listener: TcpListener, front: Front, shutdown: impl Future<Output = ()>) {
    let limits = front.limits;
    let graceful = GracefulShutdown::new();
    let seats = Arc::new(Seats::new(
        limits.connections,
        limits.connections_per_address,
    ));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let is_shared = is_trusted(peer.ip(), &front.trusted_proxies);
                if let Some(seat) = seats.take(peer.ip(), is_shared) {
                    let front = front.clone();
                    let watcher = graceful.watcher();
                    tokio::spawn(take(stream, Peer(peer.ip()), seat, front, watcher));
                } else {
                    metrics::counter!(TURNED_AWAY).increment(1);
                    tracing::warn!("too many busy connections: {peer} was turned away");
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(error = %error, "accepting failed: {error}");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.shutdown, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests were still running and are cut off");
    }
}

/// Serves one connection to its end.
async fn take(stream: TcpStream, peer: Peer, seat: Arc<Seat>, front: Front, watcher: Watcher) {
    metrics::gauge!(CONNECTIONS).increment(1);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "TCP_NODELAY was refused: {error}");
    }
    tokio::select! {
        () = secured(stream, peer, &seat, front, watcher) => {}
        () = seat.needed_elsewhere() => tracing::debug!("an idle connection made room"),
    }
    metrics::gauge!(CONNECTIONS).decrement(1);
}

/// Shakes hands first where TLS ends here; a handshake has as long as a request's head.
async fn secured(stream: TcpStream, peer: Peer, seat: &Arc<Seat>, front: Front, watcher: Watcher) {
    let Some(tls) = &front.tls else {
        return serve_connection(stream, peer, Arc::clone(seat), front, watcher).await;
    };
    match tokio::time::timeout(front.limits.header, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            serve_connection(stream, peer, Arc::clone(seat), front, watcher).await;
        }
        Ok(Err(error)) => {
            tracing::debug!(error = %error, "a TLS handshake failed: {error}");
        }
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    seat: Arc<Seat>,
    front: Front,
    watcher: Watcher,
) {
    let limits = front.limits;
    let router = front.router;
    let io = TokioIo::new(OwnWords::new(PatientStream::new(
        stream,
        limits.write_stall,
    )));
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        let busy = seat.busy();
        let mut request = request.map(|body| Body::new(PatientBody::new(body, limits)));
        request.extensions_mut().insert(peer);
        async move {
            let response = match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            Ok::<_, Infallible>(response.map(|body| BusyBody::new(body, busy)))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(io, service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error = %error, "a connection ended badly: {error}");
    }
}

/// Whether an error of `accept` concerns the connection that was being accepted alone.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
