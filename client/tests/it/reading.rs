//! Which files of a registry a command asks for: those that its answer needs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::foreign_registry::ForeignRegistry;
use crate::product::packages;

/// A web server over a folder that notes what it is asked for. Its thread ends with the
/// test program.
struct NotingServer {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NotingServer {
    fn over(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (folder, notes) = (folder.to_owned(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, notes): (PathBuf, _) = (folder.clone(), Arc::clone(&notes));
                std::thread::spawn(move || answer(&stream.unwrap(), &folder, &notes));
            }
        });
        Self { address, asked }
    }

    /// The packages whose index entries were asked for since the last time, sorted; each as
    /// often as it was.
    fn entries(&self) -> String {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let mut names: Vec<String> = asked
            .iter()
            .filter_map(|it| it.strip_prefix("/targets/index/extension/"))
            .map(|it| it.split('.').nth(1).unwrap().to_owned())
            .collect();
        names.sort();
        names.join(" ")
    }
}

fn answer(mut stream: &TcpStream, folder: &Path, asked: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|it| !it.is_empty()).collect();
    let Some(path) = head.first().and_then(|it| it.split(' ').nth(1)) else {
        return;
    };
    asked.lock().unwrap().push(path.to_owned());
    let (status, body) = match std::fs::read(folder.join(path.trim_start_matches('/'))) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // A client that went away is no fault of the server's.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
}

#[test]
fn a_solution_costs_one_request_for_each_package_in_it() {
    let mut registry = ForeignRegistry::new();
    registry.extension(
        "a",
        &[
            ("1.0.0", &[("old", "^1")]),
            ("2.0.0", &[("b", "^1"), ("c", "^1")]),
        ],
    );
    registry.extension("b", &[("1.0.0", &[("c", "=1.0.0")])]);
    registry.extension("c", &[("1.0.0", &[]), ("1.1.0", &[("d", "^1")])]);
    for other in ["d", "old", "bounded", "other"] {
        registry.extension(other, &[("1.0.0", &[])]);
    }
    let matrix = "[compatibility.a]\n\"2.0.0\" = { bounded = \"^2\", b = \"^1\" }\n";
    registry.target("versions.toml", matrix.as_bytes());
    let client = registry.signed();
    let server = NotingServer::over(registry.folder());
    let client = client.with("PROVISIONING_REGISTRY", &server.address);
    assert_eq!(
        packages(&client.json(&["resolve", "a"])),
        ["a 2.0.0", "b 1.0.0", "c 1.0.0"]
    );
    // `c` was guessed at 1.1.0 before `b` was read; the guess fetched `d` and nothing else.
    assert!(["a b c", "a b c d"].contains(&server.entries().as_str()));
    // `bounded` is asked for once something brings it, and `old` once 2.0.0 cannot be.
    assert_eq!(
        packages(&client.json(&["resolve", "a", "bounded"])),
        ["a 1.0.0", "bounded 1.0.0", "old 1.0.0"]
    );
    let asked = server.entries();
    assert!(
        asked.contains("bounded") && asked.contains("old"),
        "{asked}"
    );
    assert!(!asked.contains("other"), "{asked}");
}

#[test]
fn a_wide_registry_is_not_read_to_answer_about_a_part_of_it() {
    let mut registry = ForeignRegistry::new();
    for number in 0..60 {
        let next = format!("p{}", number + 20);
        registry.extension(&format!("p{number}"), &[("1.0.0", &[(&next, "^1")])]);
    }
    for number in 60..80 {
        registry.extension(&format!("p{number}"), &[("1.0.0", &[])]);
    }
    let client = registry.signed();
    let server = NotingServer::over(registry.folder());
    let client = client.with("PROVISIONING_REGISTRY", &server.address);
    client.json(&["resolve", "p0", "p1"]);
    assert_eq!(server.entries(), "p0 p1 p20 p21 p40 p41 p60 p61");
}
