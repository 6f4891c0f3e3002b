//! Signing on an engineer's machine: what would be signed is fetched, judged and shown, and
//! the signature alone goes back.
//!
//! The private key never leaves this machine, and the registry that asks is not believed:
//! the new `release` must follow the one that this machine has verified, must say no more
//! than a release may, and every digest in it must be of a file that was hashed here.

use std::collections::BTreeMap;

use provisioning_installers::scripts::{
    Script, ScriptArchive, ScriptClient, ScriptContext, render,
};
use provisioning_package::Digest;
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::paths;
use provisioning_registry_api::trust::{AddSignature, ReleaseTask, SignatureAdded};
use provisioning_trust::{Proposal, RoleFiles, SigningKey, TargetFacts};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::prompt::{Answer, confirm};
use crate::registry::RegistryReader;
use crate::write_api::WriteClient;

pub(crate) mod keys;
pub(crate) mod local;
mod review;

use local::LocalFiles;
use review::{Evidence, Review, review};

/// What is said of a change that is kept and not shown yet.
pub(crate) const AWAITING_SIGNATURE: &str = "the registry keeps it, and shows it once release \
     engineers have signed: `provisioning trust sign --key FILE`";

/// How signing the release ended.
#[derive(Debug)]
pub(crate) enum Signed {
    /// Nothing waits for a signature.
    Nothing,
    /// Signed, and sent.
    Added(SignatureAdded),
}

/// A release that waits for a signature, checked against what is in force.
struct Checked {
    proposal: Proposal,
    task: ReleaseTask,
    review: Review,
    signers: provisioning_trust::Standing,
}

/// Fetches what waits, judges and shows it, signs it with `keys` and sends the signatures.
pub(crate) async fn sign_release(
    keys: &[SigningKey],
    local: &LocalFiles,
    context: &Context,
) -> Outcome<Signed> {
    let api = WriteClient::open(context).await?;
    let task = api.release_task().await?;
    let Some(proposal) = &task.proposal else {
        return Ok(Signed::Nothing);
    };
    let proposal: Proposal = serde_json::from_value(proposal.clone()).map_err(|problem| {
        lied(
            "the registry's proposal cannot be read",
            &problem.to_string(),
        )
    })?;
    let checked = check(proposal, task, local, context).await?;
    let key = choose(keys, &checked)?;
    agree(&checked, context)?;
    let mut answer = None;
    for key in key {
        let digest = checked.proposal.digest()?;
        let signature = key.sign(&checked.proposal.message()?);
        let body = AddSignature {
            digest,
            keyid: signature.keyid,
            sig: signature.sig,
        };
        let added = api.add_signature(&body).await?;
        let is_visible = added.visible;
        answer = Some(added);
        if is_visible {
            break;
        }
    }
    Ok(answer.map_or(Signed::Nothing, Signed::Added))
}

/// Shows what waits without signing it; whether anything does.
pub(crate) async fn show_release(local: &LocalFiles, context: &Context) -> Outcome<Option<Shown>> {
    let api = WriteClient::open(context).await?;
    let task = api.release_task().await?;
    let Some(proposal) = &task.proposal else {
        return Ok(None);
    };
    let proposal: Proposal = serde_json::from_value(proposal.clone()).map_err(|problem| {
        lied(
            "the registry's proposal cannot be read",
            &problem.to_string(),
        )
    })?;
    let checked = check(proposal, task, local, context).await?;
    Ok(Some(Shown {
        version: checked.proposal.version(),
        digest: checked.proposal.digest()?,
        lines: checked.review.lines,
        refusals: checked.review.refusals,
        unseen: checked.review.unseen,
        signed: checked.signers.signed,
        missing: checked.signers.missing,
        threshold: checked.signers.threshold,
        sessions: checked.task.sessions,
    }))
}

/// What waits, for people and scripts.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Shown {
    pub(crate) version: u64,
    pub(crate) digest: Digest,
    pub(crate) lines: Vec<String>,
    pub(crate) refusals: Vec<String>,
    pub(crate) unseen: Vec<String>,
    pub(crate) signed: Vec<String>,
    pub(crate) missing: Vec<String>,
    pub(crate) threshold: usize,
    pub(crate) sessions: Vec<String>,
}

async fn check(
    proposal: Proposal,
    task: ReleaseTask,
    local: &LocalFiles,
    context: &Context,
) -> Outcome<Checked> {
    let mut registry = RegistryReader::open(context).await?;
    let files = registry.role_files().await?;
    follows(&proposal, &files, context)?;
    let roster = provisioning_trust::KeyChange::over(&files)?.roster("release")?;
    let signers = proposal.standing(&roster)?;
    let before = texts_in_force(&mut registry, &files).await?;
    let after = texts_proposed(&proposal, &files, &before, &task.contents)?;
    let scripts = own_scripts(&registry, &after, context)?;
    let review = review(&Evidence {
        before: &before,
        after: &after,
        local,
        is_vouched: !signers.signed.is_empty(),
        scripts: &scripts,
    });
    Ok(Checked {
        proposal,
        task,
        review,
        signers,
    })
}

/// The proposal must be the version after the one that this machine verified.
fn follows(proposal: &Proposal, files: &RoleFiles, context: &Context) -> Outcome<()> {
    if proposal.role() != "release" {
        return Err(lied(
            "the registry asks to sign another role",
            proposal.role(),
        ));
    }
    proposal.check(context.now())?;
    let current = files.release_version()?;
    if proposal.version() == current + 1 {
        return Ok(());
    }
    Err(Failure::new(
        "base-moved",
        format!(
            "the registry asks to sign release {}, but release {current} is in force",
            proposal.version()
        ),
    )
    .with_exit(Exit::Verification)
    .with_hint("somebody signed in between: run the same command again"))
}

/// The text of every target of the release in force, verified.
async fn texts_in_force(
    registry: &mut RegistryReader,
    files: &RoleFiles,
) -> Outcome<BTreeMap<String, String>> {
    let paths: Vec<String> = files.release_targets()?.into_keys().collect();
    let all = registry.raw_targets(&paths).await?;
    paths
        .into_iter()
        .zip(all)
        .map(|(path, bytes)| {
            let text = bytes.and_then(|it| String::from_utf8(it).ok());
            let text = text.ok_or_else(|| lied("a signed file is missing or no text", &path))?;
            Ok((path, text))
        })
        .collect()
}

/// The text of every target that the proposal lists: what stays, and what the registry sent,
/// which must be what the proposal says.
fn texts_proposed(
    proposal: &Proposal,
    files: &RoleFiles,
    before: &BTreeMap<String, String>,
    sent: &BTreeMap<String, String>,
) -> Outcome<BTreeMap<String, String>> {
    let in_force = files.release_targets()?;
    let mut after = BTreeMap::new();
    for (path, facts) in proposal.targets()? {
        let text = if in_force.get(&path) == Some(&facts) {
            before.get(&path)
        } else {
            sent.get(&path).filter(|text| is_of(text, &facts))
        };
        let text = text.ok_or_else(|| {
            lied(
                "the registry did not send the bytes that it wants signed",
                &path,
            )
        })?;
        after.insert(path, text.clone());
    }
    Ok(after)
}

fn is_of(text: &str, facts: &TargetFacts) -> bool {
    text.len() as u64 == facts.length && Digest::of(text.as_bytes()) == facts.digest
}

/// The bootstrap scripts as this client would write them for this registry.
fn own_scripts(
    registry: &RegistryReader,
    after: &BTreeMap<String, String>,
    context: &Context,
) -> Outcome<BTreeMap<String, String>> {
    let entry = after
        .iter()
        .find(|(path, _)| path.starts_with("index/client/"))
        .and_then(|(_, text)| IndexEntry::read(text.as_bytes()).ok());
    let newest = entry.as_ref().and_then(|entry| {
        let offered = entry.versions.iter().filter(|it| it.yanked.is_none());
        offered.max_by_key(|it| (it.version.pre.is_empty(), it.version.clone()))
    });
    let client = newest.map(|newest| ScriptClient {
        version: newest.version.clone(),
        archives: newest
            .archives
            .iter()
            .map(|archive| {
                let facts = ScriptArchive {
                    digest: archive.digest,
                    size: archive.size,
                    path: paths::archive(&archive.digest),
                    format: archive.format,
                };
                (archive.target, facts)
            })
            .collect(),
    });
    let location = context.settings.registry()?;
    let facts = ScriptContext {
        base_url: location.url().as_str().trim_end_matches('/').to_owned(),
        registry_name: registry
            .discovery()
            .map(|it| it.name.clone())
            .unwrap_or_default(),
        root_fingerprint: registry.trusted().root_fingerprint(),
        client,
    };
    let one = |script: Script| {
        let path = paths::script_target(script.file_name());
        (path, render(script, &facts))
    };
    Ok(Script::ALL.into_iter().map(one).collect())
}

/// The keys that can sign and have not.
fn choose<'a>(keys: &'a [SigningKey], checked: &Checked) -> Outcome<Vec<&'a SigningKey>> {
    let signers = &checked.signers;
    let useful: Vec<&SigningKey> = keys
        .iter()
        .filter(|key| signers.missing.iter().any(|id| id == key.key_id()))
        .collect();
    if !useful.is_empty() {
        return Ok(useful);
    }
    let has_signed = keys
        .iter()
        .any(|key| signers.signed.iter().any(|id| id == key.key_id()));
    if has_signed {
        return Err(Failure::new(
            "already-signed",
            "this key has signed that release already; another engineer's is needed",
        )
        .with_causes(signers.missing.iter().map(|id| format!("could sign: {id}"))));
    }
    Err(Failure::new(
        "foreign-key",
        "this registry's releases are not signed with that key",
    )
    .with_causes(signers.missing.iter().map(|id| format!("could sign: {id}")))
    .with_hint("`provisioning trust key show FILE` tells the id of a key file"))
}

/// Shows what would be signed, and asks.
fn agree(checked: &Checked, context: &Context) -> Outcome<()> {
    let review = &checked.review;
    for line in &review.lines {
        context.output.status(line);
    }
    if review.is_quiet() {
        let version = checked.proposal.version();
        context.output.status(&format!(
            "release {version} lists the same files: it only holds for longer"
        ));
    }
    if !review.refusals.is_empty() {
        return Err(Failure::new(
            "release-refused",
            "the registry asks to sign what no release may say; nothing was signed",
        )
        .with_causes(review.refusals.clone())
        .with_exit(Exit::Verification)
        .with_hint("its operator made a mistake, or somebody else holds the registry: ask them"));
    }
    if !review.unseen.is_empty() {
        return Err(Failure::new(
            "unseen-digest",
            "the registry asks to sign files that were not hashed on this machine; nothing was \
             signed",
        )
        .with_causes(review.unseen.clone())
        .with_exit(Exit::Verification)
        .with_hint(
            "give their files: `provisioning trust sign --key KEY FILE…` (or a folder of them)",
        )
        .with_hint(
            "or let the engineer sign first who has them: a second signature may rest on it",
        ));
    }
    if !review.unread.is_empty() && !crate::prompt::is_interactive(context) {
        return Err(Failure::new(
            "unread-text",
            "nobody can be asked whether these texts are right; nothing was signed",
        )
        .with_causes(review.unread.clone())
        .with_exit(Exit::Verification)
        .with_hint(
            "give a copy of each file that you know to be right, or run this on a terminal",
        ));
    }
    let question = format!(
        "sign release {} of {}?",
        checked.proposal.version(),
        context.settings.registry()?
    );
    let is_agreed =
        !crate::prompt::is_interactive(context) || confirm(context, &question, Answer::No)?;
    if is_agreed {
        return Ok(());
    }
    Err(Failure::new("not-agreed", "nothing was signed"))
}

/// The registry said something that cannot be.
fn lied(what: &str, detail: &str) -> Failure {
    Failure::new("bad-proposal", format!("{what}; nothing was signed"))
        .with_cause(detail)
        .with_exit(Exit::Verification)
}
