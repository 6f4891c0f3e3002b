//! Where symlinks lead: never out of the archive, neither by themselves nor through each
//! other.

use super::entry_path::{climbs_elsewhere, is_absolute_elsewhere};
use super::error::ArchiveError;
use super::layout::{Layout, Place, ROOT, Standing};
use super::refusal::Refusal;

/// A symlink of the archive.
pub(super) struct Link {
    path: String,
    target: String,
    folder: Place,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// Being followed right now.
    Open,
    /// Leads here, inside the archive.
    Leads(Place),
    /// Leads in a circle, so nobody can follow it anywhere.
    Circle,
}

/// A link being followed: where the walk stands and how much of the target is used up.
struct Step {
    link: usize,
    at: Place,
    used: usize,
}

impl Link {
    /// A link in `folder`; refused where its text alone leads out.
    pub(super) fn new(path: &str, target: &str, folder: Place) -> Result<Self, ArchiveError> {
        if target.starts_with('/') || is_absolute_elsewhere(target) {
            let detail = "the link leads to an absolute path";
            return Err(ArchiveError::entry(Refusal::SymlinkAbsolute, path, detail));
        }
        let mut depth = path.matches('/').count();
        for name in target.split('/') {
            match name {
                "" | "." => {}
                ".." => depth = depth.checked_sub(1).ok_or_else(|| escapes(path))?,
                name if climbs_elsewhere(name) => return Err(escapes(path)),
                _ => depth += 1,
            }
        }
        Ok(Self {
            path: path.to_owned(),
            target: target.to_owned(),
            folder,
            state: State::New,
        })
    }
}

/// Follows every link through all others, as an operating system would: `a -> b/..` with
/// `b -> .` leads out although each looks harmless (the chains behind CVE-2021-37712 and
/// CVE-2025-4517).
pub(super) fn check_links(layout: &mut Layout) -> Result<(), ArchiveError> {
    for first in 0..layout.links.len() {
        if layout.links[first].state != State::New {
            continue;
        }
        let mut steps = vec![open(layout, first)];
        while let Some(step) = steps.last_mut() {
            let link = step.link;
            match advance(layout, step)? {
                Progress::Arrived(place) => {
                    layout.links[link].state = State::Leads(place);
                    steps.pop();
                }
                Progress::Needs(other) => steps.push(open(layout, other)),
                // Whoever led here goes in the same circle. No operating system follows it,
                // so it leads nowhere, and what it says by itself was checked.
                Progress::Circle => {
                    for led in steps.drain(..) {
                        layout.links[led.link].state = State::Circle;
                    }
                }
            }
        }
    }
    Ok(())
}

enum Progress {
    Arrived(Place),
    /// Another link must be followed first.
    Needs(usize),
    Circle,
}

fn open(layout: &mut Layout, link: usize) -> Step {
    layout.links[link].state = State::Open;
    Step {
        link,
        at: layout.links[link].folder,
        used: 0,
    }
}

/// Walks a target as far as it goes without another link.
fn advance(layout: &mut Layout, step: &mut Step) -> Result<Progress, ArchiveError> {
    let target = std::mem::take(&mut layout.links[step.link].target);
    let progress = advance_along(layout, step, &target);
    layout.links[step.link].target = target;
    progress
}

fn advance_along(
    layout: &mut Layout,
    step: &mut Step,
    target: &str,
) -> Result<Progress, ArchiveError> {
    while step.used < target.len() {
        let rest = &target[step.used..];
        let name = rest.split('/').next().unwrap_or_default();
        let next = match name {
            "" | "." => step.at,
            ".." if step.at == ROOT => return Err(escapes(&layout.links[step.link].path)),
            ".." => layout.parent(step.at),
            name => {
                let child = layout.child_or_ghost(step.at, name)?;
                match layout.standing(child) {
                    Standing::Symlink(other) => {
                        let other = other as usize;
                        match layout.links[other].state {
                            State::Leads(place) => place,
                            State::New => return Ok(Progress::Needs(other)),
                            State::Open | State::Circle => return Ok(Progress::Circle),
                        }
                    }
                    Standing::Ghost | Standing::Implied | Standing::Folder | Standing::File(_) => {
                        child
                    }
                }
            }
        };
        step.at = next;
        step.used += name.len() + 1;
    }
    Ok(Progress::Arrived(step.at))
}

fn escapes(path: &str) -> ArchiveError {
    let detail = "the link leads out of the archive";
    ArchiveError::entry(Refusal::SymlinkEscapes, path, detail)
}
