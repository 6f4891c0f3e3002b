//! `--json`: every command's document and every error is what `docs/schemas` says.
//!
//! The published schemas let further fields in, since a newer client may have them. Here
//! they are closed, so that a field that nobody described is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use validator::Validator;

use crate::product::published;
use crate::registry_fixture::{Client, Ran, Registry, Sample};

mod validator;

/// The schemas, and which command prints what.
struct Published {
    folder: PathBuf,
    commands: BTreeMap<String, Option<String>>,
}

impl Published {
    fn read() -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
        let text = std::fs::read_to_string(folder.join("commands.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let commands = serde_json::from_value(document["commands"].clone()).unwrap();
        Self { folder, commands }
    }

    /// The command that a command line runs: its longest words that are one.
    fn command(&self, arguments: &[&str]) -> String {
        let known = |count: usize| {
            let words = arguments[..count].join(" ");
            self.commands.contains_key(&words).then_some(words)
        };
        (1..=arguments.len().min(3))
            .rev()
            .find_map(known)
            .unwrap_or_else(|| panic!("no schema for {arguments:?}"))
    }

    fn check(&self, name: &str, document: &Value, what: &str) {
        let path = self.folder.join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        let errors = Validator::new(schema).errors(document);
        assert!(
            errors.is_empty(),
            "{what} is not what docs/schemas/{name}.json says:\n{}\n{document:#}",
            errors.join("\n")
        );
    }
}

/// Checks the document that a command line printed; every test that reads one does.
pub(crate) fn check_document(arguments: &[&str], document: &Value) {
    let schemas = Published::read();
    // Global flags and their values may stand before the command.
    let found = (0..arguments.len()).find_map(|place| {
        let rest = &arguments[place..];
        let counts = [3, 2, 1].map(|count| rest.len().min(count));
        let words = counts.map(|count| rest[..count].join(" "));
        let mut words = words.into_iter();
        words.find(|it| schemas.commands.contains_key(it))
    });
    let command = found.unwrap_or_else(|| panic!("no schema for {arguments:?}"));
    if let Some(schema) = &schemas.commands[&command] {
        schemas.check(schema, document, &arguments.join(" "));
    }
}

/// Checks a whole failure.
pub(crate) fn check_error(arguments: &[&str], document: &Value) {
    Published::read().check("error", document, &arguments.join(" "));
}

/// The error that a run printed on stderr, behind warnings.
fn error(ran: &Ran, arguments: &[&str]) -> Value {
    let text = ran.stderr();
    let start = text
        .find("{\n")
        .unwrap_or_else(|| panic!("{arguments:?}: {text}"));
    serde_json::from_str(&text[start..]).unwrap_or_else(|it| panic!("{arguments:?}: {it}: {text}"))
}

/// The commands below `words`, as the help names them.
fn leaves(client: &Client, words: &[&str], found: &mut BTreeSet<String>) {
    let help = client.ok(&[words, &["--help"]].concat());
    let listed = help.split_once("\nCommands:\n").map(|it| it.1);
    let names: Vec<&str> = listed
        .into_iter()
        .flat_map(|it| it.lines().take_while(|it| !it.is_empty()))
        .filter(|it| it.starts_with("  ") && !it.starts_with("   "))
        .filter_map(|it| it.split_whitespace().next())
        .filter(|it| *it != "help")
        .collect();
    let takes_arguments = help.contains("\nArguments:\n");
    if !words.is_empty() && (names.is_empty() || takes_arguments) {
        found.insert(words.join(" "));
    }
    for name in names {
        leaves(client, &[words, &[name]].concat(), found);
    }
}

#[test]
fn every_command_names_the_schema_of_its_document() {
    let published = Published::read();
    let mut found = BTreeSet::new();
    leaves(&Client::alone(), &[], &mut found);
    let nameless: Vec<_> = found
        .iter()
        .filter(|it| !published.commands.contains_key(*it))
        .collect();
    assert!(
        nameless.is_empty(),
        "name the schema of {nameless:?} in docs/schemas/commands.json, and run it in this file"
    );
    for schema in published.commands.values().flatten() {
        let path = published.folder.join(format!("{schema}.json"));
        assert!(path.is_file(), "{}", path.display());
    }
}

#[test]
fn every_failing_command_prints_the_error_document() {
    let published = Published::read();
    let client = Client::alone().with("PROVISIONING_REGISTRY", "http://127.0.0.1:9");
    let mut commands = BTreeSet::new();
    leaves(&client, &[], &mut commands);
    for command in commands.iter().filter(|it| *it != "core") {
        let mut arguments: Vec<&str> = vec!["--json"];
        arguments.extend(command.split(' '));
        arguments.push("--no-such-flag");
        let ran = client.run(&arguments);
        assert_eq!(ran.status(), 2, "{arguments:?}");
        assert!(ran.stdout().is_empty(), "{arguments:?}");
        published.check("error", &error(&ran, &arguments), command);
    }
    for (status, arguments) in [
        (5, &["install", "core"] as &[&str]),
        (5, &["info", "core"]),
        (5, &["search", "x"]),
        (1, &["upgrade"]),
        (1, &["uninstall", "core"]),
        (1, &["rollback"]),
        (1, &["pin", "core"]),
        (1, &["unpin", "core"]),
        (2, &["config", "get", "colour"]),
        (2, &["config", "set", "color", "mauve"]),
        (2, &["install", "core@x.y"]),
        (2, &["nonsense"]),
        (1, &["package", "inspect", "no-such-file"]),
        (1, &["package", "build", "no-such-folder"]),
    ] {
        let all = [&["--json"], arguments].concat();
        let ran = client.run(&all);
        assert_eq!(ran.status(), status, "{arguments:?}: {}", ran.stderr());
        published.check("error", &error(&ran, arguments), &arguments.join(" "));
    }
}

#[test]
fn a_refusal_of_the_solver_is_described_too() {
    let (_registry, client) = published();
    let schemas = Published::read();
    let arguments = ["--json", "install", "core@3.1.0", "platform@2.5.3"];
    let ran = client.run(&arguments);
    assert_eq!(ran.status(), 3);
    let document = error(&ran, &arguments);
    schemas.check("error", &document, "install");
    assert!(!document["error"]["explanation"].is_null());
}

/// What somebody types who installs: every line succeeds.
const OF_AN_OPERATOR: &[&[&str]] = &[
    &["install", "stable-3.2", "--dry-run"],
    &["install", "lts-3.1"],
    &["install", "stable-3.2"],
    &["install", "stable-3.2"],
    &["rollback"],
    &["rollback", "2"],
    &["extension", "uninstall", "redis"],
    &["extension", "install", "redis"],
    &["extension", "list"],
    &["extension", "search", "redis"],
    &["pin", "redis"],
    &["list"],
    &["outdated", "--all"],
    &["upgrade"],
    &["unpin", "redis"],
    &["uninstall", "azure"],
    &["history"],
    &["resolve", "stable-3.2"],
    &["why", "core"],
    &["tree"],
    &["verify"],
    &["verify", "--repair"],
    &["gc", "--keep", "2"],
    &["adopt", "core@3.2.1", "--dry-run", "--prefix", "by-hand"],
    &["info", "core"],
    &["info", "stable-3.2"],
    &["search", "redis"],
    &["workspace", "create", "here", "--template", "minimal"],
    &["workspace", "init", "there"],
    &["workspace", "templates"],
    &["extension", "new", "fresh", "--type", "taskserv"],
    &["link", "fresh"],
    &["unlink", "fresh"],
    &["compat", "show"],
    &["compat", "check", "core@3.2.1", "platform"],
    &["compat", "what-if", "core@3.2.0"],
    &["bundle", "list"],
    &["bundle", "show", "stable"],
    &["trust", "show"],
    &["config", "show"],
    &["config", "get", "prefix"],
    &["config", "set", "color", "never"],
    &["config", "unset", "color"],
    &["cache", "dir"],
    &["cache", "size"],
    &["cache", "prune", "--dry-run"],
    &["export", "stable-3.2", "-o", "product.export"],
    &["import", "product.export"],
    &["mirror", "copy", "core@3.1.0"],
    &["completions", "bash"],
    &["completions", "--install"],
    &["man"],
    &["man", "--to", "pages"],
];

/// Commands that need a setting of their own, such as `rpmbuild`; what other files read of
/// them is checked there as everywhere.
const RUN_ELSEWHERE: &[&str] = &[
    // signing.rs
    "trust status",
    "trust init",
    "trust sign",
    "trust propose",
    "trust rotate",
    "trust publish",
    "trust key new",
    "trust key show",
    "trust key protect",
    "trust key paper",
    "trust key restore",
    "trust drill",
    // gates.rs and release.rs
    "bundle bisect",
    "bundle create",
    "bundle diff",
    "bundle promote",
    "bundle test",
    "bundle tester add",
    "bundle tester key",
    "bundle tester list",
    "bundle tester remove",
    "bundle withdraw",
    "compat prove",
    "release ci",
    "release notes",
    "release plan",
    "release run",
    "update comment",
    "update create",
    "update push",
    "update status",
    "self uninstall",
    "self update",
    "source copr-build",
    "source init",
    "source local-build",
    "source mirror",
    "source prepare-sources",
    "source propose",
    "source run",
    "source srpm",
    "source status",
    "source sync-from-downstream",
    "source test",
    "source update-downstream",
    "source update-source",
    "workspace update",
];

/// Runs commands, checks what they print, and remembers which were run.
struct Runner {
    schemas: Published,
    seen: BTreeSet<String>,
}

impl Runner {
    fn ok(&mut self, client: &Client, arguments: &[&str]) {
        self.run(client, arguments, &[0]);
    }

    fn run(&mut self, client: &Client, arguments: &[&str], statuses: &[i32]) {
        let command = self.schemas.command(arguments);
        let ran = client.run(&[&["--json"], arguments].concat());
        let told = format!("{arguments:?}:\n{}{}", ran.stdout(), ran.stderr());
        assert!(statuses.contains(&ran.status()), "{told}");
        if let Some(schema) = self.schemas.commands[&command].as_deref() {
            let document: Value = serde_json::from_str(&ran.stdout()).expect(&told);
            let told = arguments.join(" ");
            self.schemas.check(schema, &document, &told);
        }
        self.seen.insert(command);
    }
}

#[test]
fn every_document_is_what_its_schema_says() {
    let (registry, client) = published();
    client.write("by-hand/core/notes.txt", "unpacked by hand");
    let mut runner = Runner {
        schemas: Published::read(),
        seen: BTreeSet::new(),
    };
    for arguments in OF_AN_OPERATOR {
        runner.ok(&client, arguments);
    }
    runner.run(&client, &["doctor"], &[0, 1]);
    runner.run(&client, &["core"], &[7]);
    client.write("provisioning.toml", "[requires]\ncore = \"^3.2\"\n");
    runner.ok(&client, &["lock"]);
    runner.ok(&client, &["sync"]);
    for action in ["add", "remove"] {
        runner.ok(&client, &["registry", action, registry.url()]);
        runner.ok(&client, &["registry", "list"]);
    }
    of_an_author(&mut runner, &Client::of(&registry));
    of_an_owner(&mut runner, &registry);
    login(&client, &registry.admin_token(), &mut runner);
    runner.ok(&client, &["logout"]);
    let mut named = BTreeSet::new();
    leaves(&Client::alone(), &[], &mut named);
    let unseen: Vec<_> = named
        .difference(&runner.seen)
        .filter(|it| !RUN_ELSEWHERE.contains(&it.as_str()))
        .collect();
    assert!(unseen.is_empty(), "nobody ran {unseen:?}");
}

/// What somebody types who publishes.
fn of_an_author(runner: &mut Runner, author: &Client) {
    let archive = author.build(&Sample::extension("valkey", "1.0.0"));
    let archive = archive.to_str().unwrap();
    let folder = "src/valkey-1.0.0";
    runner.ok(author, &["package", "build", folder, "-o", "again"]);
    runner.ok(author, &["package", "inspect", archive]);
    author.write(
        "tree/.provisioning.yaml",
        "packages:\n  core:\n    paths: [core]\n",
    );
    author.write("tree/core/file", "one\n");
    author.write("tree/changed", "core/file\nREADME\n");
    runner.ok(author, &["source", "validate", "-C", "tree"]);
    runner.ok(author, &["source", "show", "-C", "tree"]);
    let changed = ["--changed-files", "tree/changed", "-C", "tree"];
    runner.ok(author, &[&["source", "affected"], &changed[..]].concat());
    runner.ok(
        author,
        &["source", "validate", "--in-registry", "-C", "tree"],
    );
    author.write(
        "tree/core/manifest.toml",
        "[extension]\nname = \"nowhere\"\n",
    );
    let unknown = author.error(1, &["source", "validate", "--in-registry", "-C", "tree"]);
    let said = unknown["causes"].to_string();
    assert!(
        said.contains("the registry has no package `nowhere`"),
        "{said}"
    );
    std::fs::remove_file(author.home().join("tree/core/manifest.toml")).unwrap();
    let with_bundles = ["source", "affected", "--bundles"];
    runner.ok(author, &[&with_bundles[..], &changed[..]].concat());
    let found = author.json(&[&with_bundles[..], &changed[..]].concat());
    let bundles = found["bundles"].as_array().unwrap();
    assert!(bundles.iter().any(|it| it["bundle"] == "stable-3.2"));
    of_a_repository(runner, author);
    runner.ok(author, &["package", "unpack", archive, "--to", "unpacked"]);
    runner.ok(author, &["publish", archive]);
    let sent = author.json(&["publish", archive]);
    let session = sent["session"].as_str().unwrap();
    runner.ok(author, &["publish", "status", session]);
    author.build(&Sample::extension("valkey", "1.1.0"));
    let part = ["--target", "linux-x86_64", "-o", "part"];
    let part = author.json(&[&["package", "build", "src/valkey-1.1.0"], &part[..]].concat());
    let targets = ["--targets", "linux-x86_64,linux-arm64"];
    let part = part["archive"].as_str().unwrap();
    let waiting = author.json(&["publish", part, targets[0], targets[1]]);
    let session = waiting["session"].as_str().unwrap();
    runner.ok(author, &["publish", "abandon", session]);
    runner.ok(author, &["yank", "valkey@1.0.0", "--reason", "a test"]);
    runner.ok(author, &["unyank", "valkey@1.0.0"]);
    let draft = "name = \"Small\"\nrelease-date = \"2025-10-15\"\ncore = \"3.2.1\"\n";
    author.write("versions.toml", &format!("[bundles.small]\n{draft}"));
    runner.ok(author, &["compat", "check", "--file", "versions.toml"]);
    runner.ok(author, &["compat", "push", "versions.toml"]);
    runner.ok(author, &["bundle", "check", "small"]);
    runner.ok(author, &["bundle", "publish", "small"]);
}

/// What somebody types who is responsible for a package.
fn of_an_owner(runner: &mut Runner, registry: &Registry) {
    let user = |name: &str| {
        registry.operate(&["user", "add", name]);
        let token = registry.operate(&["user", "token", name, "--scope", "admin"]);
        Client::of(registry).with("PROVISIONING_TOKEN", &token)
    };
    let (ada, bob) = (user("ada"), user("bob"));
    ada.publish(&Sample::extension("dragonfly", "1.0.0"));
    runner.ok(
        &ada,
        &["owner", "add", "dragonfly", "bob", "--role", "owner"],
    );
    runner.ok(&ada, &["owner", "list", "dragonfly"]);
    let invited = |who: &Client| {
        let waiting = who.json(&["owner", "invitations"]);
        waiting["invitations"][0]["id"].as_str().unwrap().to_owned()
    };
    runner.ok(&bob, &["owner", "invitations"]);
    runner.ok(&bob, &["owner", "decline", &invited(&bob)]);
    ada.ok(&["owner", "add", "dragonfly", "bob", "--role", "owner"]);
    runner.ok(&bob, &["owner", "accept", &invited(&bob)]);
    runner.ok(&bob, &["owner", "leave", "dragonfly"]);
    ada.ok(&["owner", "add", "dragonfly", "bob"]);
    runner.ok(&ada, &["owner", "remove", "dragonfly", "bob"]);
    let job = [
        "--issuer",
        "github",
        "--repository",
        "a/b",
        "--workflow",
        "release.yml",
    ];
    let trust = [&["owner", "trust", "dragonfly"], &job[..]].concat();
    runner.ok(&ada, &trust);
    runner.ok(&ada, &["owner", "trusted", "dragonfly"]);
    let trusted = ada.json(&["owner", "trusted", "dragonfly"]);
    let id = trusted["publishers"][0]["id"].as_str().unwrap();
    runner.ok(&ada, &["owner", "distrust", "dragonfly", id]);
    runner.ok(
        &ada,
        &[
            "deprecate",
            "dragonfly",
            "--reason",
            "a test",
            "--replacement",
            "x",
        ],
    );
    runner.ok(
        &ada,
        &[
            "token",
            "create",
            "--name",
            "ci",
            "--scope",
            "publish:dragonfly",
        ],
    );
    runner.ok(&ada, &["token", "list"]);
    runner.ok(&ada, &["token", "revoke", "current"]);
}

/// What needs committed content.
fn of_a_repository(runner: &mut Runner, author: &Client) {
    let who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"];
    for words in [
        &["init", "-q"] as &[&str],
        &["add", "."],
        &["commit", "-q", "-m", "one"],
        &["tag", "v1.0.0"],
    ] {
        let mut git = std::process::Command::new("git");
        let git = git.args(who).args(words);
        assert!(
            git.current_dir(author.home().join("tree"))
                .status()
                .unwrap()
                .success()
        );
    }
    runner.ok(author, &["source", "build", "-C", "tree", "-o", "built"]);
    runner.ok(author, &["source", "split", "-C", "tree", "--to", "split"]);
}

/// `login` reads the token from stdin.
fn login(client: &Client, token: &str, runner: &mut Runner) {
    use std::io::Write as _;
    let mut child = client
        .command(&["--json", "login"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(token.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    runner.schemas.check("login", &document, "login");
    runner.seen.insert("login".to_owned());
}
