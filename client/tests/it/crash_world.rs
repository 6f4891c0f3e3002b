//! What crashes are tried on: a registry, and homes in which a change is about to happen.
//!
//! To try another command: a row in [`CrashWorld::changes`].

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::product::{packages, published};
use crate::registry_fixture::{Client, Registry, Sample, client_program};

/// Files of the package that takes a while, and the bytes of its large one.
const FILES: usize = 60;
const LARGE_BYTES: usize = 2_000_000;

/// How much room a disk in memory must have to be used, in bytes.
const MEMORY_BYTES_MIN: u64 = 1 << 30;

/// A registry with the guide's product and a package that takes a while.
pub(crate) struct CrashWorld {
    registry: Registry,
}

/// A home of a client: prefix, cache and trusted state.
pub(crate) struct Home {
    folder: TempDir,
    registry: String,
}

/// A command that changes something, and the home that it starts from.
pub(crate) struct Change {
    pub(crate) name: &'static str,
    words: Vec<&'static str>,
    pub(crate) before: Home,
    old: State,
    new: State,
}

/// What is to be seen of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    packages: Vec<String>,
    generations: Vec<u64>,
    orchestrator: Option<String>,
    client: Option<String>,
    config: Option<String>,
}

impl CrashWorld {
    /// Publishes everything.
    pub(crate) fn new() -> Self {
        let (registry, _) = published();
        let author = Client::of(&registry);
        author.publish(&large());
        let program = "#!/bin/sh\necho provisioning 7.0.0\n";
        author.publish(&Sample::first_party("client", "7.0.0").file("provisioning", program));
        Self { registry }
    }

    /// A home in which these commands were run.
    pub(crate) fn home(&self, commands: &[&[&str]]) -> Home {
        let home = Home {
            folder: scratch(),
            registry: self.registry.url().to_owned(),
        };
        for words in commands {
            home.ok(words);
        }
        home
    }

    /// The same with the client under test where the bootstrap script puts it.
    fn home_with_client(&self, commands: &[&[&str]]) -> Home {
        let home = self.home(commands);
        let version = env!("CARGO_PKG_VERSION");
        let folder = home.prefix().join("lib/provisioning/client").join(version);
        std::fs::create_dir_all(&folder).unwrap();
        let mut copy = Command::new("cp");
        let program = folder.join("provisioning");
        assert!(copied_well(copy.arg(client_program()).arg(program)), "cp");
        let target = format!("../lib/provisioning/client/{version}/provisioning");
        std::fs::create_dir_all(home.prefix().join("bin")).unwrap();
        symlink(target, home.prefix().join("bin/provisioning")).unwrap();
        home
    }

    /// Every change that is tried.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let lts: &[&str] = &["install", "lts-3.1"];
        let stable: &[&str] = &["install", "stable-3.2"];
        let known: &[&str] = &["resolve", "core"];
        vec![
            Change::new(
                "install",
                &["install", "stable-3.2", "large"],
                self.home(&[known]),
            ),
            Change::new("upgrade", &["upgrade"], {
                let newer: &[&str] = &["install", "core@3", "large"];
                self.home(&[&["install", "core@3.1.0", "platform@2.4.0"], newer])
            }),
            Change::new(
                "install over",
                &["install", "stable-3.2", "large"],
                self.home(&[lts]),
            ),
            Change::new("rollback", &["rollback"], self.home(&[lts, stable])),
            Change::new(
                "uninstall",
                &["uninstall", "redis", "platform"],
                self.home(&[stable]),
            ),
            Change::new(
                "self update",
                &["self", "update"],
                self.home_with_client(&[lts]),
            ),
            Change::new("gc", &["gc", "--keep", "1"], {
                let large: &[&str] = &["install", "large"];
                self.home(&[large, &["uninstall", "large"], lts, stable])
            }),
        ]
    }
}

impl CrashWorld {
    /// The same changes with everything in the cache already, so that nearly every call is
    /// about the prefix.
    pub(crate) fn warm_changes(&self) -> Vec<Change> {
        let changes = self.changes();
        for it in &changes {
            let warm = it.before.copy();
            warm.ok(&it.words);
            let cache = warm.path().join(".cache");
            let mut copy = Command::new("cp");
            let copy = copy.arg("-a").arg(cache).arg(it.before.path());
            assert!(copied_well(copy), "cp -a");
        }
        changes
    }
}

impl Change {
    fn new(name: &'static str, words: &[&'static str], before: Home) -> Self {
        let after = before.copy();
        after.ok(words);
        Self {
            name,
            words: words.to_vec(),
            old: before.state(),
            new: after.state(),
            before,
        }
    }

    /// The command line.
    pub(crate) fn words(&self) -> Vec<&str> {
        self.words.clone()
    }
}

impl Home {
    /// The same once more, elsewhere.
    pub(crate) fn copy(&self) -> Self {
        let folder = scratch();
        let from = self.folder.path().join(".");
        let mut copy = Command::new("cp");
        let copy = copy.arg("-a").arg(from).arg(folder.path());
        assert!(copied_well(copy), "cp -a");
        Self {
            folder,
            registry: self.registry.clone(),
        }
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Its prefix.
    pub(crate) fn prefix(&self) -> PathBuf {
        self.path().join("prefix")
    }

    /// The client, about to run here.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.with(Command::new(self.program(words)), words)
    }

    /// The client that runs a command: the installed one, where it is to replace itself.
    pub(crate) fn program(&self, words: &[&str]) -> PathBuf {
        if words.first() == Some(&"self") {
            return self.prefix().join("bin/provisioning");
        }
        client_program()
    }

    /// A program that runs the client here.
    pub(crate) fn with(&self, mut program: Command, words: &[&str]) -> Command {
        program
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("PROVISIONING_PREFIX", self.prefix())
            .env("PROVISIONING_REGISTRY", &self.registry)
            .stdin(Stdio::null());
        program
    }

    /// Runs the client; it must succeed.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let ended = self.command(words).output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{words:?}: {text}");
        String::from_utf8(ended.stdout).unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(words);
        serde_json::from_str(&self.ok(&all)).unwrap()
    }

    /// What is installed.
    pub(crate) fn packages(&self) -> Vec<String> {
        packages(&self.json(&["list"]))
    }

    /// What is to be seen here.
    fn state(&self) -> State {
        let history = self.json(&["history"]);
        let generations = history["generations"].as_array().unwrap();
        State {
            packages: self.packages(),
            generations: generations
                .iter()
                .map(|it| it["generation"].as_u64().unwrap())
                .collect(),
            orchestrator: self.says("provisioning-orchestrator", &[]),
            client: self.says("provisioning", &["--version"]),
            config: self.read("etc/provisioning/platform/config/orchestrator.toml"),
        }
    }

    /// What a command in `P/bin` says; `None` where there is none.
    fn says(&self, command: &str, words: &[&str]) -> Option<String> {
        let program = self.prefix().join("bin").join(command);
        program.symlink_metadata().ok()?;
        let ended = Command::new(&program).args(words).output();
        let ended = ended.unwrap_or_else(|it| panic!("{}: {it}", program.display()));
        Some(String::from_utf8(ended.stdout).unwrap())
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.prefix().join(path)).ok()
    }

    /// After a crash: the old or the new state is here, whole. Whether it is the new one.
    pub(crate) fn is_whole(&self, change: &Change, label: &str) -> bool {
        // Before any command of ours ran: a command of a package works if both states have it.
        let (old, new) = (&change.old, &change.new);
        for (command, words, old, new) in [
            (
                "provisioning-orchestrator",
                &[][..],
                &old.orchestrator,
                &new.orchestrator,
            ),
            ("provisioning", &["--version"], &old.client, &new.client),
        ] {
            if old.is_some() && new.is_some() {
                let said = self.says(command, words);
                let is_known = said == *old || said == *new;
                assert!(is_known, "{label}: {command} says {said:?}");
            }
        }
        let verified = self.command(&["--json", "verify"]).output().unwrap();
        let text = String::from_utf8_lossy(&verified.stdout);
        assert_eq!(verified.status.code(), Some(0), "{label}: {text}");
        let state = self.state();
        if change.is_collection() {
            // Each generation goes whole, so any number of them may be gone.
            let kept = state.generations.clone();
            let is_between = kept.iter().all(|it| change.old.generations.contains(it))
                && change.new.generations.iter().all(|it| kept.contains(it));
            assert!(is_between, "{label}: {state:?}");
            assert_eq!(state.packages, change.new.packages, "{label}");
            return state == change.new;
        }
        assert!(
            state == change.old || state == change.new,
            "{label}: {state:#?}\nis neither {:#?}\nnor {:#?}",
            change.old,
            change.new
        );
        state == change.new
    }

    /// The next command works, and leaves nothing of the crash, which left the new state or
    /// the old one.
    pub(crate) fn goes_on(&self, change: &Change, is_new: bool, label: &str) {
        let words: &[&str] = if change.is_collection() || !is_new {
            &change.words
        } else {
            &["install", "azure", "core"]
        };
        let ended = self.command(words).output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{label}: then {words:?}: {text}");
        let verified = self.command(&["--json", "verify"]).output().unwrap();
        let text = String::from_utf8_lossy(&verified.stdout);
        assert_eq!(verified.status.code(), Some(0), "{label}: then {text}");
        let left = leftovers(&self.prefix());
        assert!(left.is_empty(), "{label}: {left:?} is left");
        if words == change.words {
            assert_eq!(self.state(), change.new, "{label}");
        }
    }
}

impl Change {
    /// Whether it removes generations and adds none.
    pub(crate) fn is_collection(&self) -> bool {
        self.words.first() == Some(&"gc")
    }
}

/// What the environment asks of a long run.
#[expect(
    clippy::disallowed_methods,
    reason = "a long run of a test is asked for by its environment"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The same, as a number.
pub(crate) fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

/// Says why a test does nothing here; where everything is required, that is a failure.
pub(crate) fn skip(why: &str) {
    let is_required = variable("PROVISIONING_TEST_REQUIRE_ALL").is_some();
    assert!(!is_required, "this must run here: {why}");
    say(&format!("skipped: {why}"));
}

/// Says something to whoever watches the tests run.
#[expect(clippy::print_stdout, reason = "a seed must be seen to be used again")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// A folder in memory where there is room: a sync of the whole disk waits for whatever else
/// the machine writes, and thousands of runs sync thousands of times.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |it| it.f_bavail * it.f_frsize);
    if room > MEMORY_BYTES_MIN
        && let Ok(folder) = TempDir::new_in(memory)
    {
        return folder;
    }
    TempDir::new().unwrap()
}

/// Files of killed runs below the prefix.
fn leftovers(prefix: &Path) -> Vec<String> {
    let found = Command::new("find")
        .arg(prefix)
        .args(["-name", ".tmp-*", "-o", "-name", "pending"])
        .output()
        .unwrap();
    let text = String::from_utf8(found.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn copied_well(command: &mut Command) -> bool {
    command.status().unwrap().success()
}

/// A package that takes a while to fetch and to unpack: many files and a large one that
/// does not compress.
fn large() -> Sample {
    let mut dice = Dice::new(1);
    let noise: String = (0..LARGE_BYTES)
        .map(|_| char::from(b' ' + u8::try_from(dice.below(95)).unwrap()))
        .collect();
    (0..FILES).fold(
        Sample::extension("large", "1.0.0").file("noise", &noise),
        |sample, index| sample.file(&format!("parts/{}/{index}", index % 7), &index.to_string()),
    )
}

/// Numbers that look random and come again with the same seed (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    /// A die that rolls the same every time for one seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`, or 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit.max(1)
    }
}
