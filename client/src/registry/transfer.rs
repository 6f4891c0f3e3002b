//! One archive from one place: taken up where it broke off, and never more of it than was
//! signed.

use futures_util::StreamExt as _;
use provisioning_package::Digest;
use provisioning_trust::TransportError;
use tokio::time::Instant;

use super::archives::{Landed, Part, WantedArchive};
use super::http::BadAnswer;
use super::pace::{Backoff, Pace};
use super::source::{FileStream, Place, Resumption, cause_of};
use crate::failure::{Exit, Failure, NOT_AUTHORISED, Outcome};
use crate::output::Bar;

#[cfg(test)]
mod tests;

/// How often a transfer that broke off is taken up again without a byte more.
const RESUMES_MAX: u32 = 4;

/// What sort of failure it was, the least telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FailedKind {
    /// The place does not have the archive.
    Absent,
    /// The place did not answer, or broke off.
    Unreachable,
    /// The place does not let this user have it.
    Refused,
    /// What came is not what was signed.
    Wrong,
}

/// Why one place did not give an archive.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) kind: FailedKind,
    /// In one phrase.
    pub(super) reason: String,
    causes: Vec<String>,
}

/// What became of one answer.
enum Received {
    /// The stream came to its end.
    Ended,
    /// It broke off; the rest may come later.
    Broke(TransportError),
    /// More than was signed, or something else.
    Wrong(Failed),
}

/// Fetches what is absent of an archive. The outer error is of this machine; the inner one
/// is the place's, and another may do better.
pub(super) async fn transfer(
    place: &Place,
    path: &str,
    wanted: &WantedArchive,
    part: &mut Part,
    bar: &Bar,
) -> Outcome<Result<(), Failed>> {
    let mut may_restart = true;
    loop {
        let had_some = part.length() > 0;
        let in_pieces = match fill(place, path, wanted, part, bar).await? {
            Ok(resumed) => resumed || had_some,
            Err(failed) => {
                if failed.kind == FailedKind::Wrong {
                    part.restart().await?;
                }
                return Ok(Err(failed));
            }
        };
        let found = match part.verdict().await {
            Landed::Right => return Ok(Ok(())),
            Landed::Wrong { found } => found,
            Landed::Failed(failure) => return Err(failure),
        };
        part.restart().await?;
        // Pieces may be of different files, from an older run or another place: once more,
        // in one.
        if !in_pieces || !may_restart {
            return Ok(Err(match found {
                Some(found) => wrong_bytes(wanted, found),
                None => too_long(wanted),
            }));
        }
        may_restart = false;
    }
}

/// Streams until the end, or until nothing more comes; says whether it came in pieces.
async fn fill(
    place: &Place,
    path: &str,
    wanted: &WantedArchive,
    part: &mut Part,
    bar: &Bar,
) -> Outcome<Result<bool, Failed>> {
    let mut backoff = Backoff::new(RESUMES_MAX);
    let mut may_restart = true;
    let mut in_pieces = false;
    while part.length() < wanted.size || part.length() == 0 {
        let before = part.length();
        let from = Resumption {
            offset: before,
            etag: part.etag(place.address()),
        };
        let problem = match place.stream(path, &from).await {
            Ok(None) => return Ok(Err(absent(wanted))),
            Ok(Some(stream)) => match receive(stream, place, wanted, part, bar).await? {
                Received::Ended => return Ok(Ok(in_pieces)),
                Received::Broke(problem) => problem,
                Received::Wrong(failed) => return Ok(Err(failed)),
            },
            Err(problem) => problem,
        };
        if before > 0 && may_restart && is_changed(&problem) {
            may_restart = false;
            part.restart().await?;
            continue;
        }
        if part.length() > before {
            in_pieces = true;
            backoff.progressed(part.length() - before);
        }
        let Some(delay) = backoff.delay_after(&problem) else {
            place.give_up();
            return Ok(Err(broken_off(&problem)));
        };
        tracing::debug!(archive = wanted.label, ?delay, "taking up again: {problem}");
        tokio::time::sleep(delay).await;
    }
    Ok(Ok(in_pieces))
}

/// Whether the server says that what is here is a part of another file.
fn is_changed(problem: &TransportError) -> bool {
    let TransportError::Unreachable { source } = problem else {
        return false;
    };
    let answer = source.downcast_ref::<BadAnswer>();
    answer.is_some_and(BadAnswer::is_changed)
}

/// Writes one answer to its end. The outer error is of this machine.
async fn receive(
    mut stream: FileStream,
    place: &Place,
    wanted: &WantedArchive,
    part: &mut Part,
    bar: &Bar,
) -> Outcome<Received> {
    if stream.total.is_some_and(|it| it > wanted.size) {
        return Ok(Received::Wrong(too_long(wanted)));
    }
    if stream.offset != part.length() {
        part.restart().await?;
        if stream.offset != 0 {
            let problem = "the server answered with another part than was asked for";
            return Ok(Received::Broke(TransportError::Unreachable {
                source: problem.into(),
            }));
        }
    }
    part.note_etag(place.address(), stream.etag.as_deref());
    bar.restart_at(part.length());
    let mut speed = Pace::start();
    while let Some(chunk) = stream.chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(problem) => return Ok(Received::Broke(problem)),
        };
        let count = chunk.len();
        if part.length() + count as u64 > wanted.size {
            return Ok(Received::Wrong(too_long(wanted)));
        }
        if let Err(problem) = speed.took(count) {
            return Ok(Received::Broke(problem));
        }
        part.judge_speed(speed.bytes(), speed.time());
        // What our own disk takes is not the server's time.
        let own = Instant::now();
        part.add(chunk).await?;
        speed.excuse(own.elapsed());
        bar.advance(count as u64);
    }
    Ok(Received::Ended)
}

impl Failed {
    /// What the user is told, if no other place did better.
    /// What arrived before may be `is_kept` for the next run.
    pub(super) fn into_failure(self, wanted: &WantedArchive, is_kept: bool) -> Failure {
        let label = &wanted.label;
        match self.kind {
            FailedKind::Absent => Failure::new(
                "archive-missing",
                format!("the registry does not have the archive of {label}"),
            )
            .with_causes(self.causes)
            .with_hint(
                "the copy is incomplete: use another mirror, or tell the registry's operator",
            )
            .with_exit(Exit::Verification),
            FailedKind::Unreachable => Failure::new(
                "registry-unreachable",
                format!("cannot fetch the archive of {label}"),
            )
            .with_causes(self.causes)
            .with_exit(Exit::Unreachable)
            .with_hint(if is_kept {
                "run the same command again: what has arrived is kept and taken up"
            } else {
                "run the same command again"
            }),
            FailedKind::Refused => Failure::new(
                "registry-refused",
                format!("the registry refused to give the archive of {label}"),
            )
            .with_causes(self.causes)
            .with_hint(NOT_AUTHORISED),
            FailedKind::Wrong => Failure::new(
                "archive-digest",
                format!("the archive of {label} is not what was signed"),
            )
            .with_causes(self.causes)
            .with_hint("nothing was installed; try again, or use another mirror")
            .with_exit(Exit::Verification),
        }
    }
}

fn wrong_bytes(wanted: &WantedArchive, (seen, length): (Digest, u64)) -> Failed {
    Failed {
        kind: FailedKind::Wrong,
        reason: "it gave something else".to_owned(),
        causes: vec![
            format!(
                "signed: `{}`, {} bytes",
                wanted.digest.prefixed(),
                wanted.size
            ),
            format!("received: `{}`, {length} bytes", seen.prefixed()),
        ],
    }
}

fn too_long(wanted: &WantedArchive) -> Failed {
    Failed {
        kind: FailedKind::Wrong,
        reason: "it gave more than was signed".to_owned(),
        causes: vec![format!(
            "{} bytes were signed, and more came: the rest was not read",
            wanted.size
        )],
    }
}

fn absent(wanted: &WantedArchive) -> Failed {
    Failed {
        kind: FailedKind::Absent,
        reason: "it does not have it".to_owned(),
        causes: vec![format!(
            "`{}` is signed but not served",
            wanted.digest.prefixed()
        )],
    }
}

fn broken_off(problem: &TransportError) -> Failed {
    let mut causes: Vec<String> = Vec::new();
    let mut next = Some(cause_of(problem));
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    let is_refused = matches!(problem, TransportError::Refused { .. });
    let kind = if is_refused {
        FailedKind::Refused
    } else {
        FailedKind::Unreachable
    };
    Failed {
        kind,
        reason: causes.last().cloned().unwrap_or_default(),
        causes,
    }
}
