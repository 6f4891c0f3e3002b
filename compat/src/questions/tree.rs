//! Who needs what, as lines with a depth: a tree of any depth is printed and dropped
//! without recursion.

use std::collections::BTreeSet;
use std::fmt;

use provisioning_package::PackageName;
use serde::Serialize;

use super::{Versions, needs};
use crate::index::Index;
use crate::request::Wanted;

/// A tree of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tree {
    /// From the top down; what is below a line is one deeper.
    pub lines: Vec<TreeLine>,
}

/// One package in a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeLine {
    /// 0 for a root.
    pub depth: usize,
    /// The package.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// What the line above requires of it (inverted: what it requires of the line above);
    /// `None` for a root.
    pub requirement: Option<String>,
    /// Whether what is below it was shown already, further up.
    pub is_repeated: bool,
    /// Whether it is the last below its parent.
    pub is_last: bool,
}

/// What was asked for, and below each package what it needs.
pub fn tree(set: &Versions, wanted: &[Wanted], index: &dyn Index) -> Tree {
    let asked: BTreeSet<&PackageName> = wanted
        .iter()
        .filter(|it| !it.optional)
        .map(|it| &it.name)
        .collect();
    let mut roots: Vec<&PackageName> = set.keys().filter(|it| asked.contains(it)).collect();
    if asked.is_empty() {
        roots = set.keys().collect();
    }
    grow(set, roots, &|name| {
        let needed = needs(set, index, name).into_iter();
        needed
            .map(|(it, dependency)| (it.clone(), dependency.req.to_string()))
            .collect()
    })
}

/// Each of `names`, and below each package who needs it.
pub fn inverted_tree(set: &Versions, names: &[PackageName], index: &dyn Index) -> Tree {
    let mut askers: std::collections::BTreeMap<PackageName, Vec<(PackageName, String)>> =
        std::collections::BTreeMap::new();
    for asker in set.keys() {
        for (needed, dependency) in needs(set, index, asker) {
            let of_needed = askers.entry(needed.clone()).or_default();
            of_needed.push((asker.clone(), dependency.req.to_string()));
        }
    }
    let roots = names.iter().filter(|it| set.contains_key(*it)).collect();
    grow(set, roots, &|name| {
        askers.get(name).cloned().unwrap_or_default()
    })
}

type Below<'b> = &'b dyn Fn(&PackageName) -> Vec<(PackageName, String)>;

fn grow(set: &Versions, roots: Vec<&PackageName>, below: Below<'_>) -> Tree {
    let mut lines = Vec::new();
    let mut shown = BTreeSet::new();
    let count = roots.len();
    let mut open: Vec<(usize, PackageName, Option<String>, bool)> = roots
        .into_iter()
        .enumerate()
        .map(|(place, it)| (0, it.clone(), None, place + 1 == count))
        .rev()
        .collect();
    while let Some((depth, name, requirement, is_last)) = open.pop() {
        let children = below(&name);
        let is_repeated = !shown.insert(name.clone()) && !children.is_empty();
        if !is_repeated {
            let count = children.len();
            let children = children.into_iter().enumerate().rev();
            open.extend(
                children.map(|(place, (it, req))| (depth + 1, it, Some(req), place + 1 == count)),
            );
        }
        lines.push(TreeLine {
            depth,
            version: set.get(&name).map(ToString::to_string).unwrap_or_default(),
            name,
            requirement,
            is_repeated,
            is_last,
        });
    }
    Tree { lines }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whether something follows at each depth: that is where a line goes on.
        let mut goes_on: Vec<bool> = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            goes_on.truncate(line.depth);
            for it in goes_on.iter().skip(1) {
                f.write_str(if *it { "│   " } else { "    " })?;
            }
            if line.depth > 0 {
                f.write_str(if line.is_last {
                    "└── "
                } else {
                    "├── "
                })?;
            }
            goes_on.push(!line.is_last);
            write!(f, "{} {}", line.name, line.version)?;
            if let Some(req) = &line.requirement {
                write!(f, " ({req})")?;
            }
            if line.is_repeated {
                f.write_str(" (*)")?;
            }
        }
        Ok(())
    }
}
