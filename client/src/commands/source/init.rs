//! `provisioning source init`: a source repository gets its packages.

use std::io::{self, BufRead, Read as _, Write};
use std::path::{Path, PathBuf};

use provisioning_sources::config::{FindError, Purpose, find_config};
use provisioning_sources::downstream::branches::{Move, move_all, ready};
use provisioning_sources::downstream::init::{InitError, NewPackage, init, read_packages};
use provisioning_sources::git::Git;
use serde::Serialize;

use super::RepositoryArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::prompt::{Answer, confirm, is_interactive};

/// Longest list of packages that is read, in bytes.
const PACKAGES_BYTES_MAX: u64 = 1024 * 1024;

/// Set a repository up as the source of packages
///
/// Takes what each package's downstream repository has into `.distro`, turns its patches into
/// commits, and writes `.distro/source-git.yaml`: one move of the branch, or none. Without
/// `--packages`, a dialogue asks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    provisioning source init --packages packages.yaml v3.0.0 src/copr\n  \
    provisioning source init -C src/copr\n\n\
    A list of packages:\n  \
    - downstream_package_name: copr-backend\n    path: backend\n    \
    dist_git_path: rpms/copr-backend\n    dist_git_branch: rawhide")]
pub(crate) struct Args {
    /// The upstream revision that patches are made from (it must be what is checked out),
    /// then the repository, unless `-C` names it
    #[arg(value_name = "UPSTREAM_REF|SOURCE", num_args = 0..=2)]
    words: Vec<String>,
    /// A list of packages in YAML; `-` is standard input
    #[arg(long, value_name = "FILE")]
    packages: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    repository: String,
    file: &'static str,
    from: String,
    to: String,
    packages: Vec<String>,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let (upstream, folder) = match args.words.as_slice() {
        [] => (None, repository.repository()),
        [upstream] => (Some(upstream.as_str()), repository.repository()),
        [upstream, folder] if repository.repository.is_none() => {
            (Some(upstream.as_str()), folder.as_str())
        }
        _ => return Err(Failure::usage("the source repository is named twice")),
    };
    let folder = context.env.absolute(Path::new(folder));
    let git = root(&folder)?;
    let head = ready(&git)?
        .head
        .ok_or_else(|| Failure::new("no-commit", "the source repository has no commit"))?;
    if let Some(upstream) = upstream
        && git.commit(upstream)? != head
    {
        let message = format!("`{upstream}` is not what is checked out");
        return Err(Failure::new("not-upstream", message)
            .with_hint(format!("`git switch --create BRANCH {upstream}` first")));
    }
    let mut packages = match &args.packages {
        Some(file) => listed(file, context)?,
        None => asked(context)?,
    };
    for package in &mut packages {
        package.repository = package
            .repository
            .take()
            .map(|it| context.env.absolute(&it));
    }
    let to = init(&git, &head, &packages, upstream)?;
    move_all(&[Move {
        git: git.clone(),
        from: Some(head.clone()),
        to: to.clone(),
    }])?;
    let document = Document {
        repository: git.folder().display().to_string(),
        file: provisioning_sources::config::SOURCE_GIT_FILE,
        from: head,
        to,
        packages: packages.into_iter().map(|it| it.key).collect(),
    };
    context.output.result(&document, |out| {
        writeln!(out, "{}: {}", document.file, document.packages.join(", "))
    })?;
    Ok(Exit::Done)
}

/// Git at the root of the repository, which has no configuration yet.
fn root(folder: &Path) -> Outcome<Git> {
    if !folder.is_dir() {
        let message = format!("no folder `{}`", folder.display());
        return Err(Failure::new("no-repository", message));
    }
    let top = Git::new(folder).text(&["rev-parse", "--show-toplevel"])?;
    let top = PathBuf::from(top);
    match find_config(&top, Purpose::Downstream) {
        Err(FindError::None(_)) => Ok(Git::new(&top)),
        // An upstream's own Packit configuration is about its upstream releases.
        Ok(found) if found.file.trim_start_matches('.').starts_with("packit.") => {
            Ok(Git::new(&top))
        }
        Ok(found) => {
            let message = format!(
                "`{}` has a source configuration: `{}`",
                top.display(),
                found.file
            );
            Err(Failure::new("configured", message).with_hint("add packages to that file by hand"))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn listed(file: &Path, context: &Context) -> Outcome<Vec<NewPackage>> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().take(PACKAGES_BYTES_MAX).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(context.env.absolute(file))
            .and_then(|it| it.take(PACKAGES_BYTES_MAX).read_to_end(&mut bytes))
    };
    read.map_err(|problem| Failure::io("read", file, &problem))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new("no-text", format!("`{}` is no UTF-8 text", file.display())))?;
    let (packages, problems) = read_packages(&text);
    if !problems.has_errors() {
        return Ok(packages);
    }
    let name = file.display();
    let lines = problems
        .sorted()
        .into_iter()
        .map(|it| format!("{name}:{it}"));
    let lines: Vec<String> = lines.collect();
    Err(Failure::new("invalid-packages", format!("`{name}` has mistakes")).with_causes(lines))
}

fn asked(context: &Context) -> Outcome<Vec<NewPackage>> {
    if !is_interactive(context) {
        return Err(
            Failure::usage("nothing says which packages the repository is to have")
                .with_hint("name a list with `--packages FILE`, or `-` for standard input")
                .with_hint("on a terminal, a dialogue asks"),
        );
    }
    let packages = dialogue(&mut io::stdin().lock(), &mut io::stderr().lock())
        .map_err(|it| Failure::io("read", Path::new("stdin"), &it))?;
    if packages.is_empty() || !confirm(context, "Set the repository up with these?", Answer::Yes)? {
        return Err(
            Failure::new("cancelled", "nothing was set up").with_hint("nothing was changed")
        );
    }
    Ok(packages)
}

/// Asks for packages, one after the other, until a name is left empty.
fn dialogue(input: &mut dyn BufRead, out: &mut dyn Write) -> io::Result<Vec<NewPackage>> {
    let mut packages: Vec<NewPackage> = Vec::new();
    writeln!(
        out,
        "Each package has a name, paths in this repository, and maybe a downstream repository."
    )?;
    loop {
        let question = match packages.len() {
            0 => "Downstream name of the first package: ",
            _ => "Downstream name of the next package (empty: no more): ",
        };
        let name = ask(input, out, question)?;
        if name.is_empty() {
            break;
        }
        let is_bad = name.contains(['/', ' ']) || name.starts_with('.');
        if is_bad || packages.iter().any(|it| it.key == name) {
            writeln!(out, "`{name}` is no name, or is there already")?;
            continue;
        }
        let paths = ask(input, out, "Its paths, divided by blanks [./]: ")?;
        let paths: Vec<String> = paths.split_whitespace().map(str::to_owned).collect();
        let repository = ask(
            input,
            out,
            "The folder of its downstream repository (empty: none yet): ",
        )?;
        let branch = if repository.is_empty() {
            String::new()
        } else {
            ask(
                input,
                out,
                "The branch there (empty: what is checked out): ",
            )?
        };
        let some = |text: String| (!text.is_empty()).then_some(text);
        packages.push(NewPackage {
            key: name.clone(),
            downstream_name: name,
            paths: if paths.is_empty() {
                vec!["./".to_owned()]
            } else {
                paths
            },
            repository: some(repository).map(PathBuf::from),
            branch: some(branch),
        });
    }
    for it in &packages {
        let from = it
            .repository
            .as_ref()
            .map(|it| format!(" from {}", it.display()));
        writeln!(
            out,
            "{}: {}{}",
            it.key,
            it.paths.join(" "),
            from.unwrap_or_default()
        )?;
    }
    Ok(packages)
}

fn ask(input: &mut dyn BufRead, out: &mut dyn Write, question: &str) -> io::Result<String> {
    write!(out, "{question}")?;
    out.flush()?;
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        writeln!(out)?;
    }
    Ok(line.trim().to_owned())
}

impl From<InitError> for Failure {
    fn from(problem: InitError) -> Self {
        let message = problem.to_string();
        match problem {
            InitError::Downstream(problem) => problem.into(),
            InitError::Configured(_) => Self::new("configured", message),
            InitError::NoPath { .. } => Self::new("no-path", message)
                .with_hint("paths are relative to the repository's root, and committed"),
            InitError::NoRepository { .. } => Self::new("no-downstream-repository", message)
                .with_hint("clone it there, or leave `dist_git_path` out"),
            InitError::Patch { .. } => Self::new("patch", message)
                .with_hint("check out the upstream revision that the patches are for"),
        }
        .with_hint("nothing was changed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialogue_asks_until_a_name_is_left_empty() {
        let mut out = Vec::new();
        let answers = "copr-cli\ncli common\nrpms/copr-cli\nrawhide\ncopr-cli\nplain\n\n\n\n";
        let packages = dialogue(&mut answers.as_bytes(), &mut out).unwrap();
        assert_eq!(packages.len(), 2);
        assert_eq!(packages[0].paths, ["cli", "common"]);
        assert_eq!(packages[0].branch.as_deref(), Some("rawhide"));
        assert_eq!(packages[1].paths, ["./"]);
        assert_eq!(packages[1].repository, None);
        let said = String::from_utf8(out).unwrap();
        assert!(
            said.contains("`copr-cli` is no name, or is there already"),
            "{said}"
        );
        assert!(
            said.ends_with("copr-cli: cli common from rpms/copr-cli\nplain: ./\n"),
            "{said}"
        );
    }

    #[test]
    fn a_terminal_that_goes_away_ends_the_dialogue() {
        let packages = dialogue(&mut &b"a"[..], &mut Vec::new()).unwrap();
        assert_eq!(packages.len(), 1);
    }
}
