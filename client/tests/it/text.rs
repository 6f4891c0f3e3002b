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
fn the_short_help_names_every_command_with_its_purpose() {
    let text = Client::alone().ok(&["-h"]);
    let commands = text.split_once("Commands:\n").unwrap().1;
    let commands = commands.split_once("\n\n").unwrap().0;
    insta::assert_snapshot!(commands, @r#"
    install      Install packages, or follow a bundle or channel
    uninstall    Take packages away
    upgrade      Move to newer versions
    rollback     Go back to an older generation
    list         List what is installed
    history      List the generations
    resolve      Show which versions an install would choose
    outdated     Show what is newer than what is installed, and what holds it back
    pin          Tie packages to versions, whatever `upgrade` would do
    unpin        Let pinned packages move again
    why          Show why a package is installed: every path to it
    tree         Show what is installed as a tree: what was asked for, and what that needs
    lock         Resolve what the workspace requires into `provisioning.lock`
    sync         Install exactly what the workspace's lockfile says
    verify       Check that everything is as it was installed
    gc           Remove old generations and what only they needed
    adopt        Take over what was unpacked by hand
    doctor       Look for what is wrong, and say how to mend it
    extension    Start, install, list and find extensions
    workspace    Make workspaces from templates, and update them
    core         Hand words to the installed core
    info         Show what the registry says about a package or bundle
    search       Find packages by name, description or keyword
    package      Make and read archives
    publish      Publish archives, all or none
    source       One repository, many packages: check, build and sync them
    yank         Hide a version from new solutions
    unyank       Let a yanked version be chosen again
    deprecate    Say that a package should not be used any more
    owner        Say who has which role in a package, and which CI may publish it
    compat       Ask, check, push and show the compatibility matrix
    update       Move bundles from testing to stable together
    release      Plan and run releases, write their notes and pipelines
    bundle       Create, test, publish, promote and compare bundles
    trust        Show what is believed of the registry, and sign for it
    registry     Remember, list and forget registries
    login        Store a token for the registry
    logout       Forget the token for the registry
    token        Make, list and end your tokens
    link         Put a working copy in the place of a package, to try it before it is published
    unlink       Take linked working copies away; what is installed below comes back
    config       Show settings, and where each comes from
    cache        Show where downloads are kept and how many, and remove some
    export       Write bundles and packages, with everything that they need, into one file
    import       Take over what `export` wrote, without a network
    mirror       Copy the registry, or what some bundles need, into a folder
    completions  Print a completion script for a shell, or install all of them with the manual pages
    man          Print the manual page, or write a page for every command into a folder
    self         Update this client, or remove it
    help         Print this message or the help of the given subcommand(s)
    "#);
}

#[test]
fn the_help_of_publish_explains_and_gives_examples() {
    let text = Client::alone().ok(&["publish", "--help"]);
    let own = text.split_once("Global options:").unwrap().0;
    insta::assert_snapshot!(own, @r#"
    Publish archives, all or none

    Several archives become visible together, or none does. Killed or cut off at any instant, the same
    command run again finishes the work. The same bytes published twice succeed; other bytes under a
    version that exists are refused.

    Usage: provisioning publish [OPTIONS] <FILE>...
           provisioning publish <COMMAND>

    Commands:
      status   Show where a publish session stands, why, and what can be done next
      abandon  Give up a publish that is not visible yet
      help     Print this message or the help of the given subcommand(s)

    Arguments:
      <FILE>...
              The archives, as `package build` makes them

    Options:
          --targets <TARGETS>
              Every target that the versions will have, when some archives come from other machines: the
              versions become visible once all have arrived

          --no-wait
              Return once everything is sent, without waiting until it is visible

          --wait
              Wait for other machines, a review and signatures too, until it is visible or refused

          --trusted-publishing <WHEN>
              Whether a CI job proves who it is instead of sending a stored token

              Possible values:
              - auto:   Where no token is there and the job offers one
              - always: Whatever token is there
              - never:  Not at all
              
              [env: PROVISIONING_TRUSTED_PUBLISHING=]
              [default: auto]

          --key <FILE>
              Key file to sign with; may be given several times [default: the key itself in
              `PROVISIONING_SIGNING_KEY`]

          --passphrase-file <FILE>
              File whose first line is the passphrase of the key files [default:
              `PROVISIONING_KEY_PASSPHRASE`, else it is asked for]

      -h, --help
              Print help (see a summary with '-h')
    "#);
    assert!(text.contains("Examples:\n  provisioning publish"), "{text}");
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
    error: `example.org` is no value for `registry`: expected an address such as `https://example.org`
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
