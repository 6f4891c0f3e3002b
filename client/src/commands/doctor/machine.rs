//! Room, rights and configuration.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use provisioning_installers::Prefix;

use super::{Problem, Report};
use crate::context::Context;
use crate::credentials::Credentials;
use crate::output::bytes;

/// Less room than this, and the next install may not fit, in bytes.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Fewer free file entries than this, and the next install may not fit.
const FREE_ENTRIES_MIN: u64 = 10_000;

pub(super) fn check(prefix: &Prefix, report: &mut Report, context: &Context) {
    let mut problems = Vec::new();
    let mut clean = String::new();
    let cache = context.settings.cache().ok();
    for (what, path) in [("the prefix", Some(prefix.root())), ("the cache", cache)] {
        let Some((free, problem)) = path.and_then(|it| room(what, it)) else {
            continue;
        };
        problems.extend(problem);
        if clean.is_empty() {
            clean = format!("{} free", bytes(free));
        }
    }
    report.add("disk", clean, problems);
    check_rights(prefix, report);
    check_configuration(report, context);
}

/// The room that is left where `path` is or would be.
fn room(what: &str, path: &Path) -> Option<(u64, Option<Problem>)> {
    let there = path.ancestors().find(|it| it.exists())?;
    let system = rustix::fs::statvfs(there).ok()?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let problem = if free < FREE_BYTES_MIN {
        Some(format!("{} are free", bytes(free)))
    } else if system.f_files > 0 && system.f_favail < FREE_ENTRIES_MIN {
        Some(format!("{} more files fit", system.f_favail))
    } else {
        None
    };
    let problem = problem.map(|it| {
        Problem::new(
            "disk-full",
            format!("only {it} for {what}, `{}`", path.display()),
            "`provisioning gc` and `provisioning cache prune` make room",
        )
    });
    Some((free, problem))
}

fn check_rights(prefix: &Prefix, report: &mut Report) {
    let root = prefix.root();
    let there = root.ancestors().find(|it| it.exists());
    let may_write = there.is_some_and(|it| {
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(it, access).is_ok()
    });
    let problems = if may_write {
        Vec::new()
    } else {
        vec![Problem::new(
            "not-writable",
            format!("you may not write to `{}`", root.display()),
            "run `provisioning` as the owner of it, or use a prefix of your own: `--prefix ~/.provisioning`",
        )]
    };
    let clean = format!("`{}` may be written", root.display());
    report.add("rights", clean, problems);
}

fn check_configuration(report: &mut Report, context: &Context) {
    let mut problems: Vec<Problem> = context
        .settings
        .unknown
        .iter()
        .map(|key| {
            Problem::new(
                "unknown-setting",
                format!("no such setting: {key}"),
                "take it out; `provisioning config show` lists the settings",
            )
        })
        .collect();
    match Credentials::place(&context.env) {
        Some(path) => problems.extend(open_credentials(&path)),
        None => problems.push(Problem::new(
            "no-home",
            "`HOME` is not set to an absolute path, so there is nowhere to keep tokens",
            "export HOME=… to your home folder",
        )),
    }
    if let Err(failure) = Credentials::open(&context.env) {
        problems.push(Problem::of(&failure));
    }
    report.add(
        "configuration",
        "no unknown setting, no open token",
        problems,
    );
}

/// A file with tokens that others may read.
fn open_credentials(path: &Path) -> Option<Problem> {
    let mode = path.metadata().ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        Problem::new(
            "open-credentials",
            format!(
                "`{}` holds tokens, and others may read it (mode {mode:o})",
                path.display()
            ),
            format!("chmod 600 {}", path.display()),
        )
    })
}
