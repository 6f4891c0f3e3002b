//! What git tells of one package: its last release, and what was committed since.

use jiff::Timestamp;
use provisioning_bundles::release::{Change, Commit, PackageHistory, PackageRelease, read_commit};
use provisioning_package::{PackageName, Version};
use provisioning_sources::git::{Git, GitError};

use crate::failure::Outcome;

/// Between the fields of a commit, and what no message has.
const FIELD: char = '\u{1f}';

/// The last release that `HEAD` has, and every change since.
pub(crate) fn history_of(
    git: &Git,
    name: &PackageName,
    package: &PackageRelease,
) -> Outcome<PackageHistory> {
    let last = releases(git, name, package)?.pop();
    let since = last.as_ref().map(|(_, tag)| tag.as_str());
    Ok(PackageHistory {
        changes: changes_between(git, package, since, "HEAD")?,
        last: last.map(|(version, _)| version),
        ..PackageHistory::default()
    })
}

/// The last release before `version`, or of all where none is given.
pub(crate) fn last_before(
    git: &Git,
    name: &PackageName,
    package: &PackageRelease,
    version: Option<&Version>,
) -> Outcome<Option<Version>> {
    let mut all = releases(git, name, package)?.into_iter().map(|it| it.0);
    Ok(all.rfind(|it| version.is_none_or(|version| it < version)))
}

/// Every release that `HEAD` has, oldest first, with its tag.
fn releases(
    git: &Git,
    name: &PackageName,
    package: &PackageRelease,
) -> Result<Vec<(Version, String)>, GitError> {
    let tags = git.text(&["tag", "--list", "--merged=HEAD"])?;
    let mut releases: Vec<(Version, String)> = tags
        .lines()
        .filter_map(|tag| Some((package.version_of(name, tag)?, tag.to_owned())))
        .collect();
    releases.sort();
    Ok(releases)
}

/// What was committed after `from` up to `to` and touches the package.
pub(crate) fn changes_between(
    git: &Git,
    package: &PackageRelease,
    from: Option<&str>,
    to: &str,
) -> Outcome<Vec<Change>> {
    let range = match from {
        Some(from) => format!("{}..{}", git.commit(from)?, git.commit(to)?),
        None => git.commit(to)?,
    };
    let format = format!("--format=%H{FIELD}%aN{FIELD}%at{FIELD}%B");
    let mut words = vec![
        "log".to_owned(),
        "-z".to_owned(),
        "--no-merges".to_owned(),
        "--no-color".to_owned(),
        format,
        range,
        "--".to_owned(),
    ];
    words.push(package.folder.clone());
    words.extend(package.paths.iter().cloned());
    let items = git.items(&words)?;
    let commits: Vec<Commit> = items.iter().filter_map(|it| parse(it)).collect();
    Ok(commits.iter().filter_map(read_commit).collect())
}

fn parse(item: &str) -> Option<Commit> {
    let mut fields = item.splitn(4, FIELD);
    let id = fields.next()?.trim().to_owned();
    let author = fields.next()?.to_owned();
    let time = fields.next()?.parse().ok()?;
    Some(Commit {
        id,
        author,
        time: Timestamp::from_second(time).ok()?,
        message: fields.next()?.to_owned(),
    })
}

/// Where a repository is on the web, as far as its `origin` tells; links are made from it.
pub(crate) fn web_address(git: &Git) -> Option<String> {
    let origin = git.text(&["remote", "get-url", "origin"]).ok()?;
    let origin = origin.trim().trim_end_matches('/');
    let origin = origin.strip_suffix(".git").unwrap_or(origin);
    if origin.starts_with("https://") || origin.starts_with("http://") {
        // A name and password in the address are nobody's business.
        let (scheme, rest) = origin.split_once("://")?;
        let rest = rest.split_once('@').map_or(rest, |it| it.1);
        return Some(format!("{scheme}://{rest}"));
    }
    let (host, path) = match origin.strip_prefix("ssh://") {
        Some(rest) => rest.split_once('/')?,
        None => origin.split_once(':')?,
    };
    let host = host.split_once('@')?.1;
    let host = host.split_once(':').map_or(host, |it| it.0);
    Some(format!("https://{host}/{path}"))
}
