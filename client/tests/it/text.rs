//! What the command says: help, usage errors, failures as text and as JSON.

use crate::registry_fixture::Client;

#[test]
fn the_version_is_the_name_and_a_number() {
    let text = Client::alone().ok(&["--version"]);
    assert_eq!(
        text,
        concat!("provisioning ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn the_short_help_names_every_command_once_with_its_purpose() {
    let text = Client::alone().ok(&["-h"]);
    let commands = text.split_once("Commands:\n").unwrap().1;
    let commands = commands.split_once("\n\n").unwrap().0;
    for command in [
        "package", "publish", "yank", "compat", "bundle", "registry", "login",
    ] {
        let mut lines = commands
            .lines()
            .filter(|it| it.split_whitespace().next() == Some(command));
        let words = lines.next().map_or(0, |it| it.split_whitespace().count());
        assert!(words > 3, "{command}: {text}");
        assert_eq!(lines.next(), None, "{command}: {text}");
    }
}

#[test]
fn no_command_at_all_shows_the_help_and_is_a_usage_error() {
    let ran = Client::alone().run(&[]);
    assert_eq!(ran.status(), 2);
    assert!(
        ran.stderr().contains("Usage: provisioning"),
        "{}",
        ran.stderr()
    );
}

#[test]
fn without_a_registry_the_failure_says_how_to_set_one() {
    let ran = Client::alone().run(&["info", "core"]);
    assert_eq!(ran.status(), 2);
    insta::assert_snapshot!(ran.stderr(), @r"
    error: no registry is set
    help: `provisioning registry add URL` remembers one
    help: `--registry URL` or `PROVISIONING_REGISTRY=URL` names one for one run
    ");
}

#[test]
fn a_wrong_flag_is_a_usage_error_in_json_too() {
    let error = Client::alone().error(2, &["info", "--no-such-flag"]);
    assert_eq!(error["code"], "usage");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--no-such-flag")
    );
}

#[test]
fn a_registry_that_does_not_answer_is_exit_status_five() {
    let client = Client::alone().with("PROVISIONING_REGISTRY", "http://127.0.0.1:9");
    let error = client.error(5, &["info", "core"]);
    assert_eq!(error["code"], "registry-unreachable");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("http://127.0.0.1:9/")
    );
    assert!(!error["causes"].as_array().unwrap().is_empty());
}

#[test]
fn an_address_without_a_scheme_is_refused_with_its_origin() {
    let ran = Client::alone().run(&["--registry", "example.org", "info", "core"]);
    assert_eq!(ran.status(), 2);
    insta::assert_snapshot!(ran.stderr(), @r"
    error: `example.org` does not do as `registry`: expected an address such as `https://example.org`
      caused by: it comes from flag `--registry`
    ");
}

#[test]
fn a_reader_that_leaves_early_is_no_panic() {
    for arguments in [&["man"] as &[&str], &["completions", "bash"], &["--help"]] {
        let mut child = Client::alone()
            .command(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 141)),
            "{arguments:?}: {output:?}"
        );
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn completions_exist_for_every_shell_that_is_named() {
    for shell in ["bash", "elvish", "fish", "nushell", "powershell", "zsh"] {
        let script = Client::alone().ok(&["completions", shell]);
        assert!(script.contains("publish"), "{shell}");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let client = Client::alone();
    client.ok(&["man", "--to", "pages"]);
    for page in [
        "provisioning.1",
        "provisioning-publish.1",
        "provisioning-package-build.1",
    ] {
        assert!(client.home().join("pages").join(page).is_file(), "{page}");
    }
}
