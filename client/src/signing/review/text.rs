//! Texts: the matrix, which people write, and scripts, which follow from the rest.

use provisioning_package::Digest;

use super::{Evidence, Review};

/// Most lines of a difference that are shown.
const SHOWN_LINES_MAX: usize = 400;

pub(super) fn matrix(
    (old, new): (Option<&String>, &String),
    evidence: &Evidence<'_>,
    review: &mut Review,
) {
    let digest = Digest::of(new.as_bytes());
    review
        .lines
        .push(format!("versions.toml becomes {}", digest.prefixed()));
    difference(old.map_or("", String::as_str), new, review);
    if !evidence.is_vouched && !evidence.local.has(&digest) {
        review.unread.push("versions.toml".to_owned());
    }
}

pub(super) fn script(
    path: &str,
    (old, new): (Option<&String>, &String),
    evidence: &Evidence<'_>,
    review: &mut Review,
) {
    if evidence.scripts.get(path) == Some(new) {
        let line = format!("`{path}` becomes what this client would write for this registry");
        review.lines.push(line);
        return;
    }
    review.lines.push(format!(
        "`{path}` becomes other than this client would write it"
    ));
    let wanted = evidence.scripts.get(path).or(old);
    difference(wanted.map_or("", String::as_str), new, review);
    if !evidence.is_vouched {
        review.unread.push(path.to_owned());
    }
}

fn difference(old: &str, new: &str, review: &mut Review) {
    let patch = diffy::create_patch(old, new).to_string();
    let lines: Vec<&str> = patch.lines().skip(2).collect();
    let shown = lines.iter().take(SHOWN_LINES_MAX);
    // Whatever a line holds, it must not move the cursor over what was said before.
    let safe = |line: &&str| {
        let plain: String = line.chars().filter(|it| !it.is_control()).collect();
        format!("  {plain}")
    };
    review.lines.extend(shown.map(safe));
    if lines.len() > SHOWN_LINES_MAX {
        let more = lines.len() - SHOWN_LINES_MAX;
        review.lines.push(format!("  … and {more} more lines"));
    }
}
