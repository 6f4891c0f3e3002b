//! What install.sh does when all goes well.

use std::fs;

use provisioning_installers::scripts::Script;

use super::machine::{Machine, finish};
use super::registry::{Answer, Registry};
use super::tools::{self, sh, shells};

#[test]
fn every_shell_installs_the_client_and_the_bundle() {
    let registry = Registry::start(Answer::Whole);
    for shell in shells() {
        let machine = Machine::new();
        let run = machine.run(&shell, &registry, &["--no-modify-path"]);
        assert_eq!(run.code, Some(0), "{shell:?}: {run:?}");
        assert_eq!(run.stderr, "", "{shell:?}");
        assert_eq!(
            fs::read_link(machine.program()).unwrap().to_str().unwrap(),
            "../lib/provisioning/client/0.1.0/provisioning",
        );
        let prefix = machine.prefix.display();
        let url = &registry.context.base_url;
        let fingerprint = format!("sha256:{}", registry.context.root_fingerprint.hex());
        let global = format!("--registry {url} --root-fingerprint {fingerprint} --prefix {prefix}");
        assert_eq!(
            machine.calls(),
            [
                format!("{global} completions --install"),
                format!("{global} registry add {url}"),
                format!("{global} install stable"),
            ],
            "{shell:?}"
        );
        let staged = fs::read_dir(machine.prefix.join("lib/provisioning/client"));
        assert_eq!(staged.unwrap().count(), 1, "only the version's own folder");
        assert!(run.stdout.contains("to uninstall:"), "{}", run.stdout);
        assert!(run.stdout.contains("to go on:"), "{}", run.stdout);
    }
}

#[test]
fn a_prefix_with_blanks_and_quotes_is_installed_into() {
    let registry = Registry::start(Answer::Whole);
    for shell in shells() {
        let machine = Machine::with_prefix("a b/it's $HOME/*");
        let run = machine.run(&shell, &registry, &["--modify-path"]);
        assert_eq!(run.code, Some(0), "{shell:?}: {run:?}");
        assert!(machine.program().exists());
        let path = machine
            .command(&sh())
            .args(["-c", ". \"$HOME/.profile\" && command -v provisioning"])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&path.stdout).trim_end(),
            machine.program().to_str().unwrap(),
            "{shell:?}"
        );
    }
}

#[test]
fn a_second_run_changes_nothing_and_succeeds() {
    let registry = Registry::start(Answer::Whole);
    for shell in shells() {
        let machine = Machine::new();
        assert_eq!(machine.run(&shell, &registry, &["-y"]).code, Some(0));
        let before = machine.everything();
        let profile = fs::read_to_string(machine.home.join(".profile")).unwrap();
        let run = machine.run(&shell, &registry, &["-y"]);
        assert_eq!(run.code, Some(0), "{shell:?}: {run:?}");
        assert_eq!(machine.everything(), before, "{shell:?}");
        let again = fs::read_to_string(machine.home.join(".profile")).unwrap();
        assert_eq!(again, profile, "{shell:?}");
    }
}

#[test]
fn a_program_in_bin_gets_the_name_that_the_link_leads_to() {
    let registry = Registry::with_program_in_bin();
    let machine = Machine::new();
    let run = machine.run(&sh(), &registry, &["--no-modify-path"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let client = machine.prefix.join("lib/provisioning/client/0.1.0");
    assert!(client.join("provisioning").exists());
    assert!(machine.program().exists());
}

#[test]
fn the_profile_is_edited_only_with_consent() {
    let registry = Registry::start(Answer::Whole);
    for refusal in [&[][..], &["--no-modify-path"], &["-q"]] {
        let machine = Machine::new();
        let run = machine.run(&sh(), &registry, refusal);
        assert_eq!(run.code, Some(0), "{run:?}");
        let home: Vec<_> = fs::read_dir(&machine.home).unwrap().collect();
        assert!(home.is_empty(), "{refusal:?}: {home:?}");
    }
    let machine = Machine::new();
    let run = machine.run(&sh(), &registry, &["--modify-path"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(machine.home.join(".profile").exists());
}

#[test]
fn each_shell_has_its_own_profile_edited() {
    let registry = Registry::start(Answer::Whole);
    for (shell, profiles) in [
        ("/bin/bash", &[".profile", ".bashrc"][..]),
        ("/bin/zsh", &[".zshrc"]),
        ("/usr/bin/fish", &[".config/fish/conf.d/provisioning.fish"]),
        ("/bin/dash", &[".profile"]),
    ] {
        let machine = Machine::new();
        let run = machine
            .command(&sh())
            .arg("-c")
            .arg(registry.script(Script::InstallSh))
            .env("PROVISIONING_MODIFY_PATH", "1")
            .env("SHELL", shell)
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        for profile in profiles {
            assert!(machine.home.join(profile).exists(), "{shell}: {profile}");
        }
    }
}

#[test]
fn variables_choose_what_flags_choose() {
    let registry = Registry::start(Answer::Whole);
    let machine = Machine::new();
    let chosen = machine.folder("elsewhere");
    let run = machine
        .command(&sh())
        .arg("-c")
        .arg(registry.script(Script::InstallSh))
        .env("PROVISIONING_PREFIX", &chosen)
        .env("PROVISIONING_BUNDLE", "lts-3.1")
        .env("PROVISIONING_QUIET", "1")
        .env("PROVISIONING_NO_MODIFY_PATH", "1")
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(String::from_utf8_lossy(&run.stdout), "");
    assert!(chosen.join("bin/provisioning").exists());
    let last = machine.calls().pop().unwrap();
    assert!(last.starts_with("--registry "), "{last}");
    assert!(last.ends_with("--quiet install lts-3.1"), "{last}");
}

#[test]
fn the_core_script_installs_the_core_alone() {
    let registry = Registry::start(Answer::Whole);
    for (arguments, spec) in [
        (&[][..], "install core"),
        (&["--version", "3.1.0"], "install core@3.1.0"),
    ] {
        let machine = Machine::new();
        let script = registry.script(Script::CoreSh);
        let run = finish(machine.pipe(&sh(), &script, arguments));
        assert_eq!(run.code, Some(0), "{run:?}");
        let last = machine.calls().pop().unwrap();
        assert!(last.ends_with(spec), "{last}");
    }
}

#[test]
fn the_client_alone_is_installed_when_asked() {
    let registry = Registry::start(Answer::Whole);
    let machine = Machine::new();
    let run = machine.run(&sh(), &registry, &["--client-only"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(machine.program().exists());
    assert!(!machine.calls().iter().any(|it| it.contains(" install ")));
}

#[test]
fn a_dry_run_fetches_and_writes_nothing() {
    let registry = Registry::start(Answer::Whole);
    let machine = Machine::new();
    let before = machine.everything();
    let run = machine.run(&sh(), &registry, &["--dry-run"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("Nothing was changed"), "{run:?}");
    assert_eq!(machine.everything(), before);
    assert!(registry.requests.lock().unwrap().is_empty());
}

#[test]
fn uninstalling_leaves_nothing_but_what_others_put_there() {
    let registry = Registry::start(Answer::Whole);
    for shell in shells() {
        let machine = Machine::new();
        let profile = machine.home.join(".profile");
        fs::write(&profile, "# mine\n").unwrap();
        let before = machine.everything();
        assert_eq!(machine.run(&shell, &registry, &["-y"]).code, Some(0));
        let foreign = machine.prefix.join("bin/theirs");
        fs::write(&foreign, "").unwrap();
        let ours = shell_files(&machine);
        let run = machine.run(&shell, &registry, &["--uninstall"]);
        assert_eq!(run.code, Some(0), "{shell:?}: {run:?}");
        assert!(foreign.exists(), "{shell:?}");
        for link in ours {
            assert!(link.symlink_metadata().is_err(), "{shell:?}: {link:?}");
        }
        let share = machine.prefix.join("share");
        assert!(!share.exists(), "{shell:?}: empty folders go too");
        fs::remove_dir_all(machine.folder("opt")).unwrap();
        assert_eq!(machine.everything(), before, "{shell:?}");
        let left = fs::read_to_string(&profile).unwrap();
        assert_eq!(left.trim_end(), "# mine", "{shell:?}");
    }
}

/// The links that `completions --install` of the real client makes.
fn shell_files(machine: &Machine) -> Vec<std::path::PathBuf> {
    let share = machine.prefix.join("share");
    let files = [
        "bash-completion/completions/provisioning",
        "zsh/site-functions/_provisioning",
        "fish/vendor_completions.d/provisioning.fish",
        "nushell/vendor/autoload/provisioning.nu",
        "powershell/provisioning.ps1",
        "man/man1/provisioning.1",
        "man/man1/provisioning-install.1",
    ];
    files
        .into_iter()
        .map(|path| {
            let link = share.join(path);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            let up = "../".repeat(path.matches('/').count() + 1);
            let target = format!("{up}lib/provisioning/shell/{path}");
            std::os::unix::fs::symlink(target, &link).unwrap();
            link
        })
        .collect()
}

#[test]
fn a_machine_with_busybox_alone_is_enough() {
    let Some(busybox) = tools::tool("busybox") else {
        return;
    };
    let registry = Registry::start(Answer::Whole);
    let mut machine = Machine::new();
    let applets = machine.folder("applets");
    let made = std::process::Command::new(busybox)
        .args(["--install", "-s"])
        .arg(&applets)
        .status()
        .unwrap();
    assert!(made.success());
    machine.only_programs_of(&applets);
    for shell in shells() {
        let run = machine.run(&shell, &registry, &["--no-modify-path"]);
        assert_eq!(run.code, Some(0), "{shell:?}: {run:?}");
        assert!(machine.program().exists());
        fs::remove_dir_all(&machine.prefix).unwrap();
    }
}
