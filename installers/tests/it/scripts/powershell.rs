//! install.ps1 is parsed, and not run: there is no PowerShell where these tests run.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use provisioning_installers::scripts::{Script, ScriptContext, render};

use super::registry::{Answer, Registry};
use super::tools::{everything_is_required, variable};

/// Prints every node that the grammar could not make sense of.
const PARSE: &str = r"
import sys
import tree_sitter
import tree_sitter_powershell

language = tree_sitter.Language(tree_sitter_powershell.language())
tree = tree_sitter.Parser(language).parse(sys.stdin.buffer.read())
nodes = [tree.root_node]
while nodes:
    node = nodes.pop()
    if node.type == 'ERROR' or node.is_missing:
        print(node.start_point, node.text.decode())
    nodes.extend(node.children)
";

#[test]
fn the_powershell_script_parses_without_an_error() {
    let Some(python) = python() else {
        return;
    };
    for text in scripts() {
        assert_eq!(errors(&python, &text), "");
        let broken = text.replacen("function Install-Provisioning {", "function {{", 1);
        assert_ne!(
            errors(&python, &broken),
            "",
            "a broken script is told from a whole one"
        );
    }
}

#[test]
fn a_cut_powershell_script_is_no_whole_block() {
    let Some(python) = python() else {
        return;
    };
    for text in scripts() {
        assert_ne!(errors(&python, &text[..text.len() - 1]), "");
    }
}

#[test]
fn the_powershell_script_names_wsl_on_windows() {
    let text = Registry::start(Answer::Whole).script(Script::InstallPs1);
    let check = text.find("$IsWindows").unwrap();
    let first_write = text.find("'mkdir'").unwrap();
    assert!(text[check..].contains("Windows Subsystem for Linux (WSL)"));
    assert!(check < first_write);
}

fn scripts() -> [String; 2] {
    let registry = Registry::start(Answer::Whole);
    let bare = ScriptContext {
        client: None,
        ..registry.context.clone()
    };
    [
        registry.script(Script::InstallPs1),
        render(Script::InstallPs1, &bare),
    ]
}

/// A Python that has tree-sitter and its PowerShell grammar.
fn python() -> Option<PathBuf> {
    let python = variable("PROVISIONING_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let able = Command::new(&python)
        .args(["-c", "import tree_sitter, tree_sitter_powershell"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if able {
        return Some(python.into());
    }
    assert!(
        !everything_is_required(),
        "PROVISIONING_TEST_PYTHON names no Python with tree-sitter-powershell"
    );
    eprintln!("SKIPPED: no Python with tree-sitter-powershell");
    None
}

fn errors(python: &PathBuf, text: &str) -> String {
    let mut child = Command::new(python)
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
