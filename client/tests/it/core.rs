//! Words that are the installed core's.

use crate::product::published;
use crate::registry_fixture::Client;

#[test]
fn words_that_are_no_command_reach_the_installed_core_without_our_token() {
    let (_registry, client) = published();
    client.ok(&["install", "core@3.1.0"]);
    let ran = client.run(&["server", "create", "web-1", "--plan", "small", "--json"]);
    let prefix = client.prefix();
    assert_eq!(
        ran.stdout(),
        format!(
            "core 3.1.0: server create web-1 --plan small --json ({})\ntoken: none\n",
            prefix.display()
        )
    );
    assert_eq!(ran.status(), 7, "the status is the core's own");
    let shadowed = client.run(&["core", "--", "list", "-v"]);
    assert!(
        shadowed.stdout().starts_with("core 3.1.0: list -v"),
        "{}",
        shadowed.stdout()
    );
}

#[test]
fn without_a_core_a_word_is_a_usage_error_with_the_nearest_command() {
    let client = Client::alone();
    let error = client.error(2, &["instal", "core"]);
    assert_eq!(error["code"], "unknown-command");
    assert_eq!(error["hints"][0], "did you mean `install`?");
    assert!(
        error["hints"][1]
            .as_str()
            .unwrap()
            .contains("provisioning install core")
    );
    assert_eq!(client.run(&["core", "--", "server", "list"]).status(), 2);
    assert!(!client.prefix().exists());
}
