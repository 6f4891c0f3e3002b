//! Takes connections and outlasts bad ones.
//!
//! `axum::serve` has no time-out for a request's head, and hyper-util's automatic builder
//! waits for ever on a silent socket; so this speaks HTTP/1 alone, through hyper's own
//! builder with a timer. TLS and HTTP/2 belong to a proxy in front.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::settings::Limits;
use busy_body::BusyBody;
use patient_body::PatientBody;
use patient_stream::PatientStream;
use seats::{Seat, Seats};

mod busy_body;
mod patient_body;
mod patient_stream;
mod seats;

pub(crate) use patient_body::TooSlow;

/// Bytes that one connection buffers, which is also the most that a request's head may have.
const BUFFER_BYTES_MAX: usize = 128 * 1024;
/// How long to rest when the system has no file descriptors left.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Serves `router` until `shutdown` completes, then lets running requests end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
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
                if let Some(seat) = seats.take(peer.ip()) {
                    serve_connection(stream, seat, router.clone(), limits, &graceful);
                } else {
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

fn serve_connection(
    stream: TcpStream,
    seat: Arc<Seat>,
    router: Router,
    limits: Limits,
    graceful: &GracefulShutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "TCP_NODELAY was refused: {error}");
    }
    let io = TokioIo::new(PatientStream::new(stream, limits.write_stall));
    let sitting = Arc::clone(&seat);
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        let busy = sitting.busy();
        let request = request.map(|body| Body::new(PatientBody::new(body, limits)));
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
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                tracing::debug!(error = %error, "a connection ended badly: {error}");
            },
            () = seat.needed_elsewhere() => tracing::debug!("an idle connection made room"),
        }
    });
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
