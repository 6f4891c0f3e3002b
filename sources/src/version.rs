//! The version of a package's sources, from its tags.
//!
//! The newest tag that `upstream_tag_include` lets in and `upstream_tag_exclude` does not,
//! read through `upstream_tag_template`, as Packit does.

use regex::Regex;

use crate::config::Effective;
use crate::git::{Git, GitError};

/// What a version cannot have for rpm.
const OFFENDERS: &str = "!@#$%&*()={[}]|\\'\":;<,>/?`";

/// A version that rpm takes.
pub fn sanitize(version: &str) -> String {
    let kept = version.chars().filter(|it| !OFFENDERS.contains(*it));
    kept.map(|it| if it == '-' { '.' } else { it }).collect()
}

/// The tag that a version of the package has.
pub fn tag_of(values: &Effective, version: &str) -> String {
    let template = values.text("upstream_tag_template").unwrap_or("{version}");
    let name = values.upstream_name();
    template
        .replace("{upstream_package_name}", name)
        .replace("{version}", version)
}

/// The version that a tag gives by the package's template; `None` if it is another's.
pub fn version_of(values: &Effective, tag: &str) -> Option<String> {
    let (before, after) = {
        let marked = tag_of(values, "\0");
        let (before, after) = marked.split_once('\0')?;
        (before.to_owned(), after.to_owned())
    };
    let version = tag
        .strip_prefix(before.as_str())?
        .strip_suffix(after.as_str())?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// The newest tag of the package that `revision` has, and its version.
pub fn last_tag(
    git: &Git,
    revision: &str,
    values: &Effective,
) -> Result<Option<(String, String)>, GitError> {
    let merged = format!("--merged={revision}");
    let tags = git.text(&["tag", "--list", "--sort=-creatordate", &merged])?;
    Ok(tags
        .lines()
        .filter(|it| is_ours(values, it))
        .find_map(|it| Some((it.to_owned(), version_of(values, it)?))))
}

/// Whether `upstream_tag_include` and `upstream_tag_exclude` let a tag in.
fn is_ours(values: &Effective, tag: &str) -> bool {
    let is_match = |key: &str| {
        let pattern = values.text(key).filter(|it| !it.is_empty())?;
        let anchored = Regex::new(&format!("^(?:{pattern})")).ok()?;
        Some(anchored.is_match(tag))
    };
    is_match("upstream_tag_include") != Some(false)
        && is_match("upstream_tag_exclude") != Some(true)
}
