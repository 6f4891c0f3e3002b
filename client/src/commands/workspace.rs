//! `provisioning workspace`: a project made from a template.
//!
//! Templates come in the `workspace` package: each folder under its `templates/` is one.
//! They are read from the installed package; where none is installed, it is installed
//! first, since the next workspace will want it too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use provisioning_installers::{Generation, InstalledPackage, scaffold};
use provisioning_package::{Kind, Spec};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Table;
use crate::planning::{Intent, SolveOptions};
use crate::transaction::{Mode, ensure, installed_now, open_prefix};

mod record;

/// What makes a folder a workspace.
const WORKSPACE_FILE: &str = "provisioning.toml";
/// The template of `init` where none is named.
const TEMPLATE_DEFAULT: &str = "minimal";
/// Where the templates are in the package.
const TEMPLATES: &str = "templates";
/// Characters of a line that describes a template.
const SUMMARY_CHARS_MAX: usize = 80;

/// What to do with workspaces.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make a workspace from a template in a new folder
    Create {
        /// The new folder; nothing in it is overwritten
        dir: PathBuf,
        /// The template
        #[arg(long, value_name = "T")]
        template: String,
    },
    /// Make the current or a given folder a workspace
    ///
    /// With `--template`, the folder must be new or empty. Without, a folder that holds
    /// files already becomes a workspace by one new file, `provisioning.toml`; an empty one
    /// is made from the template `minimal`.
    Init {
        /// The folder
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The template
        #[arg(long, value_name = "T")]
        template: Option<String>,
    },
    /// List the templates
    Templates,
}

#[derive(Serialize)]
struct Made {
    workspace: String,
    template: Option<String>,
    version: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    templates: Vec<Template>,
    version: String,
}

/// A template of the installed package.
#[derive(Debug, Clone, Serialize)]
struct Template {
    name: String,
    description: Option<String>,
    #[serde(skip)]
    folder: PathBuf,
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Create { dir, template } => {
            create(&context.env.absolute(dir), template, context).await
        }
        Action::Init { dir, template } => {
            let dir = context.env.absolute(dir);
            match template {
                Some(template) => create(&dir, template, context).await,
                None if is_empty(&dir) => create(&dir, TEMPLATE_DEFAULT, context).await,
                None => adopt(&dir, context),
            }
        }
        Action::Templates => list(context).await,
    }
}

async fn create(dir: &Path, template: &str, context: &Context) -> Outcome<Exit> {
    let dir = clean(dir);
    if !is_empty(&dir) {
        return Err(Failure::new(
            "workspace-exists",
            format!("`{}` exists and is not an empty folder", dir.display()),
        )
        .with_hint("choose another folder; nothing is ever overwritten"));
    }
    let (package, templates) = templates(context).await?;
    let Some(found) = templates.iter().find(|it| it.name == template) else {
        return Err(unknown_template(template, &templates));
    };
    let name = dir
        .file_name()
        .map(|it| it.to_string_lossy().into_owned())
        .unwrap_or_default();
    let version = package.version.to_string();
    let variables: BTreeMap<String, String> = [
        ("name", name.as_str()),
        ("template", template),
        ("version", version.as_str()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    scaffold(&found.folder, &dir, &variables)?;
    record::write(&dir.join(WORKSPACE_FILE), &variables)?;
    let document = Made {
        workspace: dir.display().to_string(),
        template: Some(template.to_owned()),
        version: Some(version.clone()),
    };
    context.output.result(&document, |out| {
        writeln!(
            out,
            "`{}` is a workspace, made from the template `{template}` {version}",
            dir.display()
        )
    })?;
    Ok(Exit::Done)
}

/// Makes a folder that holds files already a workspace.
fn adopt(dir: &Path, context: &Context) -> Outcome<Exit> {
    let dir = clean(dir);
    let file = dir.join(WORKSPACE_FILE);
    if file.symlink_metadata().is_ok() {
        return Err(Failure::new(
            "workspace-exists",
            format!("`{}` is a workspace already", dir.display()),
        ));
    }
    if !dir.is_dir() {
        return Err(Failure::new(
            "workspace-exists",
            format!("`{}` is no folder", dir.display()),
        ));
    }
    let name = dir
        .file_name()
        .map(|it| it.to_string_lossy().into_owned())
        .unwrap_or_default();
    record::write(&file, &[("name".to_owned(), name)].into())?;
    let document = Made {
        workspace: dir.display().to_string(),
        template: None,
        version: None,
    };
    context.output.result(&document, |out| {
        writeln!(out, "`{}` is a workspace", dir.display())
    })?;
    Ok(Exit::Done)
}

async fn list(context: &Context) -> Outcome<Exit> {
    let (package, templates) = templates(context).await?;
    let document = Listed {
        templates,
        version: package.version.to_string(),
    };
    context.output.result(&document, |out| {
        let mut table = Table::new(["TEMPLATE", "DESCRIPTION"]);
        for it in &document.templates {
            table.row([it.name.clone(), it.description.clone().unwrap_or_default()]);
        }
        table.write(out)
    })?;
    Ok(Exit::Done)
}

/// The installed templates; the package is installed where it is not.
async fn templates(context: &Context) -> Outcome<(InstalledPackage, Vec<Template>)> {
    let package = match installed_now(context)?.as_ref().and_then(workspace_package) {
        Some(package) => package,
        None => fetch(context).await?,
    };
    let prefix = open_prefix(context, Mode::Do)?;
    let folder = prefix
        .package_tree(package.kind, &package.name)
        .join(TEMPLATES);
    let entries = fs::read_dir(&folder).map_err(|it| Failure::io("read", &folder, &it))?;
    let mut templates: Vec<Template> = entries
        .flatten()
        .filter(|it| it.path().is_dir())
        .filter_map(|it| {
            let folder = it.path();
            Some(Template {
                name: it.file_name().into_string().ok()?,
                description: summary(&folder),
                folder,
            })
        })
        .collect();
    templates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((package, templates))
}

async fn fetch(context: &Context) -> Outcome<InstalledPackage> {
    context
        .output
        .status("the templates are not installed yet: installing the package `workspace`");
    let spec: Spec = Kind::Workspace.as_str().parse()?;
    let intent = Intent::Install {
        specs: vec![spec],
        leave_bundle: false,
        options: SolveOptions::of_this_machine(),
    };
    ensure(&intent, context).await?;
    installed_now(context)?
        .as_ref()
        .and_then(workspace_package)
        .ok_or_else(|| Failure::new("no-templates", "the package `workspace` is not installed"))
}

fn workspace_package(current: &Generation) -> Option<InstalledPackage> {
    current
        .packages
        .iter()
        .find(|it| it.kind == Kind::Workspace)
        .cloned()
}

fn unknown_template(name: &str, templates: &[Template]) -> Failure {
    let names: Vec<_> = templates
        .iter()
        .map(|it| format!("`{}`", it.name))
        .collect();
    Failure::new("unknown-template", format!("there is no template `{name}`"))
        .with_hint(format!("there are {}", names.join(", ")))
}

/// The first sentence of a template's README that is no heading.
fn summary(folder: &Path) -> Option<String> {
    let text = ["README.md.j2", "README.md"]
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
