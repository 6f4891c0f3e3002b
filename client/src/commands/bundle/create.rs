//! `provisioning bundle create`: write a draft that could be published.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use provisioning_compat::{MatrixErrors, Note, Owner, Request, VersionsToml, Wanted, solve};
use provisioning_package::{BundleName, PackageName, Selector, Spec, Target, Version};
use serde::Serialize;

use super::desk::Desk;
use crate::commands::compat::FileArgs;
use crate::context::Context;
use crate::durable::{Readers, replace_file};
use crate::failure::{Exit, Failure, Outcome};
use crate::matrix_edit::{NewDraft, has_draft, put_draft};
use crate::trial::{Definition, Material};

/// Write a draft into `versions.toml`, if it could be published as it is
///
/// Comments and order of the file stay. A version may be exact (`3.3.0`), a requirement
/// (`3.3`, `^2.6`) or `latest`: then the newest that goes together with the rest is taken.
/// `--from OLD` begins with the members, targets and checks of another bundle, and `--upgrade`
/// moves all of them, or the named ones, to the newest that go together.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    provisioning bundle create stable-3.3 --core 3.3.0 --platform 2.6.0 --workspace 1.4.0 --extension redis@1.1.0\n  \
    provisioning bundle create stable-3.3 --from stable-3.2 --upgrade core platform")]
pub(crate) struct Args {
    /// The bundle
    #[arg(value_parser = BundleName::parse)]
    name: BundleName,
    /// The core's version
    #[arg(long, value_name = "VERSION")]
    core: Option<String>,
    /// The platform's version
    #[arg(long, value_name = "VERSION")]
    platform: Option<String>,
    /// The templates' version
    #[arg(long, value_name = "VERSION")]
    workspace: Option<String>,
    /// An extension: `NAME@VERSION`
    #[arg(long = "extension", value_name = "SPEC")]
    extensions: Vec<String>,
    /// An extension that the bundle pins but does not bring: `NAME@VERSION`
    #[arg(long = "optional", value_name = "SPEC")]
    optional: Vec<String>,
    /// The bundle to begin with
    #[arg(long, value_name = "BUNDLE", value_parser = BundleName::parse)]
    from: Option<BundleName>,
    /// Move these members, or all, to the newest that go together
    #[arg(long, value_name = "NAME", num_args = 0.., requires = "from")]
    upgrade: Option<Vec<String>>,
    /// What people call it [default: made from the name]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Its day [default: today]
    #[arg(long, value_name = "DAY")]
    release_date: Option<Date>,
    /// The day until which it is supported
    #[arg(long, value_name = "DAY")]
    lts_until: Option<Date>,
    /// A target that it promises; may be given several times [default: every one that the members share]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,
    /// A bundle that it upgrades from; may be given several times [default: the one of `--from`]
    #[arg(long = "upgrades-from", value_name = "BUNDLE", value_parser = BundleName::parse)]
    upgrades_from: Vec<BundleName>,
    /// An archive that is not published yet; it counts as if it were
    #[arg(long = "archive", value_name = "FILE")]
    archives: Vec<PathBuf>,
    #[command(flatten)]
    file: FileArgs,
    /// Write it in the place of a draft of this name
    #[arg(long)]
    replace: bool,
    /// Print the new file and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Created {
    name: BundleName,
    members: BTreeMap<PackageName, Version>,
    optional: BTreeMap<PackageName, Version>,
    targets: Vec<Target>,
    upgrades_from: Vec<BundleName>,
    file: Option<PathBuf>,
}

/// What members are asked for: which version, and whether the bundle brings it.
type Wishes = BTreeMap<PackageName, (Selector, bool)>;

/// Runs it.
pub(crate) async fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let path = context.env.absolute(&args.file.file);
    let text = std::fs::read_to_string(&path).map_err(|it| {
        Failure::io("read", &path, &it)
            .with_hint("make an empty `versions.toml`, or name the file with `--file`")
    })?;
    if !args.replace && has_draft(&text, &args.name)? {
        return Err(Failure::new(
            "draft-exists",
            format!("`{}` has a draft `{}` already", path.display(), args.name),
        )
        .with_hint("edit it there, or write it anew with `--replace`; nothing was changed"));
    }
    let mut desk = Desk::open(&args.file, context).await?;
    let base = match &args.from {
        Some(old) => Some(desk.define(old, context).await?),
        None => None,
    };
    let wishes = wishes(args, base.as_ref())?;
    let roots: BTreeSet<PackageName> = wishes.keys().cloned().collect();
    let material = Material::gather(desk.reader.as_mut(), roots, &args.archives, context).await?;
    let matrix = parse(&desk.matrix_text().await?)?;
    let versions = choose(&wishes, &matrix, &material, args, context)?;
    let draft = draft(args, base.as_ref(), &wishes, &versions, context);
    let written = put_draft(&text, &args.name, &draft)?;
    check(
        &args.name,
        &written,
        desk.file.as_ref().and_then(|it| it.companion()),
        &material,
    )?;
    if !args.dry_run {
        replace_file(&path, written.as_bytes(), Readers::Everyone)?;
    }
    let document = Created {
        name: args.name.clone(),
        members: draft.members.into_iter().collect(),
        optional: draft.optional.into_iter().collect(),
        targets: draft.targets,
        upgrades_from: draft.upgrades_from,
        file: (!args.dry_run).then_some(path),
    };
    context.output.result(&document, |out| {
        if args.dry_run {
            return out.write_all(written.as_bytes());
        }
        let members = document.members.iter().chain(&document.optional);
        let members: Vec<String> = members.map(|(name, it)| format!("{name} {it}")).collect();
        writeln!(out, "{}: {}", document.name, members.join(", "))?;
        writeln!(out, "written to {}", args.file.file.display())
    })?;
    Ok(Exit::Done)
}

fn wishes(args: &Args, base: Option<&Definition>) -> Outcome<Wishes> {
    let mut wishes = Wishes::new();
    for member in base.iter().flat_map(|it| &it.request.members) {
        let selector = Selector::Exact(member.version.clone());
        wishes.insert(member.name.clone(), (selector, member.required));
    }
    for name in args.upgrade.iter().flatten() {
        let name = PackageName::from_user(name)?;
        let Some(wish) = wishes.get_mut(&name) else {
            return Err(
                Failure::usage(format!("`{name}` is no member, so it cannot be upgraded"))
                    .with_hint(format!("`--extension {name}` adds it")),
            );
        };
        wish.0 = Selector::Any;
    }
    if args.upgrade.as_ref().is_some_and(Vec::is_empty) {
        for wish in wishes.values_mut() {
            wish.0 = Selector::Any;
        }
    }
    for (kind, version) in [
        ("core", &args.core),
        ("platform", &args.platform),
        ("workspace", &args.workspace),
    ] {
        if let Some(version) = version {
            let spec: Spec = format!("{kind}@{version}").parse()?;
            wishes.insert(PackageName::parse(kind)?, (spec.selector().clone(), true));
        }
    }
    let extensions = args.extensions.iter().map(|it| (it, true));
    for (text, required) in extensions.chain(args.optional.iter().map(|it| (it, false))) {
        let spec: Spec = text.parse()?;
        let name = spec.as_package().ok_or_else(|| {
            Failure::usage(format!("`{text}` is no extension: write `NAME@VERSION`"))
        })?;
        wishes.insert(name, (spec.selector().clone(), required));
    }
    if wishes.is_empty() {
        return Err(Failure::usage("a bundle needs members").with_hint(
            "name them: `--core 3.3.0`, or begin with another bundle: `--from stable-3.2`",
        ));
    }
    Ok(wishes)
}

/// A version for each member: the exact one where it was named, else the newest that goes
/// together with the rest.
fn choose(
    wishes: &Wishes,
    matrix: &VersionsToml,
    material: &Material,
    args: &Args,
    context: &Context,
) -> Outcome<BTreeMap<PackageName, Version>> {
    let exact = wishes.iter().map(|(name, (selector, _))| match selector {
        Selector::Exact(version) => Some((name.clone(), version.clone())),
        Selector::Any | Selector::Latest | Selector::Requirement(_) => None,
    });
    if let Some(all) = exact.collect::<Option<BTreeMap<_, _>>>() {
        return Ok(all);
    }
    let wanted = wishes.iter().map(|(name, (selector, _))| {
        let spec = match selector {
            Selector::Exact(version) => format!("{name}@{version}"),
            Selector::Any | Selector::Latest | Selector::Requirement(_) => name.to_string(),
        };
        Wanted::new(name.clone(), selector.clone(), Owner::You { spec })
    });
    let here = Target::host().unwrap_or(Target::Any);
    let target = args.targets.first().copied().unwrap_or(here);
    let request = Request::new(wanted.collect(), target, context.now());
    let solution = solve(&request, &matrix.matrix, &material.index).map_err(|problem| {
        Failure::new("no-solution", problem.summary.clone())
            .with_exit(Exit::NoSolution)
            .with_causes(problem.causes())
            .with_hint("name other versions; nothing was changed")
    })?;
    let chosen = solution.packages.into_iter();
    Ok(chosen
        .filter(|(name, _)| wishes.contains_key(name))
        .map(|(name, it)| (name, it.version))
        .collect())
}

fn draft(
    args: &Args,
    base: Option<&Definition>,
    wishes: &Wishes,
    versions: &BTreeMap<PackageName, Version>,
    context: &Context,
) -> NewDraft {
    let pick = |required: bool| -> Vec<(PackageName, Version)> {
        let named = wishes.iter().filter(|(_, wish)| wish.1 == required);
        let mut picked: Vec<_> = named
            .filter_map(|(name, _)| Some((name.clone(), versions.get(name)?.clone())))
            .collect();
        picked.sort_by(|(left, _), (right, _)| (left.kind(), left).cmp(&(right.kind(), right)));
        picked
    };
    let today = context.now().to_zoned(TimeZone::UTC).date();
    let upgrades_from = match (args.upgrades_from.as_slice(), base) {
        // The next sequence of a bundle upgrades from where the last one did.
        ([], Some(base)) if base.name == args.name => base.request.upgrades_from.clone(),
        ([], Some(base)) => vec![base.name.clone()],
        (named, _) => named.to_vec(),
    };
    let targets = match (args.targets.as_slice(), base) {
        ([], Some(base)) => base.request.targets.clone(),
        (named, _) => named.to_vec(),
    };
    NewDraft {
        title: args.title.clone().unwrap_or_else(|| title(&args.name)),
        release_date: Some(args.release_date.unwrap_or(today)),
        lts_until: args.lts_until,
        members: pick(true),
        optional: pick(false),
        targets,
        upgrades_from,
        tests_of: base.map(|it| it.name.clone()),
    }
}

/// `stable-3.3` is called `Stable 3.3 Bundle`.
fn title(name: &BundleName) -> String {
    let words = name.as_str().split('-').map(|word| match word {
        "lts" => "LTS".to_owned(),
        word => {
            let mut letters = word.chars();
            let first = letters.next().map(|it| it.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    });
    let words: Vec<String> = words.collect();
    format!("{} Bundle", words.join(" "))
}

/// Refuses what could not be published, before it is written.
fn check(
    name: &BundleName,
    written: &str,
    companion: Option<&str>,
    material: &Material,
) -> Outcome<()> {
    let read = VersionsToml::parse(written, companion).map_err(|it| refused(&it))?;
    let draft = read.bundles.get(name).ok_or_else(|| {
        Failure::new(
            "invalid-matrix",
            format!("`{name}` cannot be written into this file"),
        )
    })?;
    let problems = provisioning_bundles::check(draft, name, &read.matrix, &material.index);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "bundle-refused",
        format!("the bundle `{name}` could not be published"),
    )
    .with_causes(problems.iter().map(ToString::to_string))
    .with_hint("nothing was changed"))
}

fn parse(text: &str) -> Outcome<VersionsToml> {
    VersionsToml::parse(text, None).map_err(|it| refused(&it))
}

fn refused(problems: &MatrixErrors) -> Failure {
    Failure::new("invalid-matrix", "the file would be refused")
        .with_causes(problems.0.iter().map(Note::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_from_the_name() {
        let of = |name: &str| title(&BundleName::parse(name).unwrap());
        assert_eq!(of("stable-3.3"), "Stable 3.3 Bundle");
        assert_eq!(of("lts-3.1"), "LTS 3.1 Bundle");
    }
}
