//! An answer's body that keeps its connection's seat until its last byte is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::seats::Busy;

/// A body on a busy seat.
pub(super) struct BusyBody {
    inner: AnyBody,
    _busy: Busy,
}

impl BusyBody {
    /// Wraps the body of an answer that runs on `busy`.
    pub(super) const fn new(inner: AnyBody, busy: Busy) -> Self {
        Self { inner, _busy: busy }
    }
}

impl Body for BusyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
