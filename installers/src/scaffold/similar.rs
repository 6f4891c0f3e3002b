//! Which file is another one under a new name.

use std::collections::BTreeMap;

use super::tree::Node;

/// The least likeness of a renamed file, in percent: git's own.
const LIKENESS_MIN: usize = 50;
/// Most files of either side that are compared with each other.
const COMPARED_MAX: usize = 500;

/// How much two files have in common, in percent of their lines.
fn likeness(one: &Node, other: &Node) -> usize {
    match (one, other) {
        (Node::File { bytes: one, .. }, Node::File { bytes: other, .. }) => {
            if one == other {
                // Two empty files have nothing in common.
                return if one.is_empty() { 0 } else { 100 };
            }
            let mut lines: BTreeMap<&[u8], usize> = BTreeMap::new();
            let (mut total, mut shared) = (0, 0);
            for line in one.split_inclusive(|it| *it == b'\n') {
                *lines.entry(line).or_default() += 1;
                total += line.len();
            }
            for line in other.split_inclusive(|it| *it == b'\n') {
                total += line.len();
                if let Some(left) = lines.get_mut(line).filter(|it| **it > 0) {
                    *left -= 1;
                    shared += 2 * line.len();
                }
            }
            (shared * 100).checked_div(total).unwrap_or(0)
        }
        (Node::Link { target: one }, Node::Link { target: other }) if one == other => 100,
        (Node::File { .. } | Node::Link { .. } | Node::Folder, _) => 0,
    }
}

/// Old paths, and the new one that each became: the most alike first, each once.
pub(super) fn renames<'a>(
    gone: &[(&'a str, &Node)],
    came: &[(&'a str, &Node)],
) -> BTreeMap<&'a str, &'a str> {
    let mut pairs = Vec::new();
    for (old, before) in gone.iter().take(COMPARED_MAX) {
        for (new, after) in came.iter().take(COMPARED_MAX) {
            let alike = likeness(before, after);
            if alike >= LIKENESS_MIN {
                pairs.push((alike, *old, *new));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, old, new) in pairs {
        if !found.contains_key(old) && !found.values().any(|it| *it == new) {
            found.insert(old, new);
        }
    }
    found
}
