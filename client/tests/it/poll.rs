//! What a client asks for: as little as can be, and never another registry.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::registry_fixture::{Client, Registry, Sample};

/// Passes requests on, and notes their paths.
struct Ear {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ear {
    fn before(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let upstream = registry.url().trim_start_matches("http://").to_owned();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (upstream, notes) = (upstream.clone(), Arc::clone(&notes));
                std::thread::spawn(move || pass_on(&stream, &upstream, &notes));
            }
        });
        Self { address, heard }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

fn pass_on(mut stream: &TcpStream, upstream: &str, notes: &Mutex<Vec<String>>) {
    let mut head = BufReader::new(stream).lines();
    let first = head.next().unwrap().unwrap();
    while head
        .next()
        .is_some_and(|it| it.is_ok_and(|it| !it.is_empty()))
    {}
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let mut there = TcpStream::connect(upstream).unwrap();
    write!(there, "GET {path} HTTP/1.0\r\nHost: {upstream}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    there.read_to_end(&mut answer).unwrap();
    notes.lock().unwrap().push(path);
    // A client that went away is none to answer.
    let _ = stream.write_all(&answer);
}

#[test]
fn a_registry_where_nothing_changed_is_asked_one_question() {
    let registry = Registry::start();
    let author = Client::of(&registry);
    author.publish(&Sample::first_party("core", "3.1.0"));
    let ear = Ear::before(&registry);
    let client = Client::alone().with("PROVISIONING_REGISTRY", &ear.address);
    client.ok(&["install", "core"]);
    assert!(ear.take().len() > 3);
    for command in [
        &["resolve", "core"][..],
        &["outdated"],
        &["install", "core"],
    ] {
        client.ok(command);
        assert_eq!(ear.take(), ["/metadata/timestamp.json"], "{command:?}");
    }
    // What was published in between is seen all the same.
    author.publish(&Sample::first_party("core", "3.2.0"));
    let found = client.json(&["resolve", "core"]);
    assert_eq!(found["packages"][0]["version"], "3.2.0");
    assert!(!ear.take().iter().any(|it| it.starts_with("/.well-known")));
}

#[test]
fn a_name_is_never_looked_for_in_another_registry_than_was_asked() {
    let (ours, theirs) = (Registry::start(), Registry::start());
    Client::of(&ours).publish(
        &Sample::extension("redis", "1.0.0").table("[dependencies]\nsecret-sauce = \"^1.0\""),
    );
    // Somebody takes the name of our unpublished dependency in a public registry.
    let squatter = Client::of(&theirs);
    squatter.publish(&Sample::extension("secret-sauce", "1.0.0"));
    squatter.publish(&Sample::extension("redis", "9.9.9"));
    let ear = Ear::before(&theirs);
    let client = Client::alone();
    client.ok(&["registry", "add", &ear.address]);
    client.ok(&["registry", "add", ours.url()]);
    let client = client.with("PROVISIONING_REGISTRY", ours.url());
    let refused = client.error(3, &["install", "redis"]);
    assert!(refused.to_string().contains("secret-sauce"), "{refused}");
    assert_eq!(client.run(&["info", "secret-sauce"]).status(), 3);
    assert_eq!(ear.take(), Vec::<String>::new());
}
