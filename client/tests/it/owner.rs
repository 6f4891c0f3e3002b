//! Owners, tokens, states of packages and trusted publishing at the command line.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::registry_fixture::{Client, Registry, Sample};

fn user(registry: &Registry, name: &str) -> Client {
    registry.operate(&["user", "add", name]);
    let token = registry.operate(&["user", "token", name, "--scope", "admin"]);
    Client::of(registry).with("PROVISIONING_TOKEN", &token)
}

#[test]
fn an_owner_shares_a_package_and_others_are_told_whom_to_ask() {
    let registry = Registry::start();
    let (ada, bob) = (user(&registry, "ada"), user(&registry, "bob"));
    ada.publish(&Sample::extension("redis", "1.0.0"));
    let next = bob.build(&Sample::extension("redis", "1.1.0"));
    let next = next.to_str().unwrap();
    let error = bob.error(1, &["publish", next]);
    assert_eq!(error["code"], "role-missing");
    assert!(
        error["hints"]
            .to_string()
            .contains("provisioning owner list"),
        "{error}"
    );
    let text = ada.ok(&["owner", "add", "redis", "bob", "--role", "publisher"]);
    assert!(text.contains("bob  publisher (invited)"), "{text}");
    let waiting = bob.json(&["owner", "invitations"]);
    let id = waiting["invitations"][0]["id"].as_str().unwrap();
    assert_eq!(
        bob.ok(&["owner", "accept", id]).trim(),
        "no invitation waits for your answer"
    );
    bob.ok(&["publish", next]);
    let error = ada.error(1, &["owner", "leave", "redis"]);
    assert_eq!(error["code"], "last-owner");
}

#[test]
fn a_deprecated_package_says_so_in_search_info_and_installs() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    author.publish(&Sample::extension("redis", "1.0.0"));
    author.ok(&[
        "deprecate",
        "redis",
        "--reason",
        "no maintainer",
        "--replacement",
        "valkey",
    ]);
    assert!(author.ok(&["search", "redis"]).contains("[deprecated]"));
    assert!(
        author
            .ok(&["info", "redis"])
            .contains("deprecated: no maintainer")
    );
    let installed = author.run(&["install", "redis"]);
    assert_eq!(installed.status(), 0);
    assert!(
        installed.stderr().contains("no maintainer"),
        "{}",
        installed.stderr()
    );
    author.ok(&["deprecate", "redis", "--undo"]);
    assert!(!author.ok(&["search", "redis"]).contains("[deprecated]"));
    assert_eq!(
        author.run(&["deprecate", "redis"]).status(),
        2,
        "it says why"
    );
}

#[test]
fn a_mistyped_token_is_told_before_it_is_sent_anywhere() {
    let registry = Registry::start();
    let client = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    let good = registry.admin_token();
    for (token, status) in [(good.as_str(), 0), (&good[..good.len() - 1], 2)] {
        let mut command = client.command(&["login"]);
        command.stdin(std::process::Stdio::piped());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut login = command.spawn().unwrap();
        login
            .stdin
            .take()
            .unwrap()
            .write_all(token.as_bytes())
            .unwrap();
        let ended = login.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(status));
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(!errors.contains(token), "a token is a secret");
    }
}

#[test]
fn a_ci_job_without_a_token_offers_its_proof() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    let archive = author.build(&Sample::extension("redis", "1.0.0"));
    let archive = archive.to_str().unwrap();
    // What GitHub's runner answers; that this proof is none shows that it was sent.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token?x=1", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let read = stream.read(&mut head).unwrap();
        let body = r#"{"value": "a.b.c"}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    let job = Client::alone()
        .with("PROVISIONING_REGISTRY", registry.url())
        .with("ACTIONS_ID_TOKEN_REQUEST_URL", &url)
        .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner-secret");
    let error = job.error(1, &["publish", archive]);
    assert_eq!(error["code"], "proof-invalid");
    let asked = asked.join().unwrap();
    assert!(asked.starts_with("GET /token?x=1&audience=http"), "{asked}");
    assert!(asked.contains("Bearer runner-secret"), "{asked}");
    let nobody = Client::alone().with("PROVISIONING_REGISTRY", registry.url());
    let always = ["publish", archive, "--trusted-publishing", "always"];
    assert_eq!(nobody.error(1, &always)["code"], "no-proof");
}
