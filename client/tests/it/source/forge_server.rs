//! A forge that runs in the test: it keeps changes and comments, and answers as Forgejo,
//! GitHub or GitLab would.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What the forge has, and what it was asked.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) changes: Vec<Value>,
    pub(crate) comments: Vec<Value>,
    pub(crate) asked: Vec<String>,
    pub(crate) tokens: Vec<String>,
    /// How every check goes.
    pub(crate) check: String,
}

/// A forge.
pub(crate) struct ForgeServer {
    pub(crate) url: String,
    pub(crate) kept: Arc<Mutex<Kept>>,
}

impl ForgeServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::new(Mutex::new(Kept {
            check: "pending".to_owned(),
            ..Kept::default()
        }));
        let shared = Arc::clone(&kept);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &shared);
            }
        });
        Self { url, kept }
    }
}

fn answer(mut stream: TcpStream, kept: &Mutex<Kept>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return;
    };
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" | "private-token" => value.trim().clone_into(&mut token),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, said) = {
        let mut kept = kept.lock().unwrap();
        kept.asked.push(format!("{method} {path}"));
        kept.tokens.push(token.clone());
        if token.is_empty() && method != "GET" {
            (401, json!({"message": "who are you?"}))
        } else {
            (200, reply(&mut kept, &method, &path, &body))
        }
    };
    let said = said.to_string();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
        said.len()
    )
    .unwrap();
}

fn reply(kept: &mut Kept, method: &str, path: &str, body: &Value) -> Value {
    let plain = path.split('?').next().unwrap();
    let last = plain.rsplit('/').next().unwrap();
    if plain.contains("/commits/") {
        let state = kept.check.clone();
        let one = json!({"context": "build", "name": "build", "status": state, "state": state, "target_url": "http://ci/1"});
        return match last {
            "status" => json!({"state": state, "statuses": [one]}),
            "check-runs" => {
                json!({"check_runs": [{"name": "lint", "status": "completed", "conclusion": "success"}]})
            }
            _ => json!([one]),
        };
    }
    let project = plain.split("/pulls").next().unwrap();
    let project = project.split("/merge_requests").next().unwrap();
    let is_comment = plain.contains("comments") || plain.contains("notes");
    match (method, is_comment) {
        ("GET", true) => json!(kept.comments),
        ("GET", false) => {
            let ours = kept.changes.iter().filter(|it| it["project"] == project);
            ours.cloned().collect()
        }
        ("POST", true) => {
            let mut one = body.clone();
            one["id"] = json!(kept.comments.len() + 1);
            kept.comments.push(one.clone());
            one
        }
        ("POST", false) => {
            let number = kept.changes.len() + 1;
            let url = format!("http://forge/{number}");
            let mut one = body.clone();
            for (key, value) in [
                ("project", json!(project)),
                ("number", json!(number)),
                ("iid", json!(number)),
                ("html_url", json!(url)),
                ("web_url", json!(url)),
                ("head", json!({"ref": body["head"]})),
                ("base", json!({"ref": body["base"]})),
            ] {
                one[key] = value;
            }
            kept.changes.push(one.clone());
            one
        }
        (_, comment) => {
            let number: usize = last.parse().unwrap();
            let those = if comment {
                &mut kept.comments
            } else {
                &mut kept.changes
            };
            let one = &mut those[number - 1];
            for (key, value) in body.as_object().unwrap() {
                one[key] = value.clone();
            }
            one.clone()
        }
    }
}
