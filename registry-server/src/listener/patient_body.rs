//! A request's body that is cut off when it stalls or drips.
//!
//! Only the time that we wait for the client counts: while the server itself is busy (a
//! slow disk, a full queue) nobody polls, and nobody is blamed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::settings::Limits;

/// The client sent too little for too long.
#[derive(Debug, thiserror::Error)]
#[error("the request's body came too slowly")]
pub(crate) struct TooSlow;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// `B`, with patience.
pub(super) struct PatientBody<B> {
    inner: B,
    limits: Limits,
    stall: Pin<Box<Sleep>>,
    waiting_since: Option<Instant>,
    waited: Duration,
    arrived: u64,
    is_over: bool,
}

impl<B> PatientBody<B> {
    /// Wraps a body with the patience of `limits`.
    pub(super) fn new(inner: B, limits: Limits) -> Self {
        Self {
            inner,
            limits,
            stall: Box::pin(tokio::time::sleep(limits.body_stall)),
            waiting_since: None,
            waited: Duration::ZERO,
            arrived: 0,
            is_over: false,
        }
    }

    /// Judges the window once enough waiting is in it.
    fn is_dripping(&mut self, now: Instant) -> bool {
        if let Some(since) = self.waiting_since.take() {
            self.waited += now - since;
        }
        if self.waited < self.limits.body_window {
            return false;
        }
        let needed = u128::from(self.limits.body_rate_min) * self.waited.as_millis() / 1000;
        let is_dripping = u128::from(self.arrived) < needed;
        self.waited = Duration::ZERO;
        self.arrived = 0;
        is_dripping
    }

    fn cut(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.is_over = true;
        Poll::Ready(Some(Err(Box::new(TooSlow))))
    }
}

impl<B> Body for PatientBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.inner).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame {
                    this.arrived += frame.data_ref().map_or(0, |it| it.len() as u64);
                    if this.is_dripping(Instant::now()) {
                        return this.cut();
                    }
                }
                Poll::Ready(frame.map(|it| it.map_err(Into::into)))
            }
            Poll::Pending => {
                let now = Instant::now();
                if this.waiting_since.is_none() {
                    this.waiting_since = Some(now);
                    this.stall.as_mut().reset(now + this.limits.body_stall);
                }
                ready!(this.stall.as_mut().poll(context));
                this.cut()
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use std::convert::Infallible;

    /// A body that sends `bytes` bytes every `pause`, for ever.
    fn drip(
        bytes: usize,
        pause: Duration,
    ) -> StreamBody<futures_util::stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>
    {
        let drops = futures_util::stream::repeat(()).then(move |()| async move {
            tokio::time::sleep(pause).await;
            Ok(Frame::data(Bytes::from(vec![0; bytes])))
        });
        StreamBody::new(drops.boxed())
    }

    /// Whether a drip lasts for a second.
    async fn survives(bytes: usize, pause: u64) -> bool {
        let limits = Limits {
            body_stall: Duration::from_millis(300),
            body_window: Duration::from_millis(400),
            body_rate_min: 10_000,
            ..Limits::default()
        };
        let mut body = PatientBody::new(drip(bytes, Duration::from_millis(pause)), limits);
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            if body.frame().await.expect("a drip never ends").is_err() {
                return false;
            }
        }
        true
    }

    #[tokio::test]
    async fn a_body_without_progress_for_too_long_is_cut() {
        assert!(!survives(1 << 20, 2000).await);
        assert!(survives(1 << 20, 50).await);
    }

    #[tokio::test]
    async fn a_body_that_drips_is_cut_and_a_slow_one_is_not() {
        assert!(!survives(100, 20).await);
        assert!(survives(2000, 20).await);
    }
}
