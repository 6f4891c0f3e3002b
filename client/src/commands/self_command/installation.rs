//! Where this client is installed, and whether it may change itself there.

use std::fs;
use std::path::{Path, PathBuf};

use provisioning_package::Version;
use serde::{Deserialize, Serialize};

use super::manager;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// The folder of clients, in the prefix.
const CLIENTS: &str = "lib/provisioning/client";
/// The client's program, in its version's folder.
pub(super) const PROGRAM: &str = "provisioning";
/// The form of the note beside each version that we write.
const NOTE_SCHEMA: u32 = 1;

/// A client that the bootstrap script or `self update` put into a prefix.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    /// The prefix.
    pub(super) prefix: PathBuf,
}

/// What is noted of a version when it becomes current: written before the switch, beside
/// the version that it speaks of, so that the switch is one rename.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    schema: u32,
    /// The version that was current before; `None` for the first.
    pub(super) previous: Option<Version>,
}

/// What is to be done with the client; a manager has a command of its own for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Move it to another version.
    Update,
    /// Remove it.
    Uninstall,
}

impl Installation {
    /// Finds where the running program is installed; refuses where that is not ours to
    /// change.
    pub(super) fn find(purpose: Purpose, context: &Context) -> Outcome<Self> {
        let program = context.env.program.as_deref().ok_or_else(|| {
            Failure::new("not-self-installed", "cannot tell where this program is")
        })?;
        // Also below our own folder: a distribution may package exactly our layout.
        if let Some(found) = manager::owner(program, &context.env) {
            let (verb, command) = match purpose {
                Purpose::Update => ("update", &found.update),
                Purpose::Uninstall => ("uninstall", &found.remove),
            };
            return Err(Failure::new(
                "managed-elsewhere",
                format!(
                    "`{}` was installed by {}, so it does not {verb} itself",
                    program.display(),
                    found.name
                ),
            )
            .with_hint(format!("`{command}`; nothing was changed")));
        }
        let installation = prefix_of(program).map(|prefix| Self { prefix });
        installation.ok_or_else(|| stray(program, context))
    }

    /// The folder that holds a folder for each version.
    pub(super) fn clients(&self) -> PathBuf {
        self.prefix.join(CLIENTS)
    }

    /// The folder of one version.
    pub(super) fn version_folder(&self, version: &Version) -> PathBuf {
        self.clients().join(version.to_string())
    }

    /// `P/bin/provisioning`.
    pub(super) fn link(&self) -> PathBuf {
        self.prefix.join("bin").join(PROGRAM)
    }

    /// Where `P/bin/provisioning` leads for a version.
    pub(super) fn link_target(version: &Version) -> PathBuf {
        Path::new("..")
            .join(CLIENTS)
            .join(version.to_string())
            .join(PROGRAM)
    }

    /// The version that `P/bin/provisioning` leads to. Something else that stands there is
    /// refused; where nothing does, it is the version that runs.
    pub(super) fn current(&self) -> Outcome<Version> {
        let link = self.link();
        let target = match fs::read_link(&link) {
            Ok(target) => target,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {
                return Ok(running());
            }
            Err(_) => return Err(foreign(&link)),
        };
        let folder = target.parent().filter(|it| {
            it.parent().is_some_and(|it| it.ends_with(CLIENTS)) && target.ends_with(PROGRAM)
        });
        folder
            .and_then(|it| it.file_name()?.to_str()?.parse().ok())
            .ok_or_else(|| foreign(&link))
    }

    /// What was noted when `version` became current.
    pub(super) fn note(&self, version: &Version) -> Option<Note> {
        let bytes = fs::read(self.note_file(version)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Where that is noted.
    pub(super) fn note_file(&self, version: &Version) -> PathBuf {
        self.clients().join(format!("{version}.json"))
    }

    /// Every version that has a folder.
    pub(super) fn versions(&self) -> Vec<Version> {
        let entries = fs::read_dir(self.clients()).into_iter().flatten();
        let mut versions: Vec<Version> = entries
            .flatten()
            .filter(|it| it.file_type().is_ok_and(|it| it.is_dir()))
            .filter_map(|it| it.file_name().to_str()?.parse().ok())
            .collect();
        versions.sort();
        versions
    }
}

impl Note {
    /// The note of a version that replaces `previous`.
    pub(super) fn replacing(previous: Option<Version>) -> Self {
        Self {
            schema: NOTE_SCHEMA,
            previous,
        }
    }
}

/// The version of this program.
pub(super) fn running() -> Version {
    env!("CARGO_PKG_VERSION")
        .parse()
        .expect("cargo checked the version of this crate")
}

/// `P` of `P/lib/provisioning/client/<version>/[bin/]provisioning`.
fn prefix_of(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let folder = if folder.ends_with("bin") && !folder.parent()?.ends_with("client") {
        folder.parent()?
    } else {
        folder
    };
    folder.file_name()?.to_str()?.parse::<Version>().ok()?;
    let clients = folder.parent()?;
    let text = clients.to_str()?;
    let prefix = text.strip_suffix(CLIENTS)?.strip_suffix('/')?;
    Some(PathBuf::from(if prefix.is_empty() { "/" } else { prefix }))
}

fn foreign(link: &Path) -> Failure {
    Failure::new(
        "foreign-file",
        format!("`{}` is no link to a client of this prefix", link.display()),
    )
    .with_hint("move it away and run the registry's `install.sh` again; nothing was changed")
}

fn stray(program: &Path, context: &Context) -> Failure {
    let failure = Failure::new(
        "not-self-installed",
        format!(
            "`{}` was put there by hand or by a build, so it does not change itself",
            program.display()
        ),
    );
    match context.settings.registry_if_set() {
        Some(registry) if registry.folder().is_none() => failure.with_hint(format!(
            "`curl -fsSL {}install.sh | sh -s -- --client-only` installs one that does; nothing was changed",
            registry.url()
        )),
        Some(_) | None => failure
            .with_hint("the registry's `install.sh` installs one that does; nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_layout_names_a_prefix() {
        let check = |path: &str, prefix: Option<&str>| {
            assert_eq!(
                prefix_of(Path::new(path)).as_deref(),
                prefix.map(Path::new),
                "{path}"
            );
        };
        check("/p/lib/provisioning/client/0.1.0/provisioning", Some("/p"));
        check(
            "/p/lib/provisioning/client/0.1.0/bin/provisioning",
            Some("/p"),
        );
        check("/lib/provisioning/client/0.1.0/provisioning", Some("/"));
        check("/p/lib/provisioning/client/new/provisioning", None);
        check("/p/bin/provisioning", None);
        check("/target/debug/provisioning", None);
    }
}
