//! Putting a client beside the current one, and switching to it by one rename.
//!
//! Everything is staged in a folder of this process, checked and made durable there; then
//! come a rename to the version's folder, the note of what was current, and the rename of
//! `P/bin/provisioning`, which is the only instant at which anything changes. Killed
//! before it, the old client is whole; killed after it, the new one is. What a killed run
//! left behind is swept by the next, as the bootstrap script does too.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use provisioning_installers::{Prefix, WriterLock};
use provisioning_package::{Digest, Version, unpack_archive};

use super::installation::{Installation, Note, PROGRAM};
use crate::context::Context;
use crate::durable::{Readers, replace_file, sync_folder};
use crate::failure::{Exit, Failure, Outcome};
use crate::transaction;

/// What the folders of unfinished clients begin with; the process id follows.
const STAGING: &str = ".staging.";
/// What unfinished links in `P/bin` begin with; the process id follows.
const UNFINISHED_LINK: &str = ".provisioning.";
/// How long a new client may take to tell its version.
const TRIAL_TIME_MAX: Duration = Duration::from_secs(30);
/// Variables that a client on trial is given: it must run in any environment.
const TRIAL_VARIABLES: [&str; 3] = ["PATH", "HOME", "TMPDIR"];

/// Takes the right to change the prefix, and removes what killed runs left.
pub(super) fn lock(
    installation: &Installation,
    command: &str,
    context: &Context,
) -> Outcome<WriterLock> {
    let prefix = Prefix::new(&installation.prefix);
    let lock = transaction::lock(&prefix, command, context)?;
    sweep(installation);
    Ok(lock)
}

/// Unpacks a client, tries it, and puts it into the folder of its version.
pub(super) async fn place(
    installation: &Installation,
    archive: &Path,
    version: &Version,
    context: &Context,
) -> Outcome<()> {
    let staging = installation
        .clients()
        .join(format!("{STAGING}{}", std::process::id()));
    fs::create_dir(&staging).map_err(|it| cannot_write(&staging, &it))?;
    let placed = stage(installation, archive, version, &staging, context).await;
    let _ = remove_tree(&staging);
    placed
}

async fn stage(
    installation: &Installation,
    archive: &Path,
    version: &Version,
    staging: &Path,
    context: &Context,
) -> Outcome<()> {
    let client = staging.join("client");
    tokio::task::block_in_place(|| unpack_archive(archive, &client))?;
    let program = client.join(PROGRAM);
    if !program.is_file() && client.join("bin").join(PROGRAM).is_file() {
        symlink(Path::new("bin").join(PROGRAM), &program)
            .map_err(|it| cannot_write(&program, &it))?;
    }
    try_out(&program, version, context).await?;
    sync_folder(&client)?;
    let home = installation.version_folder(version);
    if home.symlink_metadata().is_ok() {
        if is_same(&home.join(PROGRAM), &program) {
            return Ok(());
        }
        // Not the current one, whose version differs, so nothing leads here.
        fs::rename(&home, staging.join("replaced")).map_err(|it| cannot_write(&home, &it))?;
    }
    fs::rename(&client, &home).map_err(|it| cannot_write(&home, &it))?;
    sync_folder(&installation.clients())
}

/// Runs a client, which must tell the version that was signed.
pub(super) async fn try_out(program: &Path, version: &Version, context: &Context) -> Outcome<()> {
    let broken = |cause: String| {
        Failure::new(
            "client-does-not-run",
            format!("the client {version} does not run on this machine"),
        )
        .with_cause(cause)
        .with_hint("the client stays as it is; tell the registry's operator")
    };
    let mut command = tokio::process::Command::new(program);
    command
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for name in TRIAL_VARIABLES {
        if let Some(value) = context.env.path_variable(name) {
            command.env(name, value);
        }
    }
    let answer = tokio::time::timeout(TRIAL_TIME_MAX, command.output())
        .await
        .map_err(|_| broken(format!("`--version` took longer than {TRIAL_TIME_MAX:?}")))?
        .map_err(|it| broken(format!("`{} --version`: {it}", program.display())))?;
    let said = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if !answer.status.success() {
        return Err(broken(format!("`--version` ended with {}", answer.status)));
    }
    if said.rsplit(' ').next() != Some(version.to_string().as_str()) {
        return Err(broken(format!(
            "it calls itself `{}`",
            said.chars().take(100).collect::<String>()
        ))
        .with_exit(Exit::Verification));
    }
    Ok(())
}

/// Makes `to` the current client, in one instant; `from` can be gone back to.
pub(super) fn switch(installation: &Installation, from: &Version, to: &Version) -> Outcome<()> {
    let note = Note::replacing(Some(from.clone()));
    let bytes = serde_json::to_vec(&note).expect("a note is a number and a version");
    replace_file(&installation.note_file(to), &bytes, Readers::Everyone)?;
    let link = installation.link();
    let folder = installation.prefix.join("bin");
    fs::create_dir_all(&folder).map_err(|it| cannot_write(&folder, &it))?;
    let unfinished = folder.join(format!("{UNFINISHED_LINK}{}", std::process::id()));
    let _ = fs::remove_file(&unfinished);
    symlink(Installation::link_target(to), &unfinished)
        .and_then(|()| fs::rename(&unfinished, &link))
        .map_err(|it| cannot_write(&link, &it))?;
    sync_folder(&folder)
        .map_err(|it| it.with_changed(format!("client {to} is current, unless the power goes now")))
}

/// Lets the client that is current now write its completions and manual pages. One that
/// cannot is none the worse for that, so nothing comes of a failure.
pub(super) fn refresh_shell_files(installation: &Installation) {
    let ran = Command::new(installation.link())
        .args(["--quiet", "--prefix"])
        .arg(&installation.prefix)
        .args(["completions", "--install"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tracing::debug!("completions and manual pages: {ran:?}");
}

/// Removes every version but these. What cannot be removed only takes room.
pub(super) fn prune(installation: &Installation, keep: [&Version; 2]) {
    for version in installation.versions() {
        if !keep.contains(&&version) {
            let _ = fs::remove_file(installation.note_file(&version));
            let _ = remove_tree(&installation.version_folder(&version));
        }
    }
}

/// Removes a tree of ours, folders without a write bit included; a link is only unlinked.
pub(super) fn remove_tree(path: &Path) -> std::io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return fs::remove_file(path);
    }
    make_removable(path)?;
    fs::remove_dir_all(path)
}

fn make_removable(folder: &Path) -> std::io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_removable(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes what processes that are gone left unfinished.
fn sweep(installation: &Installation) {
    let bin = installation.prefix.join("bin");
    for (folder, prefix) in [(installation.clients(), STAGING), (bin, UNFINISHED_LINK)] {
        for path in leftovers(&folder, prefix) {
            let _ = remove_tree(&path);
        }
    }
}

fn leftovers(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|it| {
            let name = it.file_name();
            let pid = name.to_str().and_then(|it| it.strip_prefix(prefix));
            pid.and_then(|it| it.parse().ok())
                .is_some_and(|pid: i32| !is_running(pid))
        })
        .map(|it| it.path())
        .collect()
}

fn is_running(pid: i32) -> bool {
    if u32::try_from(pid) == Ok(std::process::id()) {
        // We hold the lock and have begun nothing: an earlier process had our number.
        return false;
    }
    let Some(pid) = rustix::process::Pid::from_raw(pid) else {
        return false;
    };
    match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(problem) => problem != rustix::io::Errno::SRCH,
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let digest = |path: &Path| fs::read(path).map(|it| Digest::of(&it));
    matches!((digest(one), digest(other)), (Ok(one), Ok(other)) if one == other)
}

fn cannot_write(path: &Path, problem: &std::io::Error) -> Failure {
    let failure = Failure::io("write", path, problem);
    if problem.kind() == std::io::ErrorKind::PermissionDenied {
        return failure.with_hint("run it as the owner of the prefix; nothing was changed");
    }
    failure.with_hint("the client stays as it is")
}
