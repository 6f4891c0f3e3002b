//! Two people change a workspace's lockfile on two branches, and real git merges them.

use std::fs;
use std::process::Command;

use crate::foreign_registry::ForeignRegistry;
use crate::registry_fixture::Client;

const PACKAGES: [&str; 5] = ["alpha", "delta", "kilo", "papa", "tango"];

/// A workspace in a git repository, locked to the first version of everything.
struct Team {
    _registry: ForeignRegistry,
    client: Client,
}

impl Team {
    fn of(requires: &str) -> Self {
        let mut registry = ForeignRegistry::new();
        for name in PACKAGES {
            registry.extension(name, &[("1.0.0", &[]), ("1.1.0", &[]), ("1.2.0", &[])]);
        }
        let client = registry.signed();
        let team = Self {
            _registry: registry,
            client,
        };
        fs::create_dir_all(team.client.home().join("ws")).unwrap();
        team.git(&["init", "-q", "-b", "main"]);
        team.require(requires);
        team.commit("first");
        team
    }

    fn git(&self, arguments: &[&str]) -> (bool, String) {
        let ran = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(self.client.home().join("ws"))
            .env("HOME", self.client.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        (
            ran.status.success(),
            String::from_utf8_lossy(&ran.stdout).into_owned(),
        )
    }

    fn require(&self, requires: &str) {
        let text = format!("[workspace]\nname = \"w\"\n\n[requires]\n{requires}");
        self.client.write("ws/provisioning.toml", &text);
        self.run(&["lock"]);
    }

    fn run(&self, arguments: &[&str]) {
        let (status, told) = self.status(arguments);
        assert_eq!(status, 0, "{arguments:?}: {told}");
    }

    fn status(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.client.command(arguments);
        command.env_remove("PROVISIONING_PREFIX");
        let folder = self.client.home().join("ws");
        let ran = command.current_dir(folder).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        (ran.status.code().unwrap(), told)
    }

    fn commit(&self, message: &str) {
        assert!(self.git(&["add", "-A"]).0);
        assert!(self.git(&["commit", "-q", "-m", message]).0);
    }

    /// What `change` makes of the workspace, on a branch of its own.
    fn branch(&self, name: &str, change: impl FnOnce(&Self)) {
        assert!(self.git(&["checkout", "-q", "-b", name, "main"]).0);
        change(self);
        self.commit(name);
    }

    fn lockfile(&self) -> String {
        fs::read_to_string(self.client.home().join("ws/provisioning.lock")).unwrap()
    }

    /// How many lines of the lockfile each side of the merge's conflicts has.
    fn conflict_lines(&self) -> usize {
        let text = self.lockfile();
        let mut is_inside = false;
        let mut count = 0;
        for line in text.lines() {
            match line.get(..7) {
                Some("<<<<<<<") => is_inside = true,
                Some(">>>>>>>") => is_inside = false,
                Some("=======") => {}
                _ if is_inside && !line.is_empty() => count += 1,
                _ => {}
            }
        }
        count
    }
}

/// Everything at its first version, written as a spec.
fn all(spec: &str) -> String {
    PACKAGES.map(|it| format!("{it} = \"{spec}\"\n")).concat()
}

#[test]
fn upgrades_of_two_packages_merge_without_a_conflict() {
    let team = Team::of(&all("1.0.0"));
    let changed = |name: &str| {
        all("1.0.0").replace(
            &format!("{name} = \"1.0.0\""),
            &format!("{name} = \"1.1.0\""),
        )
    };
    team.branch("one", |it| it.require(&changed("delta")));
    team.branch("other", |it| it.require(&changed("kilo")));
    let lock = team.lockfile();
    assert!(lock.contains("kilo = { version = \"1.1.0\""), "{lock}");
    assert!(lock.contains("delta = { version = \"1.0.0\""), "{lock}");
    // The lockfile alone: what people write in `provisioning.toml` is theirs.
    assert!(team.git(&["checkout", "-q", "one"]).0);
    let _ = team.git(&["merge", "-q", "--no-commit", "other"]);
    assert_eq!(team.conflict_lines(), 0, "{}", team.lockfile());
    let merged = team.lockfile();
    for name in ["delta", "kilo"] {
        assert!(
            merged.contains(&format!("{name} = {{ version = \"1.1.0\"")),
            "{merged}"
        );
    }
}

#[test]
fn packages_added_at_different_places_merge_without_a_conflict_and_sync_frozen() {
    let team = Team::of("delta = \"1.0.0\"\n\nkilo = \"1.0.0\"\n\npapa = \"1.0.0\"\n");
    team.branch("one", |it| {
        it.require(
            "alpha = \"1.0.0\"\n\ndelta = \"1.0.0\"\n\nkilo = \"1.0.0\"\n\npapa = \"1.0.0\"\n",
        );
    });
    team.branch("other", |it| {
        it.require(
            "delta = \"1.0.0\"\n\nkilo = \"1.0.0\"\n\npapa = \"1.0.0\"\n\ntango = \"1.0.0\"\n",
        );
    });
    assert!(team.git(&["checkout", "-q", "one"]).0);
    let (is_merged, told) = team.git(&["merge", "-q", "--no-edit", "other"]);
    assert!(is_merged, "{told}\n{}", team.lockfile());
    let before = team.lockfile();
    team.run(&["lock"]);
    assert_eq!(
        team.lockfile(),
        before,
        "the merge is what locking would write"
    );
}

#[test]
fn two_upgrades_of_one_package_conflict_on_its_line_alone_and_are_refused_by_it() {
    let team = Team::of(&all("^1"));
    let downgraded = all("^1").replace("kilo = \"^1\"", "kilo = \"1.0.0\"");
    team.require(&downgraded);
    team.commit("kilo is old");
    assert!(team.git(&["branch", "-q", "-f", "base"]).0);
    for (branch, version) in [("one", "1.1.0"), ("other", "1.2.0")] {
        assert!(team.git(&["checkout", "-q", "-b", branch, "base"]).0);
        team.require(&all("^1").replace("kilo = \"^1\"", &format!("kilo = \"{version}\"")));
        team.commit(branch);
    }
    assert!(team.git(&["checkout", "-q", "one"]).0);
    assert!(!team.git(&["merge", "-q", "--no-edit", "other"]).0);
    // Its requirement and its version, on each side.
    assert_eq!(team.conflict_lines(), 4, "{}", team.lockfile());
    team.client.write(
        "ws/provisioning.toml",
        &format!("[workspace]\nname = \"w\"\n\n[requires]\n{}", all("^1")),
    );
    let (status, told) = team.status(&["sync", "--frozen"]);
    assert_eq!(status, 1, "{told}");
    assert!(told.contains("conflict marker"), "{told}");
}

#[test]
fn upgrading_one_package_changes_its_line_alone() {
    let team = Team::of(&all("1.0.0"));
    let loose = all("^1");
    team.client.write(
        "ws/provisioning.toml",
        &format!("[workspace]\nname = \"w\"\n\n[requires]\n{loose}"),
    );
    team.run(&["lock"]);
    team.commit("loose");
    let before = team.lockfile();
    for name in PACKAGES {
        assert!(
            before.contains(&format!("{name} = {{ version = \"1.0.0\"")),
            "{before}"
        );
    }
    // The archives cannot be fetched from this folder: the lockfile moves, the prefix does not.
    let (status, told) = team.status(&["upgrade", "kilo"]);
    assert_eq!(status, 4, "{told}");
    assert!(
        told.contains("the archive of `kilo 1.2.0`") || told.contains("archive of"),
        "{told}"
    );
    let after = team.lockfile();
    let changed = |one: &str, other: &str| -> Vec<String> {
        let lines = one
            .lines()
            .filter(|it| !other.lines().any(|line| line == *it));
        lines.map(str::to_owned).collect()
    };
    let (gone, new) = (changed(&before, &after), changed(&after, &before));
    assert_eq!((gone.len(), new.len()), (1, 1), "{gone:?} {new:?}");
    assert!(
        gone[0].starts_with("kilo = { version = \"1.0.0\""),
        "{gone:?}"
    );
    assert!(
        new[0].starts_with("kilo = { version = \"1.2.0\""),
        "{new:?}"
    );
    assert_eq!(team.status(&["upgrade", "nobody"]).0, 1);
    assert_eq!(team.lockfile(), after);
}
