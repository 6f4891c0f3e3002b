//! `provisioning release notes`: what changed, for people.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use provisioning_bundles::member_changes;
use provisioning_bundles::release::{
    MemberLine, Notes, NotesSection, PackageNotes, TEMPLATE_DEFAULT, groups_of, render_notes,
};
use provisioning_bundles::sections_between;
use provisioning_package::{BundleName, PackageName, Target, Version};
use serde::Serialize;

use super::WorkplaceArgs;
use crate::commands::bundle::{Desk, read_changelog};
use crate::commands::compat::FileArgs;
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::Exit;
use crate::failure::{Failure, Outcome};
use crate::releasing::{Workplace, changes_between, last_before, web_address};
use crate::trial::Definition;

/// Write release notes: grouped, what breaks first, with links and contributors
///
/// Of a package since its last release, of a bundle since the one that it upgrades from, or
/// between two bundles (`stable-3.2..stable-3.3`). What was committed comes from the
/// repositories of `release.toml`; a package that has none there is described by its own
/// changelog. `--template FILE` (of `minijinja`) gives them another form;
/// `--print-template` prints the one to begin with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provisioning release notes core\n  \
    provisioning release notes core --from 3.2.0 --to 3.2.1\n  \
    provisioning release notes stable-3.3 -o NOTES.md\n  \
    provisioning release notes stable-3.2..stable-3.3")]
pub(crate) struct Args {
    /// A package of `release.toml`, a bundle, or `BUNDLE..BUNDLE`
    #[arg(required_unless_present = "print_template", value_name = "WHAT")]
    what: Option<String>,
    #[command(flatten)]
    workplace: WorkplaceArgs,
    #[command(flatten)]
    file: FileArgs,
    /// The version of a package that the notes begin after [default: its last release]
    #[arg(long, value_name = "VERSION")]
    from: Option<Version>,
    /// The version of a package that they go up to [default: what is committed]
    #[arg(long, value_name = "VERSION")]
    to: Option<Version>,
    /// Another form for them
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Write them there
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the template that is used otherwise
    #[arg(long)]
    print_template: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    notes: &'a Notes,
    text: &'a str,
    file: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let Some(what) = args.what.as_deref().filter(|_| !args.print_template) else {
        context.output.raw(TEMPLATE_DEFAULT.as_bytes())?;
        return Ok(Exit::Done);
    };
    let workplace = Workplace::find(args.workplace.release.as_deref(), context)?;
    let package = PackageName::from_user(what).ok();
    let package = package.filter(|name| {
        workplace
            .as_ref()
            .is_some_and(|it| it.config.packages.contains_key(name))
    });
    let notes = match (package, &workplace) {
        (Some(name), Some(workplace)) => of_package(args, &name, workplace, context)?,
        _ => of_bundle(args, what, workplace.as_ref(), context).await?,
    };
    let template = template(args, workplace.as_ref(), context)?;
    let text = render_notes(&notes, &template).map_err(|problem| {
        Failure::new("invalid-template", "the template of the notes is refused")
            .with_cause(format!("{problem:#}"))
            .with_hint("`provisioning release notes --print-template` prints one that works")
    })?;
    let file = args.output.as_ref().map(|it| context.env.absolute(it));
    if let Some(file) = &file {
        replace_file(file, text.as_bytes(), Readers::Everyone)?;
    }
    let document = Document {
        notes: &notes,
        text: &text,
        file,
    };
    context
        .output
        .long_result(&document, |out| match &document.file {
            Some(file) => writeln!(out, "written to {}", file.display()),
            None => out.write_all(text.as_bytes()),
        })?;
    Ok(Exit::Done)
}

fn template(args: &Args, workplace: Option<&Workplace>, context: &Context) -> Outcome<String> {
    let named = args.template.as_ref().map(|it| context.env.absolute(it));
    let of_team = || {
        let workplace = workplace?;
        let name = workplace.config.notes_template.as_ref()?;
        Some(workplace.folder.join(name))
    };
    match named.or_else(of_team) {
        Some(path) => std::fs::read_to_string(&path).map_err(|it| Failure::io("read", &path, &it)),
        None => Ok(TEMPLATE_DEFAULT.to_owned()),
    }
}

fn of_package(
    args: &Args,
    name: &PackageName,
    workplace: &Workplace,
    context: &Context,
) -> Outcome<Notes> {
    let release = workplace.package(name)?;
    let git = workplace.git(release)?;
    // Notes of a version that is released already begin after the one before it.
    let from = match &args.from {
        Some(from) => Some(from.clone()),
        None => last_before(&git, name, release, args.to.as_ref())?,
    };
    let to = args.to.clone();
    let notes = package_notes(name, (from, to.clone()), workplace)?;
    let title = match &to {
        Some(version) => format!("{name} {version}"),
        None => format!("{name}, what is new"),
    };
    let day = context.now().to_zoned(TimeZone::UTC).date();
    Ok(Notes::new(
        title,
        Some(day.to_string()),
        Vec::new(),
        vec![notes],
    ))
}

/// The notes of a package between two versions, from its repository.
fn package_notes(
    name: &PackageName,
    (from, to): (Option<Version>, Option<Version>),
    workplace: &Workplace,
) -> Outcome<PackageNotes> {
    let release = workplace.package(name)?;
    let git = workplace.git(release)?;
    let tag = |it: &Version| release.tag_of(name, &it.to_string());
    let (since, until) = (from.as_ref().map(tag), to.as_ref().map(tag));
    let head = until.clone().unwrap_or_else(|| "HEAD".to_owned());
    let changes = changes_between(&git, release, since.as_deref(), &head)?;
    let web = web_address(&git);
    let compare = match (&web, &since) {
        (Some(web), Some(since)) => Some(format!("{web}/compare/{since}...{head}")),
        _ => None,
    };
    Ok(PackageNotes {
        name: name.clone(),
        compare,
        groups: groups_of(name, &changes, web.as_deref()),
        sections: Vec::new(),
        from,
        to,
    })
}

async fn of_bundle(
    args: &Args,
    what: &str,
    workplace: Option<&Workplace>,
    context: &Context,
) -> Outcome<Notes> {
    let mut file = args.file.clone();
    if let Some(workplace) = workplace
        && !context.env.absolute(&file.file).is_file()
    {
        file.file = workplace.folder.join(&workplace.config.versions);
    }
    let mut desk = Desk::open(&file, context).await?;
    let (old, new) = match what.split_once("..") {
        Some((old, new)) => (Some(bundle(old)?), bundle(new)?),
        None => (None, bundle(what)?),
    };
    let new = desk.define(&new, context).await?;
    let old = match old.or_else(|| new.request.upgrades_from.first().cloned()) {
        Some(name) => Some(desk.define(&name, context).await?),
        None => None,
    };
    let before = old.as_ref().map(Definition::members).unwrap_or_default();
    let changes = member_changes(&before, &new.members());
    let mut packages = Vec::new();
    let mut members = Vec::new();
    for change in changes {
        if change.to.is_some() {
            let versions = (change.from.clone(), change.to.clone());
            packages.push(
                member_notes(
                    &change.name,
                    versions,
                    workplace,
                    (&mut desk, &new),
                    context,
                )
                .await?,
            );
        }
        members.push(MemberLine {
            name: change.name,
            from: change.from,
            to: change.to,
        });
    }
    let title = match &old {
        Some(old) => format!("{}, coming from {}", new.request.title, old.name),
        None => new.request.title.clone(),
    };
    let day = new.request.release_date.map(|it| it.to_string());
    Ok(Notes::new(title, day, members, packages))
}

/// The notes of a member: from its repository where that has both releases, else from the
/// changelog in its archive.
async fn member_notes(
    name: &PackageName,
    (from, to): (Option<Version>, Option<Version>),
    workplace: Option<&Workplace>,
    (desk, definition): (&mut Desk, &Definition),
    context: &Context,
) -> Outcome<PackageNotes> {
    if let Some(workplace) = workplace
        && workplace.config.packages.contains_key(name)
    {
        match package_notes(name, (from.clone(), to.clone()), workplace) {
            Ok(notes) => return Ok(notes),
            Err(failure) => context
                .output
                .note(&format!("{name} is described by its changelog: {failure}")),
        }
    }
    let mut sections = Vec::new();
    if let Some(version) = &to {
        let material = desk.material(&[definition], &[], context).await?;
        let versions: BTreeSet<_> = [(name.clone(), version.clone())].into();
        let machine = Target::host().unwrap_or(Target::Any);
        let fetched = material
            .fetch(&versions, machine, desk.reader.as_ref())
            .await?;
        if let Some(archive) = fetched.into_values().next()
            && let Some(markdown) = read_changelog(&archive)?
        {
            let between = sections_between(&markdown, from.as_ref(), version).into_iter();
            sections.extend(between.map(|it| NotesSection {
                heading: it.heading,
                text: it.text,
            }));
        }
    }
    Ok(PackageNotes {
        name: name.clone(),
        from,
        to,
        compare: None,
        groups: Vec::new(),
        sections,
    })
}

fn bundle(text: &str) -> Outcome<BundleName> {
    BundleName::parse(text).map_err(|it| Failure::usage(it.to_string()))
}
