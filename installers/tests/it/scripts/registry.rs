//! A web server on loopback with one client archive, and the scripts that belong to it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use provisioning_installers::scripts::{
    Script, ScriptArchive, ScriptClient, ScriptContext, render,
};
use provisioning_package::{ArchiveFormat, Digest, Target, Version};

/// The client's version in these tests.
pub(super) const CLIENT_VERSION: &str = "0.1.0";

/// A program that writes down what it was asked, one call on each line, in `$RECORD`.
const PROGRAM: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then
    echo "provisioning 0.1.0"
    exit 0
fi
printf '%s\n' "$*" >>"$RECORD"
case " $* " in
*" install fails "*) exit 3 ;;
esac
"#;

/// How the server answers for the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// As published.
    Whole,
    /// The same length, one byte changed.
    Forged,
    /// Half of it, then the connection ends.
    Half,
    /// Half of it, then nothing more while the connection stays open.
    Silence,
}

/// The server; it ends with the test's process.
pub(super) struct Registry {
    pub(super) context: ScriptContext,
    /// Paths that were asked for, in order.
    pub(super) requests: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// A registry whose archive has the program at its root, answered as `answer` says.
    pub(super) fn start(answer: Answer) -> Self {
        Self::with_archive(answer, &client_archive("provisioning"))
    }

    /// A registry whose archive has the program in `bin/`.
    pub(super) fn with_program_in_bin() -> Self {
        Self::with_archive(Answer::Whole, &client_archive("bin/provisioning"))
    }

    fn with_archive(answer: Answer, archive: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let digest = Digest::of(archive);
        let facts = ScriptArchive {
            digest,
            size: archive.len() as u64,
            path: format!("archives/sha256/{}", digest.hex()),
            format: ArchiveFormat::TarGz,
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, archive) = (Arc::clone(&requests), archive.to_vec());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, archive) = (Arc::clone(&seen), archive.clone());
                thread::spawn(move || serve(stream.unwrap(), &seen, &archive, answer));
            }
        });
        let archives = [
            Target::LinuxX86_64,
            Target::LinuxArm64,
            Target::MacosX86_64,
            Target::MacosArm64,
        ]
        .into_iter()
        .map(|target| (target, facts.clone()))
        .collect();
        let context = context(&base_url, archives);
        Self { context, requests }
    }

    pub(super) fn script(&self, script: Script) -> String {
        render(script, &self.context)
    }
}

/// A registry at `base_url` that has these archives of a client.
pub(super) fn context(base_url: &str, archives: BTreeMap<Target, ScriptArchive>) -> ScriptContext {
    ScriptContext {
        base_url: base_url.to_owned(),
        registry_name: "it's \"example\" $(false)".to_owned(),
        root_fingerprint: Digest::of(b"root"),
        client: Some(ScriptClient {
            version: Version::parse(CLIENT_VERSION).unwrap(),
            archives,
        }),
    }
}

fn client_archive(program: &str) -> Vec<u8> {
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().join(program);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, PROGRAM).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(
        tree.path().join("manifest.toml"),
        "[package]\nkind = \"client\"\nname = \"client\"\nversion = \"0.1.0\"\n",
    )
    .unwrap();
    pack(tree.path())
}

fn pack(tree: &Path) -> Vec<u8> {
    let packed = Command::new("tar")
        .arg("-czf")
        .arg("-")
        .arg("-C")
        .arg(tree)
        .arg(".")
        .output()
        .unwrap();
    assert!(packed.status.success());
    packed.stdout
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, archive: &[u8], answer: Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|count| count > 2) {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let found = path.starts_with("/archives/sha256/");
    seen.lock().unwrap().push(path);
    if !found {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let mut body = archive.to_vec();
    if answer == Answer::Forged {
        *body.last_mut().unwrap() ^= 1;
    }
    let whole = matches!(answer, Answer::Whole | Answer::Forged);
    let sent = if whole { body.len() } else { body.len() / 2 };
    let header = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(header.as_bytes());
    let _ = stream.write_all(&body[..sent]);
    if answer == Answer::Silence {
        let _ = reader.read_line(&mut head);
    }
}
