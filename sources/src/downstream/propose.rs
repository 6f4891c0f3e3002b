//! What is proposed to a downstream repository: one commit on a branch of its own.

use super::DownstreamError;
use super::remote::Remote;
use super::update::Pair;
use crate::actions::{Variables, base_variables, run_action};
use crate::objects::{
    Entry, Files, list, read_blob, read_commit, write_blob, write_commit, write_tree,
};
use crate::snapshot::Snapshot;
use crate::specfile::Specfile;
use crate::trailers::{FROM_DOWNSTREAM, FROM_SOURCE, PACKAGE, with, without};
use crate::version::last_tag;

/// A release that is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release<'r> {
    /// Its version.
    pub version: &'r str,
    /// Its tag, where it has one.
    pub tag: Option<&'r str>,
    /// Its commit.
    pub commit: &'r str,
}

/// A branch with one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The branch that it is for.
    pub target: String,
    /// The branch that it is on.
    pub branch: String,
    /// Its commit; `None` where nothing would change.
    pub commit: Option<String>,
    /// The first line of its message.
    pub title: String,
    /// The rest of its message.
    pub body: String,
}

/// Proposes a release for a branch of the downstream repository, as Packit does: what goes
/// downstream, the version, a release of 1, an entry in the changelog.
pub fn propose_release(
    pair: &Pair<'_>,
    remote: &Remote,
    release: &Release<'_>,
    snapshot: &Snapshot,
    target: &str,
) -> Result<Proposal, DownstreamError> {
    let base = remote.enter(target)?;
    let before = list(&remote.git, &base)?;
    let mut variables = base_variables(pair.package, pair.values);
    variables.insert("PACKIT_PROJECT_VERSION", release.version.to_owned());
    let tag = release.tag.unwrap_or_default();
    variables.insert("PACKIT_PROJECT_UPSTREAM_TAG", tag.to_owned());
    run_action("pre-sync", pair.values, &snapshot.root, &variables)?;
    let mut files = pair.tree(release.commit, before.clone())?;
    bump(pair, release, snapshot, &variables, &mut files)?;
    let short = release.commit.get(..8).unwrap_or(release.commit);
    let mut title = format!("Update to {} upstream release", release.version);
    let mut body = format!("Upstream tag: {tag}\nUpstream commit: {short}");
    if let Some(said) = run_action("commit-message", pair.values, &snapshot.root, &variables)? {
        let said = said.concat();
        if let Some((first, rest)) = said.trim().split_once('\n') {
            (title, body) = (first.to_owned(), rest.trim().to_owned());
        } else if !said.trim().is_empty() {
            (title, body) = (said.trim().to_owned(), String::new());
        }
    }
    let branch = format!("{}-{target}-update-propose_downstream", release.version);
    let wanted = Wanted {
        target,
        branch: branch.replace(' ', "-"),
        source: release.commit,
        title,
        body,
    };
    finish(pair, remote, wanted, &base, &before, &files)
}

/// Mirrors a change of the source repository for a branch of the downstream repository.
pub fn mirror_change(
    pair: &Pair<'_>,
    remote: &Remote,
    head: &str,
    name: &str,
    target: &str,
) -> Result<Proposal, DownstreamError> {
    let base = remote.enter(target)?;
    let before = list(&remote.git, &base)?;
    let files = pair.tree(head, before.clone())?;
    let text = read_commit(pair.source, head)?;
    let message = without(&text.message, &[FROM_SOURCE, FROM_DOWNSTREAM, PACKAGE]);
    let (title, body) = message.split_once('\n').unwrap_or((&message, ""));
    let wanted = Wanted {
        target,
        branch: format!("mirror/{name}/{target}"),
        source: head,
        title: title.to_owned(),
        body: body.trim().to_owned(),
    };
    finish(pair, remote, wanted, &base, &before, &files)
}

struct Wanted<'w> {
    target: &'w str,
    branch: String,
    source: &'w str,
    title: String,
    body: String,
}

fn finish(
    pair: &Pair<'_>,
    remote: &Remote,
    wanted: Wanted<'_>,
    base: &str,
    before: &Files,
    files: &Files,
) -> Result<Proposal, DownstreamError> {
    let commit = if files == before {
        None
    } else {
        let tree = write_tree(&remote.git, files)?;
        // What is there already is not made anew: its checks would begin again.
        if let Some(there) = standing(remote, &wanted, base, &tree)? {
            Some(there)
        } else {
            let message = format!("{}\n\n{}", wanted.title, wanted.body);
            let trailers = [(FROM_SOURCE, wanted.source), (PACKAGE, pair.package)];
            let author = read_commit(pair.source, wanted.source)?;
            let message = with(message.trim_end(), &trailers);
            let parents = [base];
            Some(write_commit(
                &remote.git,
                &tree,
                &parents,
                Some(&author),
                &message,
            )?)
        }
    };
    Ok(Proposal {
        target: wanted.target.to_owned(),
        branch: wanted.branch,
        commit,
        title: wanted.title,
        body: wanted.body,
    })
}

/// The commit of the branch that is there, if it says the same.
fn standing(
    remote: &Remote,
    wanted: &Wanted<'_>,
    base: &str,
    tree: &str,
) -> Result<Option<String>, DownstreamError> {
    let Some(there) = remote.commit_of(&wanted.branch) else {
        return Ok(None);
    };
    let is_same = remote
        .git
        .text(&["rev-parse", &format!("{there}^{{tree}}")])?
        == tree
        && remote.git.text(&["rev-parse", &format!("{there}^")])? == base
        && read_commit(&remote.git, &there)?
            .message
            .contains(wanted.source);
    Ok(is_same.then_some(there))
}

/// Version, release and changelog of the specfile.
fn bump(
    pair: &Pair<'_>,
    release: &Release<'_>,
    snapshot: &Snapshot,
    variables: &Variables,
    files: &mut Files,
) -> Result<(), DownstreamError> {
    let name = format!("{}.spec", pair.values.downstream_name());
    let Some(entry) = files.get(&name).cloned() else {
        return Ok(());
    };
    let text = read_blob(pair.downstream, &entry.id)?;
    let mut spec = Specfile::new(&String::from_utf8_lossy(&text));
    spec.set_tag("Version", release.version);
    let written = spec.tag("Release").unwrap_or_default().to_owned();
    let is_automatic = written.contains("%autorelease") || written.contains("%{autorelease}");
    if !is_automatic {
        spec.set_tag("Release", "1%{?dist}");
    }
    if !pair.values.is_true("sync_changelog") {
        let head = {
            let git = pair.source.clone().with("TZ", "UTC0");
            let date = "--date=format-local:%a %b %d %Y";
            let format = "--format=%cd %cn <%ce>";
            git.text(&["show", "--no-patch", date, format, release.commit])?
        };
        let entry = changes(pair, release, snapshot, variables)?;
        spec.add_changelog(&format!("{head} - {}-1", release.version), &entry);
    }
    let id = write_blob(pair.downstream, spec.text().as_bytes())?;
    files.insert(name, Entry { id, ..entry });
    Ok(())
}

/// The action, the commits of the package since the release before, else the version.
fn changes(
    pair: &Pair<'_>,
    release: &Release<'_>,
    snapshot: &Snapshot,
    variables: &Variables,
) -> Result<String, DownstreamError> {
    if let Some(said) = run_action("changelog-entry", pair.values, &snapshot.root, variables)? {
        let said = said.concat();
        if !said.trim().is_empty() {
            return Ok(said.trim_end().to_owned());
        }
    }
    let parent = format!("{}^", release.commit);
    let before = match pair.source.commit(&parent) {
        Ok(parent) => last_tag(pair.source, &parent, pair.values)?,
        Err(_) => None,
    };
    if let Some((tag, _)) = before {
        let range = format!("{tag}..{}", release.commit);
        let paths = pair.values.clean_paths();
        let mut words = vec![
            "log",
            "--no-merges",
            "--pretty=format:- %s (%an)",
            &range,
            "--",
        ];
        words.extend(
            paths
                .iter()
                .map(|it| if it.is_empty() { "." } else { it.as_str() }),
        );
        let said = pair.source.text(&words)?;
        if !said.is_empty() {
            return Ok(said);
        }
    }
    Ok(format!("- Update to version {}", release.version))
}
