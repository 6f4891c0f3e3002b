//! Refusals that hyper writes itself (a head that cannot be read, or is too large) as problem
//! documents, like every other.
//!
//! Such an answer is a head alone, and the only one without `x-request-id`: every answer of
//! ours carries that.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::response::IntoResponse as _;
use provisioning_registry_api::problem::{PROBLEM_CONTENT_TYPE, Problem};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::problem::{Code, Refusal};
use crate::random::random_hex;

/// `S`, whose bare refusals get a body.
pub(super) struct OwnWords<S> {
    inner: S,
    /// What takes the place of hyper's words and is not written yet.
    instead: Vec<u8>,
    /// How long to go on listening after a refusal: a client that is still sending would meet
    /// a reset connection, and never read the answer.
    lingering: Option<Pin<Box<Sleep>>>,
}

/// How long that may take.
const LINGER: Duration = Duration::from_secs(2);

impl<S> OwnWords<S> {
    /// Wraps what hyper writes to.
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            instead: Vec::new(),
            lingering: None,
        }
    }
}

impl<S: AsyncWrite + Unpin> OwnWords<S> {
    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(context, &self.instead))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

/// What to say where hyper says no more than a status; `None` for an answer of ours.
fn instead_of(head: &[u8]) -> Option<Vec<u8>> {
    let status = head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    if !matches!(status, b"400" | b"414" | b"431" | b"505") {
        return None;
    }
    let head = std::str::from_utf8(head.get(..head.len().min(1024))?).ok()?;
    let head = head.strip_suffix("\r\n\r\n")?.to_ascii_lowercase();
    if head.contains("\r\nx-request-id:") || !head.contains("\r\ncontent-length: 0") {
        return None;
    }
    let refusal = match status {
        b"431" => Refusal::new(Code::HeadTooLarge, "the request's head is too large"),
        b"414" => Refusal::new(Code::UriTooLong, "the request's path is too long"),
        _ => Refusal::new(
            Code::BadRequest,
            "the request cannot be read: it must be HTTP/1.1 or 1.0",
        ),
    };
    let code = refusal.code;
    let problem = refusal
        .into_response()
        .extensions_mut()
        .remove::<Problem>()?;
    let id = random_hex::<8>();
    let problem = Problem {
        request_id: Some(id.clone()),
        ..problem
    };
    let body = serde_json::to_string(&problem).ok()?;
    let status = code.status();
    Some(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {PROBLEM_CONTENT_TYPE}\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\nx-request-id: {id}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for OwnWords<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for OwnWords<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(context))?;
        if let Some(instead) = instead_of(bytes) {
            self.instead = instead;
            self.lingering = Some(Box::pin(tokio::time::sleep(LINGER)));
            // What is left of it goes with the flush that follows every answer.
            let _ = self.poll_instead(context)?;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(context))?;
        if let [one] = slices {
            return self.poll_write(context, one);
        }
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
        let this = self.get_mut();
        let Some(lingering) = &mut this.lingering else {
            return Poll::Ready(Ok(()));
        };
        let mut scratch = [0; 4096];
        loop {
            if lingering.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // Its end, or a connection that is broken anyway.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_refusal_gets_other_words() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                     content-length: 0\r\ndate: Sat, 28 Nov 2026 05:00:00 GMT\r\n\r\n";
        let instead = String::from_utf8(instead_of(bare).unwrap()).unwrap();
        assert!(instead.starts_with("HTTP/1.1 431 "), "{instead}");
        assert!(instead.contains("\"code\":\"head-too-large\""), "{instead}");
        for ours in [
            &b"HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno",
            b"HTTP/1.1 400",
            b"",
        ] {
            assert_eq!(instead_of(ours), None);
        }
    }
}
