//! Progress bars on stderr, shown on a terminal alone; elsewhere they cost nothing.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// A group of progress bars; clones draw into the same group.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    group: MultiProgress,
    is_shown: bool,
}

/// One bar or spinner; it disappears when dropped.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Progress {
    pub(super) fn new(is_shown: bool) -> Self {
        let target = if is_shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            group: MultiProgress::with_draw_target(target),
            is_shown,
        }
    }

    /// Progress that nobody sees.
    #[cfg(test)]
    pub(crate) fn hidden() -> Self {
        Self::new(false)
    }

    /// A bar that counts `total` bytes of `what`.
    pub(crate) fn bytes(&self, what: &str, total: u64) -> Bar {
        let style = ProgressStyle::with_template(
            "{msg:32!} [{bar:24}] {bytes:>10} of {total_bytes:10} {bytes_per_sec:>12}",
        )
        .expect("the template is one that indicatif reads")
        .progress_chars("=> ");
        let bar = self.group.add(ProgressBar::new(total).with_style(style));
        bar.set_message(what.to_owned());
        Bar(bar)
    }

    /// A spinner beside what is being waited for.
    pub(crate) fn spinner(&self, what: &str) -> Bar {
        let style = ProgressStyle::with_template("{spinner} {msg}")
            .expect("the template is one that indicatif reads");
        let bar = self.group.add(ProgressBar::new_spinner().with_style(style));
        bar.set_message(what.to_owned());
        if self.is_shown {
            bar.enable_steady_tick(TICK);
        }
        Bar(bar)
    }
}

impl Bar {
    /// `count` more bytes are done.
    pub(crate) fn advance(&self, count: u64) {
        self.0.inc(count);
    }

    /// Goes back to `position`, since a transfer began again.
    pub(crate) fn restart_at(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
