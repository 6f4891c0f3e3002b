//! Proxies, certificates, logins, servers that lie, and mirrors: what stands between a
//! client and its registry, as real servers.

use std::path::Path;

use tempfile::TempDir;

use crate::product::{packages, published};
use crate::registry_fixture::Client;
use crate::web_server::{Answer, Asked, Authority, WebServer};

/// The guide's product as files, without the registry that it came from.
fn product() -> TempDir {
    let (registry, _) = published();
    registry.mirror()
}

/// A client of the registry at `address`.
fn client_of(address: &str) -> Client {
    Client::alone().with("PROVISIONING_REGISTRY", address)
}

/// What `login:password` is in a header, and nobody may read in a message.
const LOGIN: &str = "ada:l0velace";
const LOGIN_CODED: &str = "YWRhOmwwdmVsYWNl";

/// Everything that a run said holds neither the password nor what it is sent as.
fn is_silent_about_the_login(text: &str) {
    for secret in ["l0velace", LOGIN_CODED] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn wants_login(asked: &Asked, header: &str, refusal: &'static str) -> Answer {
    if asked.header(header) == Some(&format!("Basic {LOGIN_CODED}")) {
        return Answer::File;
    }
    Answer::Status(
        refusal,
        &["www-authenticate: Basic", "proxy-authenticate: Basic"],
    )
}

#[test]
fn a_proxy_carries_every_request_and_its_password_is_in_no_message() {
    let folder = product();
    let proxy = WebServer::start(folder.path(), |asked| {
        wants_login(
            asked,
            "proxy-authorization",
            "407 Proxy Authentication Required",
        )
    });
    let at = |login: &str| format!("http://{login}@127.0.0.1:{}", proxy.port());
    // No such host is anywhere: only the proxy can answer for it.
    let client = client_of("http://registry.invalid/").with("HTTP_PROXY", &at(LOGIN));
    let ran = client.run(&["-vv", "install", "core"]);
    assert_eq!(ran.status(), 0, "{}", ran.stderr());
    is_silent_about_the_login(&ran.stderr());
    let heads = proxy.heads();
    let to_proxy = |it: &String| it.starts_with("GET http://registry.invalid/");
    assert!(heads.iter().all(to_proxy), "{heads:#?}");
    assert!(heads.iter().any(|it| it.contains("/archives/sha256/")));

    let wrong = client_of("http://registry.invalid/").with("HTTP_PROXY", &at("ada:l0velace2"));
    let error = wrong.error(5, &["-vv", "install", "core"]);
    assert!(error.to_string().contains("407"), "{error}");
    is_silent_about_the_login(&error.to_string());
    let dead = client_of("http://registry.invalid/")
        .with("HTTP_PROXY", &format!("http://{LOGIN}@127.0.0.1:9"));
    let ran = dead.run(&["-vv", "install", "core"]);
    assert_eq!(ran.status(), 5);
    is_silent_about_the_login(&ran.stderr());
}

#[test]
fn no_proxy_names_hosts_that_are_reached_without_one() {
    let folder = product();
    let server = WebServer::start(folder.path(), |_| Answer::File);
    let client = client_of(server.url()).with("HTTP_PROXY", "http://127.0.0.1:9");
    assert_eq!(client.run(&["resolve", "core"]).status(), 5);
    let around = client.with("NO_PROXY", "localhost,127.0.0.1");
    around.ok(&["resolve", "core"]);
}

#[test]
fn https_goes_through_a_proxy_that_sees_nothing_of_it() {
    let folder = product();
    let authority = Authority::new();
    let tls = authority.server("registry.invalid", 2100);
    let proxy = WebServer::with_tls(folder.path(), Some(tls), |_| Answer::File);
    let client = client_of("https://registry.invalid/").with(
        "HTTPS_PROXY",
        &format!("http://{LOGIN}@127.0.0.1:{}", proxy.port()),
    );
    let client = trusting(client, &authority);
    let ran = client.run(&["-vv", "install", "core"]);
    assert_eq!(ran.status(), 0, "{}", ran.stderr());
    is_silent_about_the_login(&ran.stderr());
    let first = &proxy.heads()[0];
    assert!(
        first.starts_with("CONNECT registry.invalid:443 "),
        "{first}"
    );
    assert!(first.contains(LOGIN_CODED), "{first}");
}

/// The same client, which trusts an authority.
fn trusting(client: Client, authority: &Authority) -> Client {
    let file = client.write("site.pem", &authority.pem());
    client.with("PROVISIONING_CA_FILE", file.to_str().unwrap())
}

#[test]
fn a_certificate_of_the_sites_own_is_believed_only_where_ca_file_names_its_issuer() {
    let folder = product();
    let authority = Authority::new();
    let tls = authority.server("127.0.0.1", 2100);
    let server = WebServer::with_tls(folder.path(), Some(tls), |_| Answer::File);
    let error = client_of(server.url()).error(5, &["install", "core"]);
    let text = error.to_string();
    assert!(
        text.contains("certificate") && text.contains("ca-file"),
        "{text}"
    );
    let other = trusting(client_of(server.url()), &Authority::new());
    other.error(5, &["install", "core"]);
    trusting(client_of(server.url()), &authority).ok(&["install", "core"]);
    let client = client_of(server.url());
    let file = client.write("all.pem", &authority.pem());
    client
        .with("SSL_CERT_FILE", file.to_str().unwrap())
        .ok(&["install", "core"]);
}

#[test]
fn certificates_of_another_name_or_of_the_past_are_refused_whoever_signed_them() {
    let folder = product();
    let authority = Authority::new();
    for (name, year) in [("other.invalid", 2100), ("127.0.0.1", 2021)] {
        let tls = authority.server(name, year);
        let server = WebServer::with_tls(folder.path(), Some(tls), |_| Answer::File);
        let client = trusting(client_of(server.url()), &authority);
        let error = client.error(5, &["install", "core"]);
        assert!(error.to_string().contains("certificate"), "{name}: {error}");
        assert!(!client.prefix().exists());
    }
}

#[test]
fn a_ca_file_that_is_none_is_a_usage_error_before_anything_is_asked() {
    let client = client_of("https://127.0.0.1:9/");
    let file = client.write("site.pem", "this is no certificate\n");
    let wrong = client.with("PROVISIONING_CA_FILE", file.to_str().unwrap());
    wrong.error(2, &["install", "core"]);
    let absent = wrong.with("PROVISIONING_CA_FILE", "/no/such/file.pem");
    let error = absent.error(1, &["install", "core"]);
    assert!(error.to_string().contains("/no/such/file.pem"), "{error}");
}

/// A server that answers 401 until it is shown the login.
fn closed(folder: &Path) -> WebServer {
    WebServer::start(folder, |asked| {
        wants_login(asked, "authorization", "401 Unauthorized")
    })
}

#[test]
fn a_login_comes_from_netrc_or_a_helper_and_is_in_no_message() {
    let folder = product();
    let server = closed(folder.path());
    let netrc = "machine 127.0.0.1 login ada password l0velace\n";
    let with_netrc = client_of(server.url());
    with_netrc.write(".netrc", netrc);
    let elsewhere = client_of(server.url());
    let place = elsewhere.write("secrets/netrc", netrc);
    let elsewhere = elsewhere.with("NETRC", place.to_str().unwrap());
    let asking = client_of(server.url());
    let helper = asking.write(
        "helper",
        "#!/bin/sh\n[ \"$1\" = get ] || exit 1\necho username=ada\necho password=l0velace\n",
    );
    let asking = asking.with("PROVISIONING_CREDENTIAL_HELPER", helper.to_str().unwrap());
    for client in [with_netrc, elsewhere, asking] {
        let ran = client.run(&["-vv", "install", "core"]);
        assert_eq!(ran.status(), 0, "{}", ran.stderr());
        is_silent_about_the_login(&ran.stderr());
        assert_eq!(packages(&client.json(&["list"])).len(), 1);
        let said = client.run(&["doctor"]).stdout();
        assert!(said.contains("answers"), "{said}");
    }
    let first = &server.heads()[0];
    assert!(!first.to_lowercase().contains("authorization"), "{first}");
}

#[test]
fn a_login_that_does_not_do_is_refused_and_the_way_to_another_is_named() {
    let folder = product();
    let server = closed(folder.path());
    let nobody = client_of(server.url());
    let wrong = client_of(server.url());
    wrong.write(".netrc", "machine 127.0.0.1 login ada password l0velace2\n");
    let failing = client_of(server.url()).with(
        "PROVISIONING_CREDENTIAL_HELPER",
        "echo password=l0velace; false",
    );
    let other_host = client_of(server.url());
    other_host.write(
        ".netrc",
        "machine elsewhere.example login ada password l0velace\n",
    );
    for client in [nobody, wrong, failing, other_host] {
        let error = client.error(1, &["-v", "install", "core"]);
        assert_eq!(error["code"], "registry-refused");
        let text = error.to_string();
        assert!(
            text.contains("401") && text.contains("provisioning login"),
            "{text}"
        );
        is_silent_about_the_login(&text);
        assert!(!client.prefix().exists());
    }
}

/// The address of a package's index entry holds its name behind a digest.
fn is_entry(path: &str, name: &str) -> bool {
    path.starts_with("/targets/index/") && path.ends_with(&format!(".{name}.json"))
}

#[test]
fn a_package_that_may_not_be_read_about_is_solved_around_or_told_apart() {
    let folder = product();
    let server = WebServer::start(folder.path(), |asked| {
        if is_entry(&asked.path, "redis") {
            return Answer::Status("403 Forbidden", &[]);
        }
        Answer::File
    });
    let client = client_of(server.url());
    client.ok(&["install", "mongodb"]);
    let error = client.error(3, &["install", "redis"]);
    assert_eq!(error["code"], "no-solution");
    assert!(error.to_string().contains("not-authorised"), "{error}");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("does not let you read about redis")
    );
    let error = client.error(3, &["install", "stable-3.2"]);
    assert!(error.to_string().contains("not-authorised"), "{error}");
    assert!(error.to_string().contains("provisioning login"), "{error}");
    client.error(1, &["info", "redis"]);
    let index = client.error(3, &["compat", "check", "redis"]);
    assert!(
        index.to_string().contains("does not let you read"),
        "{index}"
    );
}

#[test]
fn a_server_that_announces_or_sends_another_length_is_refused_and_nothing_is_kept() {
    let folder = product();
    for (file, status) in [("/archives/", 4), ("/metadata/timestamp.json", 4)] {
        let endless = WebServer::start(folder.path(), move |asked| {
            if asked.path.starts_with(file) {
                return Answer::Lying {
                    length: None,
                    sent: 4_000_000,
                };
            }
            Answer::File
        });
        let client = client_of(endless.url());
        client.error(status, &["install", "core"]);
        assert!(!client.prefix().join("lib/provisioning/current").exists());
    }
    let boasting = WebServer::start(folder.path(), |asked| {
        if asked.path.starts_with("/archives/") {
            return Answer::Lying {
                length: Some(1 << 40),
                sent: 10,
            };
        }
        Answer::File
    });
    client_of(boasting.url()).error(4, &["install", "core"]);
}

#[test]
fn an_answer_that_ends_early_is_taken_up_where_it_ended() {
    let folder = product();
    let server = WebServer::start(folder.path(), |asked| {
        let is_cut = asked.path.starts_with("/archives/") || asked.path.ends_with("timestamp.json");
        if is_cut && asked.nth == 1 {
            return Answer::Cut(40);
        }
        Answer::File
    });
    client_of(server.url()).ok(&["install", "lts-3.1"]);
}

#[test]
fn mirrors_that_are_closed_empty_or_lying_are_passed_over_and_the_registry_is_last() {
    let folder = product();
    let empty = TempDir::new().unwrap();
    let registry = WebServer::start(folder.path(), |_| Answer::File);
    let lying = WebServer::start(folder.path(), |_| Answer::Lying {
        length: None,
        sent: 10,
    });
    let lacking = WebServer::start(empty.path(), |_| Answer::File);
    let good = WebServer::start(folder.path(), |_| Answer::File);
    let closed = WebServer::start(folder.path(), |_| Answer::Status("401 Unauthorized", &[]));
    let places = [closed.url(), lying.url(), lacking.url(), good.url()];
    let client = client_of(registry.url()).with("PROVISIONING_MIRRORS", &places.join(" "));
    client.ok(&["install", "stable-3.2"]);
    let archives = |server: &WebServer| {
        let heads = server.heads();
        heads.iter().filter(|it| it.contains("/archives/")).count()
    };
    assert!(archives(&lying) > 0 && archives(&lacking) > 0 && archives(&good) > 0);
    assert_eq!(archives(&registry), 0);
    // What is current is asked of the registry; where it is silent, of the mirrors.
    let alone = client_of("http://127.0.0.1:9/").with("PROVISIONING_MIRRORS", good.url());
    alone.ok(&["install", "core"]);
}
