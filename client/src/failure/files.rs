//! A file operation that failed, with what to do about it.

use std::io;
use std::path::Path;

use super::Failure;

/// What helps where a disk is full.
const MAKE_ROOM: &str = "make room (`provisioning gc` removes old generations, `provisioning cache \
                         prune` downloads), then run the same command again";

impl Failure {
    /// A file operation failed; the message names the file, the hint what to do.
    pub(crate) fn io(action: &str, path: &Path, problem: &io::Error) -> Self {
        let shown = path.display();
        let is_full = matches!(
            problem.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        if is_full {
            return Self::new(
                "disk-full",
                format!("the disk that holds `{shown}` is full"),
            )
            .with_cause(problem.to_string())
            .with_hint(MAKE_ROOM);
        }
        let failure =
            Self::new("io", format!("cannot {action} `{shown}`")).with_cause(problem.to_string());
        match way_out(action, path, problem.kind()) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }

    /// There is no place for what lives only as long as this run.
    pub(crate) fn no_scratch(problem: &io::Error) -> Self {
        Self::new("io", "cannot make a temporary folder")
            .with_cause(problem.to_string())
            .with_hint("name a folder that you may write in: `TMPDIR=DIR`")
    }
}

/// What helps against one kind of error; `None` for what is no file.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kinds are the standard library's, and most have no fix of their own"
)]
fn way_out(action: &str, path: &Path, kind: io::ErrorKind) -> Option<String> {
    let shown = path.display();
    let reads = action.starts_with("read");
    if !path.is_absolute() && matches!(path.to_str(), Some("stdin" | "stderr")) {
        return None;
    }
    Some(match kind {
        io::ErrorKind::PermissionDenied => {
            format!("`ls -ld {shown}` shows who may; run this as its owner, or name another path")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("the file system of `{shown}` is mounted read-only: name another path")
        }
        io::ErrorKind::NotFound if reads => format!("there is no `{shown}`: check the path"),
        io::ErrorKind::NotFound => {
            format!(
                "a folder on the way to `{shown}` is missing or cannot be made: name another path"
            )
        }
        io::ErrorKind::NotADirectory => {
            format!("a part of `{shown}` is a file, not a folder: check the path")
        }
        io::ErrorKind::IsADirectory => format!("`{shown}` is a folder: name a file"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            format!("`{shown}` is no name that this file system takes: name another path")
        }
        io::ErrorKind::InvalidData => format!("`{shown}` is not UTF-8 text: check the path"),
        _ => "look after the disk, then run the same command again".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_a_file_says_what_to_do() {
        for kind in [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::NotFound,
            io::ErrorKind::NotADirectory,
            io::ErrorKind::IsADirectory,
            io::ErrorKind::StorageFull,
            io::ErrorKind::Other,
        ] {
            for action in ["read", "write"] {
                let failure = Failure::io(action, Path::new("/a/b"), &kind.into());
                assert_eq!(failure.hints().len(), 1, "{kind}");
            }
        }
    }
}
