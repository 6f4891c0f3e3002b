//! A dry run asks the system for nothing that writes, as `strace` sees it.

use std::path::Path;
use std::process::Command;

use crate::registry_fixture::{Client, Registry, Sample};

/// Calls that change a disk whatever their arguments say.
const WRITING: &str = "creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,\
    symlink,symlinkat,link,linkat,truncate,ftruncate,chmod,fchmod,fchmodat,mknod,mknodat";

#[test]
fn a_dry_run_makes_no_call_that_writes_to_a_disk() {
    if Command::new("strace").arg("-V").output().is_err() {
        crate::crash_world::skip("strace is not installed");
        return;
    }
    let registry = Registry::start();
    let publisher = Client::of(&registry);
    publisher.publish(&Sample::first_party("core", "3.1.0"));
    publisher.publish(&Sample::first_party("core", "3.2.0"));
    let never_met = Client::of(&registry);
    assert_eq!(
        writes_of(&never_met, &["install", "core", "--dry-run"]),
        [""; 0]
    );
    let installed = Client::of(&registry);
    installed.ok(&["install", "core@3.1.0"]);
    for words in [
        &["install", "core@3.2.0", "--dry-run"][..],
        &["upgrade", "--dry-run"],
        &["uninstall", "core", "--dry-run"],
        &["gc", "--dry-run"],
    ] {
        assert_eq!(writes_of(&installed, words), [""; 0], "{words:?}");
    }
}

/// The calls of a command that changed a disk or opened a file to change it.
fn writes_of(client: &Client, words: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls");
    let ran = traced(client, words, &log).output().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let calls = std::fs::read_to_string(&log).unwrap();
    let is_write = |line: &&str| {
        let opens = line.contains("openat(") || line.contains(" open(");
        let may_write = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"];
        let changes = !opens || may_write.iter().any(|it| line.contains(it));
        changes && line.contains('(') && !line.contains("\"/dev/")
    };
    calls.lines().filter(is_write).map(str::to_owned).collect()
}

fn traced(client: &Client, words: &[&str], log: &Path) -> Command {
    let plain = client.command(words);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-e", "signal=none", "-e"])
        .arg(format!("trace=open,openat,{WRITING}"))
        .arg("-o")
        .arg(log)
        .arg(plain.get_program())
        .args(plain.get_args())
        .env_clear();
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    if let Some(folder) = plain.get_current_dir() {
        strace.current_dir(folder);
    }
    strace
}
