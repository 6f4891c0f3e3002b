//! A real registry and a real client, for tests of what people type.
//!
//! [`Registry::start`] runs `provisioning-registry` on a free port with a folder of its own;
//! [`Client`] runs `provisioning` with a home of its own and nothing from our environment.
//! Both clean up when dropped.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A registry that runs.
pub(crate) struct Registry {
    process: Child,
    folder: TempDir,
    address: String,
}

impl Registry {
    /// Starts a fresh registry.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (process, address) = serve(folder.path(), "127.0.0.1:0");
        Self {
            process,
            folder,
            address,
        }
    }

    /// Starts a registry over a copy of a data folder that somebody made.
    pub(crate) fn start_over(data: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        copy_folder(data, &folder.path().join("data"));
        let (process, address) = serve(folder.path(), "127.0.0.1:0");
        Self {
            process,
            folder,
            address,
        }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    /// The token that may do everything.
    pub(crate) fn admin_token(&self) -> String {
        let path = self.folder.path().join("data/admin-token");
        let text = std::fs::read_to_string(&path).unwrap();
        text.trim().to_owned()
    }

    /// Runs a command of the registry's operator; what it prints.
    pub(crate) fn operate(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(registry_program());
        command.args(arguments).arg("--data").arg(self.data());
        let ran = command.output().unwrap();
        let errors = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    /// The folder that the server keeps its files in.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Kills it without a warning and starts it again under the same address.
    pub(crate) fn crash_and_restart(&mut self) {
        self.stop();
        let listen = self.address.trim_start_matches("http://").to_owned();
        let (process, address) = serve(self.folder.path(), &listen);
        assert_eq!(address, self.address);
        self.process = process;
    }

    /// Kills it; its address answers no more.
    pub(crate) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// A folder with everything that reading needs, as a mirror has it.
    pub(crate) fn mirror(&self) -> TempDir {
        let folder = TempDir::new().unwrap();
        copy_folder(&self.data().join("public"), folder.path());
        let mut discovery: Value = serde_json::from_slice(&fetch(
            &self.address,
            "/.well-known/provisioning-registry.json",
        ))
        .unwrap();
        discovery["api"] = Value::Null;
        let place = folder.path().join(".well-known");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(
            place.join("provisioning-registry.json"),
            discovery.to_string(),
        )
        .unwrap();
        folder
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(folder: &Path, listen: &str) -> (Child, String) {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let mut process = Command::new(registry_program())
        .args(["serve", "--listen", listen, "--data"])
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let stdout = BufReader::new(process.stdout.take().unwrap());
    for line in stdout.lines().map_while(Result::ok) {
        if let Some(address) = line.strip_prefix("listening on ") {
            return (process, address.trim().to_owned());
        }
    }
    let _ = process.wait();
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("the registry did not start:\n{log}");
}

/// `PROVISIONING_REGISTRY_BIN`, else the program beside the client's.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where the other program is by the environment"
)]
fn registry_program() -> PathBuf {
    if let Some(path) = std::env::var_os("PROVISIONING_REGISTRY_BIN") {
        return path.into();
    }
    let path = client_program().with_file_name("provisioning-registry");
    assert!(
        path.is_file(),
        "`{}` is missing: run `cargo build -p provisioning-registry-server`, or name it in \
         PROVISIONING_REGISTRY_BIN",
        path.display()
    );
    path
}

/// The client under test; a long run may name a copy that no build replaces.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where the program is by the environment"
)]
pub(crate) fn client_program() -> PathBuf {
    if let Some(path) = std::env::var_os("PROVISIONING_CLIENT_BIN") {
        return path.into();
    }
    PathBuf::from(env!("CARGO_BIN_EXE_provisioning"))
}

/// A client with a home of its own.
pub(crate) struct Client {
    home: TempDir,
    program: PathBuf,
    variables: Vec<(String, String)>,
}

impl Client {
    /// A client that no registry is set for.
    pub(crate) fn alone() -> Self {
        Self {
            home: TempDir::new().unwrap(),
            program: client_program(),
            variables: Vec::new(),
        }
    }

    /// A client of `registry` that may do everything there.
    pub(crate) fn of(registry: &Registry) -> Self {
        Self::alone()
            .with("PROVISIONING_REGISTRY", registry.url())
            .with("PROVISIONING_TOKEN", &registry.admin_token())
    }

    /// Sets a variable of its environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs another program from here on, such as a copy in a prefix.
    pub(crate) fn use_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Its home, which is also the folder that it runs in.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The prefix that it installs into unless told otherwise.
    pub(crate) fn prefix(&self) -> PathBuf {
        self.home().join("prefix")
    }

    /// A command that was not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let home = self.home();
        command
            .args(arguments)
            .current_dir(home)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("PROVISIONING_PREFIX", self.prefix())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().unwrap())
    }

    /// Runs it; it must succeed. What it printed on stdout.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.status(), 0, "{arguments:?}:\n{}", ran.stderr());
        ran.stdout()
    }

    /// Runs it with `--json`; it must succeed. The document that it printed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let text = self.ok(&all);
        let document: Value = serde_json::from_str(&text).expect(&text);
        assert_eq!(document["schema"], 1, "{text}");
        crate::schemas::check_document(arguments, &document);
        document
    }

    /// Runs it with `--json`; it must fail with `status`. The `error` that it printed.
    pub(crate) fn error(&self, status: i32, arguments: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let ran = self.run(&all);
        assert_eq!(ran.status(), status, "{arguments:?}:\n{}", ran.stderr());
        let text = ran.stderr();
        let start = text.find('{').expect(&text);
        let document: Value = serde_json::from_str(&text[start..]).expect(&text);
        crate::schemas::check_error(arguments, &document);
        document["error"].clone()
    }

    /// Writes a file below its home, folders included; one that begins with `#!` can be run.
    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let place = self.home().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, content).unwrap();
        if content.starts_with("#!") {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&place, mode).unwrap();
        }
        place
    }

    /// Writes a package's folder and builds its archive. `more` goes behind the manifest's
    /// first table: `dependencies`, `install`.
    pub(crate) fn build(&self, sample: &Sample) -> PathBuf {
        let folder = format!("src/{}-{}", sample.name, sample.version);
        self.write(&format!("{folder}/manifest.toml"), &sample.manifest());
        for (path, content) in &sample.files {
            self.write(&format!("{folder}/{path}"), content);
        }
        let mut arguments = vec!["package", "build", &folder, "-o", "dist"];
        if sample.kind == "client" {
            // What a bare machine can unpack.
            arguments.extend(["--format", "tar.gz"]);
        }
        let document = self.json(&arguments);
        document["archive"].as_str().unwrap().into()
    }

    /// Builds a package and publishes it.
    pub(crate) fn publish(&self, sample: &Sample) {
        let archive = self.build(sample);
        self.ok(&["publish", archive.to_str().unwrap()]);
    }
}

/// A small package.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    kind: &'static str,
    name: String,
    version: String,
    keys: String,
    tables: String,
    files: Vec<(String, String)>,
}

impl Sample {
    /// A package of a first-party kind.
    pub(crate) fn first_party(kind: &'static str, version: &str) -> Self {
        Self::new(kind, kind, version)
    }

    /// An extension: a taskserv.
    pub(crate) fn extension(name: &str, version: &str) -> Self {
        Self::new("extension", name, version).key("type = \"taskserv\"")
    }

    fn new(kind: &'static str, name: &str, version: &str) -> Self {
        let content = format!("this is {name} {version}\n");
        Self {
            kind,
            name: name.to_owned(),
            version: version.to_owned(),
            keys: String::new(),
            tables: String::new(),
            files: vec![(format!("share/{name}.txt"), content)],
        }
    }

    /// Adds a line to the manifest's first table.
    pub(crate) fn key(mut self, line: &str) -> Self {
        self.keys.push_str(line);
        self.keys.push('\n');
        self
    }

    /// Adds further tables to the manifest.
    pub(crate) fn table(mut self, text: &str) -> Self {
        self.tables.push_str(text);
        self.tables.push('\n');
        self
    }

    /// Adds a file.
    pub(crate) fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    fn manifest(&self) -> String {
        let head = match self.kind {
            "extension" => "[extension]\n".to_owned(),
            kind => format!("[package]\nkind = \"{kind}\"\n"),
        };
        format!(
            "{head}name = \"{}\"\nversion = \"{}\"\n{}\n{}",
            self.name, self.version, self.keys, self.tables
        )
    }
}

/// How a run ended.
pub(crate) struct Ran(Output);

impl Ran {
    /// The exit status.
    pub(crate) fn status(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    /// What it printed.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    /// What it said beside.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}

/// Fetches a file without the client: what a browser or `curl` would get.
pub(crate) fn fetch(base: &str, path: &str) -> Vec<u8> {
    let url = format!("{base}{path}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .build()
            .unwrap();
        let answer = client.get(&url).send().await.unwrap();
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        answer.bytes().await.unwrap().to_vec()
    })
}

/// Copies a folder with everything in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
