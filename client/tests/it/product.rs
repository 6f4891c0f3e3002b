//! The product of the guide in small: cores, platforms, extensions, templates, and the two
//! bundles over them.

use serde_json::Value;

use crate::registry_fixture::{Client, Registry, Sample};

/// The matrix and the drafts of the guide.
const VERSIONS: &str = r#"
[compatibility.core]
"3.2.1" = { platform = "^2.5", extensions = "^1.0", workspace = "^1.0" }
"3.2.0" = { platform = "^2.4", extensions = "^1.0", workspace = "^1.0" }
"3.1.0" = { platform = "^2.3", extensions = "^0.9", workspace = "^1.0" }
[compatibility.platform]
"2.5.3" = { core = "^3.2", min-core = "3.2.0" }
"2.5.0" = { core = "^3.1", min-core = "3.1.0" }
[bundles.stable-3.2]
name = "Stable 3.2 Bundle"
release-date = "2025-10-15"
core = "3.2.1"
platform = "2.5.3"
extensions = ["mongodb@1.2.0", "redis@1.1.0", "azure@2.0.0"]
workspace = "1.4.0"
[bundles.lts-3.1]
name = "LTS 3.1 Bundle"
release-date = "2025-09-01"
lts-until = "2026-09-01"
core = "3.1.5"
platform = "2.4.8"
workspace = "1.3.0"
"#;

/// A registry that has all of it, and a client with an empty prefix.
pub(crate) fn published() -> (Registry, Client) {
    let registry = Registry::start();
    let author = Client::of(&registry);
    let archives: Vec<_> = samples().iter().map(|it| author.build(it)).collect();
    let mut arguments = vec!["publish"];
    arguments.extend(archives.iter().map(|it| it.to_str().unwrap()));
    author.ok(&arguments);
    author.write("versions.toml", VERSIONS);
    author.ok(&["compat", "push", "versions.toml"]);
    author.ok(&["bundle", "publish", "lts-3.1"]);
    author.ok(&["bundle", "publish", "stable-3.2"]);
    let client = Client::alone()
        .with("PROVISIONING_REGISTRY", registry.url())
        .with("PROVISIONING_TOKEN", "secret-token");
    (registry, client)
}

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    samples.extend(["3.1.0", "3.1.5", "3.2.0", "3.2.1"].map(core));
    for (version, needs) in [
        ("2.4.0", "^3.0"),
        ("2.4.8", "^3.1"),
        ("2.5.0", "^3.1"),
        ("2.5.3", "^3.2"),
    ] {
        samples.push(platform(version, needs));
    }
    samples.extend(["1.3.0", "1.4.0"].map(templates));
    for (name, version) in [("mongodb", "1.2.0"), ("redis", "1.1.0"), ("azure", "2.0.0")] {
        let sample = Sample::extension(name, version).key("core-version = \"^3.0\"");
        samples.push(sample.key("api = \"1.0.0\""));
    }
    samples
}

fn core(version: &str) -> Sample {
    let cli = format!(
        "#!/bin/sh\necho \"core {version}: $* ($PROVISIONING_PREFIX)\"\n\
         echo \"token: ${{PROVISIONING_TOKEN-none}}\"\nexit 7\n"
    );
    Sample::first_party("core", version).file("cli/provisioning", &cli)
}

fn platform(version: &str, needs: &str) -> Sample {
    let program = format!("#!/bin/sh\necho orchestrator {version}\n");
    Sample::first_party("platform", version)
        .table(&format!(
            "[dependencies]\ncore = \"{needs}\"\n[install]\nconfig = [\"config/*.toml\"]"
        ))
        .file("bin/provisioning-orchestrator", &program)
        .file("config/orchestrator.toml", &format!("# {version}\n"))
}

fn templates(version: &str) -> Sample {
    Sample::first_party("workspace", version)
        .file(
            "templates/minimal/README.md.j2",
            "# {{ name }}\n\nOne server, made from the template `{{ template }}` {{ version }}.\n",
        )
        .file(
            "templates/minimal/infra/default.toml",
            "plain = \"{{ name }}\"\n",
        )
        .file("templates/kubernetes/nodes.k", "nodes = 3\n")
}

/// `name version`, as a plan or a list shows packages.
pub(crate) fn packages(document: &Value) -> Vec<String> {
    document["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", text(&it["name"]), text(&it["version"])))
        .collect()
}

/// `action name version`, as a plan shows changes; what stays is left out.
pub(crate) fn changes(document: &Value) -> Vec<String> {
    document["plan"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["action"] != "keep")
        .map(|it| {
            let version = if it["to"].is_null() {
                &it["from"]
            } else {
                &it["to"]
            };
            format!(
                "{} {} {}",
                text(&it["action"]),
                text(&it["name"]),
                text(version)
            )
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
