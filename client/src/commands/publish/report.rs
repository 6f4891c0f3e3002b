//! What `publish` and `publish status` say about a session.

use std::io::{self, Write};

use provisioning_registry_api::session::{DeclaredVersion, SessionState, SessionStatus};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Prints a session. A refused one is a failure too; one that waits for people or other
/// machines is not.
pub(super) fn report(status: &SessionStatus, context: &Context) -> Outcome<Exit> {
    let (code, how) = match status.state {
        SessionState::Refused => ("publish-refused", "the registry refused"),
        SessionState::Expired => ("publish-expired", "nobody finished in time:"),
        SessionState::Uploading
        | SessionState::Uploaded
        | SessionState::AwaitingReview
        | SessionState::AwaitingSignature
        | SessionState::Publishing
        | SessionState::Visible => return write_report(status, context),
    };
    if context.output.is_json() {
        context.output.result(status, |_| Ok(()))?;
    }
    Err(
        Failure::new(code, format!("{how} {}", names(&status.versions)))
            .with_causes(status.reasons.iter().cloned())
            .with_hints(status.next.iter().cloned())
            .with_changed("nothing of it became visible"),
    )
}

/// Prints a session, whatever its state.
pub(super) fn write_report(status: &SessionStatus, context: &Context) -> Outcome<Exit> {
    context.output.result(status, |out| write(status, out))?;
    Ok(Exit::Done)
}

fn write(status: &SessionStatus, out: &mut dyn Write) -> io::Result<()> {
    let names = names(&status.versions);
    match status.state {
        SessionState::Visible => writeln!(out, "published {names}")?,
        SessionState::Publishing => writeln!(out, "{names}: being checked and signed")?,
        SessionState::Uploaded => writeln!(out, "{names}: everything has arrived")?,
        SessionState::Uploading => {
            writeln!(out, "{names}: waiting for archives")?;
            for it in &status.missing {
                writeln!(
                    out,
                    "  missing: {} {} for {}",
                    it.name, it.version, it.target
                )?;
            }
        }
        SessionState::AwaitingSignature => {
            writeln!(out, "{names}: waiting for a release engineer's signature")?;
        }
        SessionState::AwaitingReview => writeln!(out, "{names}: waiting for a review")?,
        SessionState::Refused => writeln!(out, "{names}: refused")?,
        SessionState::Expired => writeln!(out, "{names}: expired")?,
    }
    if !status.state.is_ended() {
        writeln!(out, "  since: {}", status.since)?;
    }
    for reason in &status.reasons {
        writeln!(out, "  {reason}")?;
    }
    for next in &status.next {
        writeln!(out, "  next: {next}")?;
    }
    if let Some(end) = status.expires_at {
        writeln!(out, "  ends by itself: {end}")?;
    }
    if !status.state.is_ended() {
        writeln!(
            out,
            "`provisioning publish status {}` tells how it goes on",
            status.session
        )?;
    }
    Ok(())
}

fn names(versions: &[DeclaredVersion]) -> String {
    let names: Vec<String> = versions
        .iter()
        .map(|it| format!("{} {}", it.name, it.version))
        .collect();
    if names.is_empty() {
        "the session".to_owned()
    } else {
        names.join(", ")
    }
}
