//! `provisioning workspace update`: a workspace moved to a newer template.

use std::path::{Path, PathBuf};

use provisioning_installers::{
    Choice, Conflict, ConflictKind, FileAction, FileChange, Labels, Merged, Node, Tree,
    apply_changes, merge, read_tree_at, recover_changes,
};
use provisioning_package::Version;
use serde::Serialize;

use super::answers::{self, Typed};
use super::git;
use super::record::{RECORD_FILE, Record};
use super::source::Finder;
use super::{WORKSPACE_FILE, clean};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::transaction::Mode;

/// What our side of a conflict is called.
const OURS: &str = "this workspace";

/// Move a workspace to a newer version of its template
///
/// A three-way merge: what the template changed since is put into your files, what you
/// changed stays, and lines that both changed are left marked (`<<<<<<<`) for you to settle;
/// then the exit status is 1. Files that cannot be merged stay, and the template's stands
/// beside as `FILE.new`. What you removed stays removed. Either all of it is written or
/// nothing is. The installed packages are not touched.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The workspace; else the one around the current folder
    dir: Option<PathBuf>,
    /// This version of the package `workspace`, or the newest that meets this requirement
    #[arg(long, value_name = "V")]
    to: Option<String>,
    /// Say what would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Only say whether there is something newer: exit status 100 if there is
    #[arg(long)]
    check: bool,
    /// Go on although the git worktree has changes that are not committed
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    typed: Typed,
}

#[derive(Serialize)]
struct Document<'a> {
    workspace: String,
    template: &'a str,
    from: &'a Version,
    to: &'a Version,
    changed: bool,
    files: &'a [FileChange],
    conflicts: &'a [Conflict],
}

/// Runs it.
pub(super) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let root = root(args, context)?;
    let mode = Mode::of(args.dry_run || args.check);
    if mode == Mode::Do && recover_changes(&root)? {
        context
            .output
            .note("an update that was interrupted was taken back first");
    }
    let record = Record::read(&root)?;
    if mode == Mode::Do && !args.force {
        refuse_uncommitted(&root, context)?;
    }
    let mut finder = Finder::new(context, mode)?;
    let choice = finder.choose(args.to.as_deref()).await?;
    if args.check {
        return check(&root, &record, &choice, context);
    }
    if stays(args, &record, &choice) {
        let merged = Merged::default();
        return show(&root, &record, &record.version, &merged, args, context);
    }
    let (next, merged) = prepare(&root, &record, &choice, &mut finder, args, context).await?;
    if mode == Mode::Do {
        let mut writes = merged.writes.clone();
        writes.insert(RECORD_FILE.to_owned(), Some(next.to_node()));
        apply_changes(&root, &writes)?;
    }
    show(&root, &record, &next.version, &merged, args, context)
}

/// Whether there is nothing to move to and nothing new was answered.
fn stays(args: &Args, record: &Record, choice: &Choice) -> bool {
    let is_same = choice.version == record.version;
    let is_older = choice.version < record.version && args.to.is_none();
    !args.typed.answers_something() && (is_same || is_older)
}

/// Renders both templates and merges.
async fn prepare(
    root: &Path,
    record: &Record,
    choice: &Choice,
    finder: &mut Finder,
    args: &Args,
    context: &Context,
) -> Outcome<(Record, Merged)> {
    let old = finder.of_record(record).await?;
    let old = finder.fetch(&old).await?;
    let new = finder.fetch(choice).await?;
    let base = rendered(record, &old.template(&record.template)?)?;
    let template = new.template(&record.template)?;
    let answers = answers::gather(&template, &record.answers, &args.typed, context)?;
    let next = Record::new(&record.template, &new.version, new.digest, answers);
    let theirs = rendered(&next, &template)?;
    let paths = base.keys().chain(theirs.keys()).map(String::as_str);
    let ours = read_tree_at(root, paths, &base)?;
    refuse_unsettled(&ours)?;
    let labels = Labels {
        ours: OURS.to_owned(),
        theirs: format!("template {} {}", next.template, next.version),
    };
    Ok((next, merge(&base, &ours, &theirs, &labels)))
}

fn rendered(record: &Record, template: &provisioning_installers::Template) -> Outcome<Tree> {
    let mut tree = template.render(&record.variables())?;
    record.complete(&mut tree)?;
    tree.remove(RECORD_FILE);
    Ok(tree)
}

fn root(args: &Args, context: &Context) -> Outcome<PathBuf> {
    let root = match &args.dir {
        Some(dir) => clean(&context.env.absolute(dir)),
        None => match context.settings.workspace() {
            Some(root) => root.to_owned(),
            None => context.env.folder.clone(),
        },
    };
    if root.join(WORKSPACE_FILE).is_file() {
        return Ok(root);
    }
    Err(Failure::new(
        "no-workspace",
        format!(
            "`{}` is no workspace: it has no `{WORKSPACE_FILE}`",
            root.display()
        ),
    )
    .with_hint("run it in a workspace, or name one: `provisioning workspace update DIR`"))
}

fn refuse_uncommitted(root: &Path, context: &Context) -> Outcome<()> {
    let files = git::uncommitted(root, context);
    if files.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "uncommitted-changes",
        format!("`{}` has changes that are not committed", root.display()),
    )
    .with_causes(files)
    .with_hint("commit them first, so that `git diff` shows what the update did")
    .with_hint("`--force` goes on all the same; nothing was changed"))
}

/// A merge into a file that still has the marks of an earlier one makes nonsense.
fn refuse_unsettled(ours: &Tree) -> Outcome<()> {
    let mark = format!("<<<<<<< {OURS}");
    let is_marked = |node: &Node| match node {
        Node::File { bytes, .. } => String::from_utf8_lossy(bytes)
            .lines()
            .any(|it| it.trim_end() == mark),
        Node::Link { .. } | Node::Folder => false,
    };
    let marked: Vec<String> = ours
        .iter()
        .filter(|(_, node)| is_marked(node))
        .map(|(path, _)| path.clone())
        .collect();
    if marked.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "unsettled-conflicts",
        "files still have the marks of an earlier update",
    )
    .with_causes(marked)
    .with_hint("settle what is between `<<<<<<<` and `>>>>>>>` first; nothing was changed"))
}

fn check(root: &Path, record: &Record, choice: &Choice, context: &Context) -> Outcome<Exit> {
    let is_newer = choice.version > record.version;
    let document = Document {
        workspace: root.display().to_string(),
        template: &record.template,
        from: &record.version,
        to: &choice.version,
        changed: false,
        files: &[],
        conflicts: &[],
    };
    context.output.result(&document, |out| {
        let (name, version) = (&record.template, &record.version);
        if is_newer {
            writeln!(
                out,
                "`{}` is made from the template `{name}` {version}; there is {}: \
                 `provisioning workspace update`",
                root.display(),
                choice.version
            )
        } else {
            writeln!(
                out,
                "`{}` is up to date with the template `{name}` {version}",
                root.display()
            )
        }
    })?;
    Ok(if is_newer { Exit::Outdated } else { Exit::Done })
}

fn show(
    root: &Path,
    record: &Record,
    to: &Version,
    merged: &Merged,
    args: &Args,
    context: &Context,
) -> Outcome<Exit> {
    let is_done = !args.dry_run && *to != record.version || !merged.writes.is_empty();
    let document = Document {
        workspace: root.display().to_string(),
        template: &record.template,
        from: &record.version,
        to,
        changed: is_done && !args.dry_run,
        files: &merged.files,
        conflicts: &merged.conflicts,
    };
    context.output.result(&document, |out| {
        for it in &merged.files {
            writeln!(out, "  {:8} {}", word(&it.action), described(it))?;
        }
        let (name, from) = (&record.template, &record.version);
        match (args.dry_run, is_done || to != from) {
            (true, true) => writeln!(
                out,
                "template `{name}`: {from} would become {to}; nothing was changed (dry run)"
            )?,
            (_, false) => writeln!(out, "up to date with the template `{name}` {from}")?,
            (false, true) => writeln!(out, "template `{name}`: {from} became {to}")?,
        }
        if !merged.conflicts.is_empty() {
            writeln!(out, "\nfor you to settle:")?;
        }
        for it in &merged.conflicts {
            writeln!(out, "  {}: {}", it.path, reason(&it.kind))?;
        }
        Ok(())
    })?;
    Ok(if merged.conflicts.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

const fn word(action: &FileAction) -> &'static str {
    match action {
        FileAction::Add => "new",
        FileAction::Update => "updated",
        FileAction::Merge => "merged",
        FileAction::Remove => "removed",
        FileAction::Rename { .. } => "renamed",
        FileAction::Skip => "skipped",
    }
}

fn described(change: &FileChange) -> String {
    match &change.action {
        FileAction::Rename { from } => format!("{from} -> {}", change.path),
        FileAction::Skip => format!("{} (you removed it)", change.path),
        FileAction::Add | FileAction::Update | FileAction::Merge | FileAction::Remove => {
            change.path.clone()
        }
    }
}

fn reason(kind: &ConflictKind) -> String {
    match kind {
        ConflictKind::Marked => "both changed the same lines, marked `<<<<<<<`".to_owned(),
        ConflictKind::Beside { new } => {
            format!("both changed it; yours stays, the template's is `{new}`")
        }
        ConflictKind::Removed => {
            "the template has it no more, but you changed it: it stays".to_owned()
        }
    }
}
