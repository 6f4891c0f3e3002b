//! The shell scripts as `ShellCheck` and `shfmt` see them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use provisioning_installers::scripts::{Script, ScriptContext, render};

use super::registry::{Answer, Registry};
use super::tools::tool;

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(shellcheck) = tool("shellcheck") else {
        return;
    };
    for text in scripts() {
        for dialect in ["sh", "dash"] {
            let arguments = ["-s", dialect, "-"];
            assert_eq!(said(&shellcheck, &arguments, &text), "", "{dialect}");
        }
    }
}

#[test]
fn shfmt_would_change_nothing() {
    let Some(shfmt) = tool("shfmt") else {
        return;
    };
    for text in scripts() {
        let arguments = ["-ln", "posix", "-i", "4", "-d"];
        assert_eq!(said(&shfmt, &arguments, &format!("{text}\n")), "");
    }
}

/// Both scripts, with and without a client.
fn scripts() -> Vec<String> {
    let full = ScriptContext {
        registry_name: "example".to_owned(),
        ..Registry::start(Answer::Whole).context
    };
    let bare = ScriptContext {
        client: None,
        ..full.clone()
    };
    [Script::InstallSh, Script::CoreSh]
        .into_iter()
        .flat_map(|script| [render(script, &full), render(script, &bare)])
        .collect()
}

fn said(linter: &Path, arguments: &[&str], text: &str) -> String {
    let mut child = Command::new(linter)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    said
}
