//! `provisioning extension new`: the first files of an extension, which build at once.

use std::fs;
use std::path::PathBuf;

use provisioning_installers::{Node, Tree, apply_changes, make_folder_of};
use provisioning_package::{ExtensionType, Kind, Manifest, PackageName};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Start a new extension
///
/// Makes a folder with a manifest, a script that answers a plan, its settings' schema and a
/// smoke test. It builds as it is: `provisioning package build NAME -o dist`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The extension's name: small letters, digits and single dashes
    name: String,
    /// What it adds to the core
    #[arg(long = "type", value_name = "T", value_parser = ["provider", "taskserv", "cluster", "workflow"])]
    extension_type: String,
    /// The new folder; a folder of the extension's name if left out
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document<'a> {
    extension: &'a PackageName,
    #[serde(rename = "type")]
    extension_type: ExtensionType,
    folder: PathBuf,
    files: Vec<String>,
}

/// Runs it.
pub(super) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let name = name(&args.name)?;
    let extension_type: ExtensionType = args
        .extension_type
        .parse()
        .expect("clap takes no other word than the four types");
    let folder = match &args.dir {
        Some(dir) => context.env.absolute(dir),
        None => context.env.absolute(name.as_str().as_ref()),
    };
    let tree = files(&name, extension_type);
    let manifest = tree.get(Manifest::FILE);
    debug_assert!(manifest.is_some(), "an extension has a manifest");
    match fs::symlink_metadata(&folder) {
        Err(_) => make_folder_of(&folder, &tree)?,
        Ok(_) if is_empty(&folder) => {
            let changes = tree
                .iter()
                .map(|(path, node)| (path.clone(), Some(node.clone())));
            apply_changes(&folder, &changes.collect())?;
        }
        Ok(_) => {
            return Err(Failure::new(
                "folder-exists",
                format!("`{}` exists and is not an empty folder", folder.display()),
            )
            .with_hint(format!(
                "name another one: `provisioning extension new {name} --type {extension_type} DIR`; \
                 nothing was written"
            )));
        }
    }
    let document = Document {
        extension: &name,
        extension_type,
        files: tree.into_keys().collect(),
        folder,
    };
    context.output.result(&document, |out| {
        let folder = document.folder.display();
        writeln!(out, "the {extension_type} `{name}` is begun in `{folder}`")?;
        writeln!(out, "next: `provisioning package build {folder} -o dist`")
    })?;
    Ok(Exit::Done)
}

/// A name that a new extension may have, under its one spelling.
fn name(text: &str) -> Outcome<PackageName> {
    let refused = |failure: Failure| {
        failure
            .with_hint("`provisioning extension new redis --type taskserv` is a good start")
            .with_hint("nothing was written")
    };
    let name = PackageName::parse(text).map_err(|it| refused(it.into()))?;
    match name.kind() {
        Kind::Extension => Ok(name),
        Kind::Core | Kind::Platform | Kind::Workspace | Kind::Client => Err(refused(
            Failure::new(
                "invalid-name",
                format!("`{text}` is a kind of package, and no extension's name"),
            )
            .with_exit(Exit::Usage),
        )),
    }
}

fn files(name: &PackageName, extension_type: ExtensionType) -> Tree {
    let script = match extension_type {
        ExtensionType::Provider => include_str!("../../../templates/extension/provider.nu"),
        ExtensionType::Taskserv => include_str!("../../../templates/extension/taskserv.nu"),
        ExtensionType::Cluster => include_str!("../../../templates/extension/cluster.nu"),
        ExtensionType::Workflow => include_str!("../../../templates/extension/workflow.nu"),
    };
    let answer = match extension_type {
        ExtensionType::Provider | ExtensionType::Taskserv => "files",
        ExtensionType::Cluster => "servers",
        ExtensionType::Workflow => "steps",
    };
    let snake = name.as_str().replace('-', "_");
    let mut files = vec![
        (
            Manifest::FILE.to_owned(),
            include_str!("../../../templates/extension/manifest.toml"),
        ),
        (
            "README.md".to_owned(),
            include_str!("../../../templates/extension/README.md"),
        ),
        (
            ".gitignore".to_owned(),
            include_str!("../../../templates/extension/gitignore"),
        ),
        (
            format!("kcl/{snake}.k"),
            include_str!("../../../templates/extension/schema.k"),
        ),
        (
            "tests/smoke.nu".to_owned(),
            include_str!("../../../templates/extension/smoke.nu"),
        ),
        (format!("{extension_type}.nu"), script),
    ];
    if answer == "files" {
        let text = include_str!("../../../templates/extension/settings.conf");
        files.push((format!("templates/{name}.conf"), text));
    }
    let fill = |text: &str| {
        text.replace("@NAME@", name.as_str())
            .replace("@TYPE@", extension_type.as_str())
            .replace("@SNAKE@", &snake)
            .replace("@PASCAL@", &pascal(name.as_str()))
            .replace("@ANSWER@", answer)
    };
    let nodes = files
        .into_iter()
        .map(|(path, text)| (path, Node::text(fill(text))));
    nodes.collect()
}

/// `web-farm` as a schema's name: `WebFarm`; one that begins with a digit gets a letter.
fn pascal(name: &str) -> String {
    let mut text: String = name
        .split('-')
        .flat_map(|part| {
            let mut characters = part.chars();
            let first = characters.next().map(|it| it.to_ascii_uppercase());
            first.into_iter().chain(characters)
        })
        .collect();
    if text.starts_with(|it: char| it.is_ascii_digit()) {
        text.insert(0, 'X');
    }
    text
}

fn is_empty(folder: &std::path::Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut it| it.next().is_none())
}
