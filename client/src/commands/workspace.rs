//! `provisioning workspace`: a project made from a template, and moved to newer ones.
//!
//! Templates come in the `workspace` package: each folder under its `templates/` is one.
//! They are read from the installed package; where none is installed, it is installed
//! first, since the next workspace will want it too. A listing installs nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use provisioning_installers::{
    Answer, Answers, Node, ScaffoldError, Tree, apply_changes, make_folder_of, recover_changes,
};
use provisioning_package::{Digest, Version};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;

mod answers;
mod git;
mod record;
mod source;
mod update;

use answers::Typed;
use record::{RECORD_FILE, Record};
use source::Templates;

/// What makes a folder a workspace.
const WORKSPACE_FILE: &str = "provisioning.toml";
/// The template of `init` where none is named.
const TEMPLATE_DEFAULT: &str = "minimal";
/// Characters of a line that describes a template.
const SUMMARY_CHARS_MAX: usize = 80;

/// What to do with workspaces.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make a workspace from a template in a new folder
    ///
    /// What the template asks is answered with `--set`, at the terminal, or by its
    /// defaults. What was answered is recorded, so that `workspace update` can move the
    /// workspace to a newer template.
    Create {
        /// The new folder; nothing in it is overwritten
        dir: PathBuf,
        /// The template
        #[arg(long, value_name = "T")]
        template: String,
        #[command(flatten)]
        typed: Typed,
    },
    /// Make the current or a given folder a workspace
    ///
    /// With `--template`, the template's files are added to what is in the folder; if one
    /// of them is there already, all such are named and nothing is written. Without, a
    /// folder that holds files becomes a workspace by one new file, `provisioning.toml`;
    /// an empty one is made from the template `minimal`.
    Init {
        /// The folder
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The template
        #[arg(long, value_name = "T")]
        template: Option<String>,
        #[command(flatten)]
        typed: Typed,
    },
    Update(update::Args),
    /// List the templates
    Templates,
}

#[derive(Serialize)]
struct Made {
    workspace: String,
    template: Option<String>,
    version: Option<Version>,
    digest: Option<Digest>,
    answers: Answers,
    files: Vec<String>,
}

#[derive(Serialize)]
struct Listed {
    templates: Vec<Described>,
    version: String,
}

/// A template of the installed package.
#[derive(Debug, Clone, Serialize)]
struct Described {
    name: String,
    description: Option<String>,
    /// What it asks.
    variables: Vec<Question>,
}

/// One thing that a template asks.
#[derive(Debug, Clone, Serialize)]
struct Question {
    name: String,
    prompt: String,
    default: Option<Answer>,
    choices: Vec<Answer>,
}

/// Whether the folder may hold something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// It must be new or empty.
    Empty,
    /// It may hold other files.
    Shared,
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Create {
            dir,
            template,
            typed,
        } => {
            let dir = context.env.absolute(dir);
            make(&dir, template, Room::Empty, typed, context).await
        }
        Action::Init {
            dir,
            template,
            typed,
        } => {
            let dir = context.env.absolute(dir);
            match template {
                Some(template) => make(&dir, template, Room::Shared, typed, context).await,
                None if is_empty(&dir) => {
                    make(&dir, TEMPLATE_DEFAULT, Room::Empty, typed, context).await
                }
                None => adopt(&dir, context),
            }
        }
        Action::Update(args) => update::run(args, context).await,
        Action::Templates => list(context).await,
    }
}

async fn make(
    dir: &Path,
    template: &str,
    room: Room,
    typed: &Typed,
    context: &Context,
) -> Outcome<Exit> {
    let dir = clean(dir);
    if dir.is_dir() {
        recover_changes(&dir)?;
    }
    check_room(&dir, room)?;
    let templates = Templates::installed(context).await?;
    let made = make_from(&templates, template, &dir, typed, context);
    made.map_err(|it| templates.tell(it))
}

fn make_from(
    templates: &Templates,
    template: &str,
    dir: &Path,
    typed: &Typed,
    context: &Context,
) -> Outcome<Exit> {
    let found = templates.template(template)?;
    let known = [("name".to_owned(), Answer::Text(folder_name(dir)))].into();
    let answers = answers::gather(&found, &known, typed, context)?;
    let record = Record::new(template, &templates.version, templates.digest, answers);
    let mut tree = found.render(&record.variables())?;
    record.complete(&mut tree)?;
    tree.insert(RECORD_FILE.to_owned(), record.to_node());
    write(dir, &tree)?;
    let document = Made {
        workspace: dir.display().to_string(),
        template: Some(template.to_owned()),
        version: Some(record.version.clone()),
        digest: record.digest,
        answers: record.answers,
        files: tree.into_keys().collect(),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "`{}` is a workspace, made from the template `{template}` {}",
            dir.display(),
            record.version
        )
    })?;
    Ok(Exit::Done)
}

fn check_room(dir: &Path, room: Room) -> Outcome<()> {
    if room == Room::Empty && !is_empty(dir) {
        return Err(Failure::new(
            "workspace-exists",
            format!("`{}` exists and is not an empty folder", dir.display()),
        )
        .with_hint("choose another folder; nothing is ever overwritten")
        .with_hint("`provisioning workspace init DIR --template T` adds to a folder that holds other files"));
    }
    if dir.join(WORKSPACE_FILE).symlink_metadata().is_ok() {
        return Err(already(dir));
    }
    Ok(())
}

/// Writes what a template gave, beside what is there.
fn write(dir: &Path, tree: &Tree) -> Outcome<()> {
    if dir.symlink_metadata().is_err() {
        return Ok(make_folder_of(dir, tree)?);
    }
    let mut clashes = Vec::new();
    let mut changes = BTreeMap::new();
    for (path, node) in tree {
        let place = dir.join(path);
        let is_there = place.symlink_metadata().is_ok();
        let is_folder = *node == Node::Folder && place.is_dir();
        if is_there && !is_folder {
            clashes.push(path.clone());
        } else if !is_there {
            changes.insert(path.clone(), Some(node.clone()));
        }
    }
    if clashes.is_empty() {
        return Ok(apply_changes(dir, &changes)?);
    }
    Err(Failure::from(ScaffoldError::Clashes(clashes))
        .with_hint("move them away, or choose another folder; nothing was written"))
}

/// Makes a folder that holds files already a workspace.
fn adopt(dir: &Path, context: &Context) -> Outcome<Exit> {
    let dir = clean(dir);
    if dir.join(WORKSPACE_FILE).symlink_metadata().is_ok() {
        return Err(already(&dir));
    }
    if !dir.is_dir() {
        return Err(Failure::new(
            "workspace-exists",
            format!("`{}` is no folder", dir.display()),
        ));
    }
    let node = record::without_template(&folder_name(&dir));
    apply_changes(&dir, &[(WORKSPACE_FILE.to_owned(), Some(node))].into())?;
    let document = Made {
        workspace: dir.display().to_string(),
        template: None,
        version: None,
        digest: None,
        answers: Answers::new(),
        files: vec![WORKSPACE_FILE.to_owned()],
    };
    context.output.result(&document, |out| {
        writeln!(out, "`{}` is a workspace", dir.display())
    })?;
    Ok(Exit::Done)
}

async fn list(context: &Context) -> Outcome<Exit> {
    let templates = Templates::at_hand(context).await?;
    let mut listed = Vec::new();
    for name in templates.names()? {
        let template = templates.template(&name)?;
        let described = template.description().map(str::to_owned);
        let variables = template.variables().iter();
        listed.push(Described {
            description: described.or_else(|| summary(&templates.folder(&name))),
            variables: variables
                .map(|it| Question {
                    name: it.name().to_owned(),
                    prompt: it.prompt().to_owned(),
                    default: it.default().cloned(),
                    choices: it.choices().to_vec(),
                })
                .collect(),
            name,
        });
    }
    let document = Listed {
        templates: listed,
        version: templates.version.to_string(),
    };
    context.output.result(&document, |out| {
        let mut table = Table::new(["TEMPLATE", "DESCRIPTION", "ASKS"]);
        for it in &document.templates {
            let asks: Vec<_> = it.variables.iter().map(|it| it.name.as_str()).collect();
            table.row([
                it.name.clone(),
                it.description.clone().unwrap_or_default(),
                asks.join(", "),
            ]);
        }
        table.write(out)
    })?;
    Ok(Exit::Done)
}

fn already(dir: &Path) -> Failure {
    Failure::new(
        "workspace-exists",
        format!("`{}` is a workspace already", dir.display()),
    )
    .with_hint("`provisioning workspace update` moves it to a newer template")
}

/// The first sentence of a template's README that is no heading.
fn summary(folder: &Path) -> Option<String> {
    let text = ["README.md.j2", "README.md.jinja", "README.md"]
        .into_iter()
        .find_map(|it| fs::read_to_string(folder.join(it)).ok())?;
    let line = text
        .lines()
        .map(str::trim)
        .find(|it| !it.is_empty() && !it.starts_with('#'))?;
    let sentence = line.split(", made from").next().unwrap_or(line);
    let sentence = sentence.split(". ").next().unwrap_or(sentence);
    Some(sentence.chars().take(SUMMARY_CHARS_MAX).collect())
}

fn folder_name(dir: &Path) -> String {
    dir.file_name()
        .map(|it| it.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn is_empty(dir: &Path) -> bool {
    match fs::symlink_metadata(dir) {
        Err(_) => true,
        Ok(_) => fs::read_dir(dir).is_ok_and(|mut it| it.next().is_none()),
    }
}

/// `a/./b/..` as people mean it, so that `.` has a name.
fn clean(dir: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in dir.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                cleaned.pop();
            }
            std::path::Component::Prefix(_)
            | std::path::Component::RootDir
            | std::path::Component::Normal(_) => cleaned.push(part),
        }
    }
    cleaned
}
