//! A registry under test: the program itself in a folder of its own, and what a publisher
//! does with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use provisioning_package::{
    ArchiveFormat, BuildOptions, Digest, Manifest, PackageName, Target, build_archive,
};
use provisioning_registry_api::index::IndexEntry;
use provisioning_registry_api::problem::Problem;
use provisioning_registry_api::session::{
    DeclaredArchive, DeclaredVersion, OpenSession, SessionStatus,
};
use reqwest::{Client, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::database;

/// The server's log, in the data folder.
pub(crate) const LOG: &str = "stderr.log";

/// A running registry; it is killed when dropped.
pub(crate) struct Registry {
    folder: TempDir,
    /// The flags that name what other servers may share with it.
    shared: Vec<String>,
    process: Child,
    pub(crate) base: String,
    pub(crate) http: Client,
}

/// An archive that a test built.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) target: Target,
}

impl Registry {
    /// A fresh registry.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = database::storage_arguments();
        let storage: Vec<&str> = storage.iter().map(String::as_str).collect();
        Self::start_in(folder, &storage)
    }

    /// A fresh registry whose files are in its folder, whatever the database: other programs
    /// read them, or the server is started again over them.
    pub(crate) fn start_lasting() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[])
    }

    /// A server of its own folder beside others of the same database and files.
    pub(crate) fn start_beside(database: &str, storage: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = [
            "--database",
            database,
            "--storage",
            storage.to_str().unwrap(),
        ];
        Self::start_sharing(folder, shared.map(str::to_owned).to_vec())
    }

    /// A server over what is in `folder` and what `shared` names.
    pub(crate) fn start_sharing(folder: TempDir, shared: Vec<String>) -> Self {
        let (process, base) = spawn_with(folder.path(), &shared, &[]);
        Self {
            folder,
            shared,
            process,
            base,
            http: http(),
        }
    }

    /// A registry over what is in `folder`.
    pub(crate) fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        let shared = database::arguments(folder.path());
        let (process, base) = spawn_with(folder.path(), &shared, arguments);
        Self {
            folder,
            shared,
            process,
            base,
            http: http(),
        }
    }

    /// Kills the server as `kill -9` does, and starts another one over what is left.
    pub(crate) fn kill_and_restart(&mut self, arguments: &[&str]) {
        self.kill();
        self.restart(arguments);
    }

    /// Kills the server as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The same, with a variable in the new server's environment.
    pub(crate) fn kill_and_restart_with(&mut self, name: &str, value: &str) {
        self.kill();
        let environment = [(name, value)];
        let (process, base) = spawn_in(self.folder.path(), &self.shared, &[], &environment);
        self.process = process;
        self.base = base;
    }

    /// Starts a server over what a dead one left.
    pub(crate) fn restart(&mut self, arguments: &[&str]) {
        let (process, base) = spawn_with(self.folder.path(), &self.shared, arguments);
        self.process = process;
        self.base = base;
    }

    /// Asks the server to end, as an operator does, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.process.wait().unwrap();
    }

    /// The same, and starts another one.
    pub(crate) fn stop_and_restart(&mut self) {
        self.stop();
        self.restart(&[]);
    }

    /// Waits for a server that ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// The flags that name what other servers may share with it.
    pub(crate) fn shared(&self) -> &[String] {
        &self.shared
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A path in the data folder.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The token of the data folder.
    pub(crate) fn admin(&self) -> String {
        let text = std::fs::read_to_string(self.file("admin-token")).unwrap();
        text.trim().to_owned()
    }

    /// Runs the program's other commands on this registry.
    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Output {
        program()
            .args(arguments)
            .arg("--data")
            .arg(self.folder.path())
            .args(&self.shared)
            .output()
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = format!("{}/{path}", self.base);
        self.http.get(url).send().await.unwrap()
    }

    /// Asks for a path exactly as it is spelled: clients fold `..` away before they ask.
    pub(crate) fn get_raw(&self, path: &str) -> String {
        self.say(&format!(
            "GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ))
    }

    /// Sends a request's head as it is, and reads until the server closes.
    pub(crate) fn say(&self, head: &str) -> String {
        let address = self.base.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        // A server that has heard enough closes before the end.
        let _ = stream.write_all(head.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn get_with(&self, path: &str, name: &str, value: &str) -> Response {
        let url = format!("{}/{path}", self.base);
        let request = self.http.get(url).header(name, value);
        request.send().await.unwrap()
    }

    /// Sends JSON with the admin token.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &impl Serialize) -> Response {
        self.send_as(&self.admin(), method, path, body).await
    }

    /// Sends JSON with a token.
    pub(crate) async fn send_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Response {
        let url = format!("{}/api/v1/{path}", self.base);
        let request = self.http.request(method, url).bearer_auth(token);
        request.json(body).send().await.unwrap()
    }

    /// Sends an archive of a session; an error is a connection that broke.
    pub(crate) async fn upload(
        &self,
        session: &str,
        digest: &Digest,
        bytes: &[u8],
    ) -> reqwest::Result<Response> {
        let url = format!(
            "{}/api/v1/sessions/{session}/archives/{}",
            self.base,
            digest.hex()
        );
        let request = self.http.put(url).bearer_auth(self.admin());
        request.body(bytes.to_vec()).send().await
    }

    /// Publishes one version with all its archives, as `provisioning publish` does.
    pub(crate) async fn publish(
        &self,
        spec: &str,
        archives: &[Archive],
    ) -> Result<SessionStatus, Problem> {
        self.publish_together(&[(spec, archives)]).await
    }

    /// Publishes several versions in one session. A broken connection is a problem of code
    /// `broken`.
    pub(crate) async fn publish_together(
        &self,
        versions: &[(&str, &[Archive])],
    ) -> Result<SessionStatus, Problem> {
        let open = OpenSession {
            versions: versions
                .iter()
                .map(|(spec, it)| declared(spec, it))
                .collect(),
        };
        let opened = self.try_send("sessions", &open).await?;
        let mut status: SessionStatus = answer(opened).await?;
        let missing: Vec<Digest> = status.missing.iter().filter_map(|it| it.digest).collect();
        for archive in versions.iter().flat_map(|(_, it)| it.iter()) {
            if missing.contains(&archive.digest) {
                let sent = self
                    .upload(&status.session, &archive.digest, &archive.bytes)
                    .await;
                status = answer(sent.map_err(|error| broken(&error))?).await?;
            }
        }
        let path = format!("sessions/{}/finalize", status.session);
        answer(self.try_send(&path, &()).await?).await
    }

    async fn try_send(&self, path: &str, body: &impl Serialize) -> Result<Response, Problem> {
        let url = format!("{}/api/v1/{path}", self.base);
        let request = self.http.post(url).bearer_auth(self.admin()).json(body);
        request.send().await.map_err(|error| broken(&error))
    }

    /// The index entry that people read by plain name.
    pub(crate) async fn index(&self, name: &str) -> IndexEntry {
        let kind = PackageName::parse(name).unwrap().kind();
        json(self.get(&format!("index/{kind}/{name}.json")).await).await
    }

    /// The bytes of an archive.
    pub(crate) async fn archive(&self, digest: &Digest) -> Vec<u8> {
        let response = self.get(&format!("archives/sha256/{}", digest.hex())).await;
        assert_eq!(response.status(), 200);
        response.bytes().await.unwrap().to_vec()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioning-registry"));
    command.env_clear();
    command
}

fn http() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

fn spawn_with(folder: &Path, shared: &[String], arguments: &[&str]) -> (Child, String) {
    spawn_in(folder, shared, arguments, &[])
}

fn spawn_in(
    folder: &Path,
    shared: &[String],
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Child, String) {
    let mut process = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder)
        .args(shared)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(log(folder))
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = process.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let base = line
        .trim()
        .strip_prefix("listening on ")
        .unwrap_or_else(|| panic!("the server said `{line}`"));
    (process, base.to_owned())
}

/// Where the server's log goes: a test that asks for it reads it as [`LOG`].
fn log(folder: &Path) -> std::fs::File {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    options.open(folder.join(LOG)).unwrap()
}

/// The body of a successful answer, or the problem.
pub(crate) async fn answer<T: DeserializeOwned>(response: Response) -> Result<T, Problem> {
    if response.status().is_success() {
        return Ok(json(response).await);
    }
    Err(problem(response).await)
}

/// The body as JSON.
pub(crate) async fn json<T: DeserializeOwned>(response: Response) -> T {
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    serde_json::from_slice(&bytes)
        .unwrap_or_else(|error| panic!("{status} {error}: {}", String::from_utf8_lossy(&bytes)))
}

/// The problem document of a refusal, checked for what all of them have.
pub(crate) async fn problem(response: Response) -> Problem {
    let status = response.status().as_u16();
    assert_eq!(
        header(&response, "content-type"),
        "application/problem+json"
    );
    assert_eq!(header(&response, "cache-control"), "no-store");
    let problem: Problem = json(response).await;
    assert_eq!(problem.status, status);
    assert!(problem.request_id.is_some());
    problem
}

/// A header as text; empty where it is absent.
pub(crate) fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or("", |it| it.to_str().unwrap()).to_owned()
}

fn broken(error: &reqwest::Error) -> Problem {
    Problem {
        type_uri: String::new(),
        title: "the connection broke".to_owned(),
        status: 0,
        code: "broken".to_owned(),
        detail: error.to_string(),
        hints: Vec::new(),
        causes: Vec::new(),
        request_id: None,
    }
}

/// What a session declares for `name@version`.
pub(crate) fn declared(spec: &str, archives: &[Archive]) -> DeclaredVersion {
    let (name, version) = spec.split_once('@').unwrap();
    let name = PackageName::parse(name).unwrap();
    DeclaredVersion {
        kind: name.kind(),
        name,
        version: version.parse().unwrap(),
        archives: archives
            .iter()
            .map(|it| DeclaredArchive {
                target: it.target,
                digest: Some(it.digest),
                size: Some(it.bytes.len() as u64),
            })
            .collect(),
    }
}

/// A manifest for `name@version`, with `extra` lines at its end.
pub(crate) fn manifest(spec: &str, extra: &str) -> String {
    let (name, version) = spec.split_once('@').unwrap();
    let package = PackageName::parse(name).unwrap();
    let kind = package.kind();
    if PackageName::of_kind(kind).is_some() {
        format!("[package]\nkind = \"{kind}\"\nname = \"{name}\"\nversion = \"{version}\"\n{extra}")
    } else {
        format!(
            "[extension]\nname = \"{name}\"\nversion = \"{version}\"\ntype = \"taskserv\"\n{extra}"
        )
    }
}

/// An archive for any target with one file of `content`.
pub(crate) fn archive(spec: &str, content: &str) -> Archive {
    pack(
        &manifest(spec, ""),
        content,
        Target::Any,
        ArchiveFormat::TarZst,
    )
}

/// An archive of a manifest and one file.
pub(crate) fn pack(
    manifest: &str,
    content: &str,
    target: Target,
    format: ArchiveFormat,
) -> Archive {
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join(Manifest::FILE), manifest).unwrap();
    std::fs::write(tree.path().join("content"), content).unwrap();
    let options = BuildOptions {
        format,
        ..BuildOptions::default()
    };
    let mut bytes = Vec::new();
    let facts = build_archive(tree.path(), &options, &mut bytes).unwrap();
    Archive {
        digest: facts.digest,
        bytes,
        target,
    }
}
