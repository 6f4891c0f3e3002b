//! The publish itself: open, send what is missing, finalize, wait.

use std::time::Duration;

use provisioning_registry_api::session::{SessionState, SessionStatus, WaitsFor};

use super::Publish;
use super::prepare::{Prepared, prepare};
use super::report::report;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::signing::local::LocalFiles;
use crate::signing::{Signed, sign_release};
use crate::write_api::WriteClient;

/// How long to wait between two looks at a session, at first and at most.
const LOOK_DELAY: Duration = Duration::from_millis(200);
const LOOK_DELAY_MAX: Duration = Duration::from_secs(5);

/// Runs it.
pub(super) async fn run(args: &Publish, context: &Context) -> Outcome<Exit> {
    let api = WriteClient::open_for_publish(context, args.trusted_publishing).await?;
    let prepared = prepare(&args.files, &args.targets, context)?;
    let status = api.open_session(&prepared.session).await?;
    let session = status.session.clone();
    tracing::info!(session, "publishing");
    let published = finish(args, &api, &prepared, status, context).await;
    let status = published.map_err(|failure| {
        failure.with_changed(format!(
            "the registry keeps what was sent: `provisioning publish status {session}` tells how \
             it stands, and the same command again goes on"
        ))
    })?;
    report(&status, context)
}

/// Everything after the session is open.
async fn finish(
    args: &Publish,
    api: &WriteClient,
    prepared: &Prepared,
    mut status: SessionStatus,
    context: &Context,
) -> Outcome<SessionStatus> {
    status = send_missing(api, prepared, status, context).await?;
    if status.state == SessionState::Uploaded {
        status = api.finalize(&status.session).await?;
    }
    if status.state == SessionState::AwaitingSignature && args.signing.is_given(context) {
        status = sign(args, api, status, context).await?;
    }
    if !args.no_wait {
        let whom = if args.wait {
            Whom::Everyone
        } else {
            Whom::Registry
        };
        status = wait(api, status, whom, context).await?;
    }
    Ok(status)
}

/// Signs the release that waits, which this session is a part of.
async fn sign(
    args: &Publish,
    api: &WriteClient,
    status: SessionStatus,
    context: &Context,
) -> Outcome<SessionStatus> {
    let keys = args.signing.load(context)?;
    let local = LocalFiles::read(&args.files, context)?;
    if let Signed::Added(added) = sign_release(&keys, &local, context).await?
        && !added.visible
    {
        let threshold = usize::try_from(added.threshold).unwrap_or(usize::MAX);
        context.output.note(&format!(
            "signed; {} more of these must sign: {}",
            threshold.saturating_sub(added.signed.len()),
            added.missing.join(", ")
        ));
    }
    api.session(&status.session).await
}

/// Sends every archive that the registry lacks and we have.
async fn send_missing(
    api: &WriteClient,
    prepared: &Prepared,
    mut status: SessionStatus,
    context: &Context,
) -> Outcome<SessionStatus> {
    let progress = context.output.progress();
    for upload in &prepared.uploads {
        let wanted = status.missing.iter();
        if wanted
            .into_iter()
            .any(|it| it.digest == Some(upload.digest))
        {
            status = api.upload(&status.session, upload, &progress).await?;
        }
    }
    Ok(status)
}

/// For whom a publish waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// The registry alone: people and other machines may take days.
    Registry,
    /// People and other machines too.
    Everyone,
}

/// Looks again until there is nothing left to wait for.
pub(super) async fn wait(
    api: &WriteClient,
    mut status: SessionStatus,
    whom: Whom,
    context: &Context,
) -> Outcome<SessionStatus> {
    let mut delay = LOOK_DELAY;
    let mut spinner = None;
    while !status.state.is_ended()
        && (whom == Whom::Everyone || status.state == SessionState::Publishing)
    {
        let what = waiting_for(&status);
        if spinner.as_ref().is_none_or(|(shown, _)| *shown != what) {
            spinner = Some((what, context.output.progress().spinner(what)));
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LOOK_DELAY_MAX);
        status = api.session(&status.session).await?;
    }
    drop(spinner);
    Ok(status)
}

fn waiting_for(status: &SessionStatus) -> &'static str {
    match status.waits_for {
        Some(WaitsFor::Archives) => "waiting for archives of other machines",
        Some(WaitsFor::Owner) => "waiting to be finished",
        Some(WaitsFor::Moderator) => "waiting for a moderator",
        Some(WaitsFor::ReleaseEngineer) => "waiting for a signature",
        Some(WaitsFor::Registry) | None => "checking and signing",
    }
}
