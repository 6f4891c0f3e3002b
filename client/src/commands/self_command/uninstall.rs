//! `provisioning self uninstall`: remove this client, and with `--all` what it installed.
//!
//! Everything that goes is listed before the first of it goes. The client itself goes last,
//! so that an uninstall that was killed can be run again.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use provisioning_installers::{Generation, Prefix};
use serde::Serialize;

use super::installation::{Installation, Purpose};
use super::switch;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::shell_files;

/// What the bootstrap scripts end their line of a shell's profile with.
const PROFILE_MARK: &str = "# provisioning's installer";
/// What goes of a profile: everything else in it stays.
const PROFILE_LINE: &str = "our line in it; the rest stays";
/// Profiles that the bootstrap scripts write to, below the home folder.
const PROFILES: [&str; 6] = [
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".zshrc",
    ".config/fish/conf.d/provisioning.fish",
];
/// Folders of the prefix that go when nothing else is in them, the deepest first.
const FOLDERS: [&str; 18] = [
    "share/bash-completion/completions",
    "share/bash-completion",
    "share/zsh/site-functions",
    "share/zsh",
    "share/fish/vendor_completions.d",
    "share/fish",
    "share/nushell/vendor/autoload",
    "share/nushell/vendor",
    "share/nushell",
    "share/powershell",
    "share/man/man1",
    "share/man",
    "etc/provisioning",
    "etc",
    "bin",
    "share",
    "lib",
    "",
];

/// Remove this client
///
/// Lists every path that goes, and asks: the client and its links, completions and manual
/// pages, its line in the shell's profile, the download cache and what is trusted of
/// registries. While packages are installed it refuses, and `--all` removes them too.
/// Configuration stays unless `--purge` says otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove everything that was installed too
    #[arg(long)]
    all: bool,
    /// Remove configuration and stored tokens too
    #[arg(long)]
    purge: bool,
    /// List what goes, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// One path that goes.
#[derive(Debug, Clone, Serialize)]
struct Doomed {
    what: &'static str,
    path: PathBuf,
}

#[derive(Serialize)]
struct Document {
    paths: Vec<Doomed>,
    /// Paths of ours that stay.
    kept: Vec<PathBuf>,
    removed: bool,
}

/// Runs it.
pub(super) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let installation = Installation::find(Purpose::Uninstall, context)?;
    let prefix = Prefix::new(&installation.prefix);
    let current = prefix.current_generation()?;
    let seen = current.as_ref().map(|it| it.generation);
    if let Some(current) = current.filter(|it| !it.packages.is_empty() && !args.all) {
        return Err(still_installed(&installation, &current));
    }
    let doomed = list(&installation, args, context);
    let kept = kept(&prefix, args, context);
    if !args.dry_run && !context.settings.yes {
        confirm(&doomed, args, context)?;
    }
    if !args.dry_run {
        let lock = switch::lock(&installation, "self uninstall", context)?;
        if prefix.current_number()? != seen {
            // What came meanwhile was not on the list that was agreed to.
            return Err(Failure::new(
                "changed-meanwhile",
                "another command changed what is installed in between",
            )
            .with_hint(format!("run `{}` again; nothing was changed", typed(args))));
        }
        let bin = installation.prefix.join("bin");
        for it in &doomed {
            remove(it, &bin).map_err(|problem| cannot_remove(&it.path, &problem))?;
        }
        drop(lock);
        if let Some(folder) = context.settings.trust_folder().and_then(Path::parent) {
            let _ = fs::remove_dir(folder);
        }
        remove_empty_folders(&installation.prefix);
    }
    let document = Document {
        paths: doomed,
        kept,
        removed: !args.dry_run,
    };
    let was_shown = !args.dry_run && !context.settings.yes;
    context.output.result(&document, |out| {
        if !was_shown {
            write!(out, "{}", listing(&document.paths))?;
        }
        if document.removed {
            writeln!(
                out,
                "removed provisioning from `{}`",
                installation.prefix.display()
            )?;
        } else {
            writeln!(out, "nothing was changed (dry run)")?;
        }
        for path in &document.kept {
            writeln!(out, "left for you to keep or remove: {}", path.display())?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// Everything that goes, in the order in which it goes: the client last.
fn list(installation: &Installation, args: &Args, context: &Context) -> Vec<Doomed> {
    let prefix = Prefix::new(&installation.prefix);
    let mut doomed = Vec::new();
    let mut add = |what, path: PathBuf| {
        if path.symlink_metadata().is_ok() {
            doomed.push(Doomed { what, path });
        }
    };
    for path in profiles(installation, context) {
        add(PROFILE_LINE, path);
    }
    for path in shell_files::links(&prefix) {
        add("completions and manual pages", path);
    }
    let settings = &context.settings;
    if let Ok(cache) = settings.cache() {
        // A cache folder that somebody chose may hold other things, whatever its name is.
        let ours = context.env.xdg("XDG_CACHE_HOME", ".cache");
        let is_ours = ours.is_some_and(|it| it.join("provisioning") == cache);
        let path = if is_ours {
            cache.to_owned()
        } else {
            cache.join("archives")
        };
        add("downloads", path);
    }
    if let Some(trust) = settings.trust_folder() {
        add("what is trusted of registries", trust.to_owned());
    }
    if args.purge {
        add("configuration files", prefix.etc());
        for path in user_configuration(context) {
            add("configuration and tokens", path);
        }
    }
    // From the links inwards, so that nothing leads to what is gone already.
    for path in links(&installation.prefix) {
        add("link", path);
    }
    add("link", prefix.current());
    for path in inside_base(&prefix) {
        add(what_is_inside(&path), path);
    }
    add("link", installation.link());
    add("the client, every version", prefix.base());
    doomed
}

/// What is in `P/lib/provisioning` but the client, its lock and the link `current`.
fn inside_base(prefix: &Prefix) -> Vec<PathBuf> {
    let entries = fs::read_dir(prefix.base()).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|it| it.path())
        .filter(|it| !it.ends_with("client") && *it != prefix.lock() && *it != prefix.current())
        .collect();
    paths.sort();
    paths
}

/// What a folder of `P/lib/provisioning` holds. Files of the user are named as such.
fn what_is_inside(path: &Path) -> &'static str {
    match path.file_name().and_then(|it| it.to_str()) {
        Some("saved") => "files that you changed, as `verify --repair` kept them",
        Some("adopted") => "files that you changed, as `adopt` kept them",
        Some("edited") => "configuration that you edited, for rollbacks",
        _ => "installed packages and their history",
    }
}

/// Links outside that lead into `P/lib/provisioning`, the client's own left out.
fn links(prefix: &Path) -> Vec<PathBuf> {
    let is_ours = |path: &Path| {
        let target = fs::read_link(path).ok();
        let target = target.as_ref().and_then(|it| it.to_str());
        target.is_some_and(|it| it.contains("lib/provisioning/current/"))
    };
    let entries = fs::read_dir(prefix.join("bin"))
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<PathBuf> = entries.map(|it| it.path()).collect();
    found.push(prefix.join("share/provisioning"));
    found.retain(|it| is_ours(it));
    let extensions = prefix.join("extensions");
    if fs::read_link(&extensions).is_ok_and(|it| it.ends_with("share/provisioning/extensions")) {
        found.push(extensions);
    }
    found.sort();
    found
}

/// Profiles of the user's shells that have our line for this prefix.
fn profiles(installation: &Installation, context: &Context) -> Vec<PathBuf> {
    let Some(home) = context.env.home() else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = PROFILES.iter().map(|it| home.join(it)).collect();
    if let Some(folder) = context.env.path_variable("ZDOTDIR") {
        files.push(folder.join(".zshrc"));
    }
    if let Some(folder) = context.env.path_variable("XDG_CONFIG_HOME") {
        files.push(folder.join("fish/conf.d/provisioning.fish"));
    }
    files.sort();
    files.dedup();
    let bin = installation.prefix.join("bin");
    files.retain(|it| {
        fs::read_to_string(it).is_ok_and(|text| text.lines().any(|it| is_our_line(it, &bin)))
    });
    files
}

fn is_our_line(line: &str, bin: &Path) -> bool {
    let bin = bin.to_string_lossy().replace('\'', "'\\''");
    line.trim_end().ends_with(PROFILE_MARK) && line.contains(&format!("'{bin}'"))
}

fn user_configuration(context: &Context) -> Vec<PathBuf> {
    let folder = context.env.xdg("XDG_CONFIG_HOME", ".config");
    folder
        .map(|it| it.join("provisioning"))
        .into_iter()
        .collect()
}

/// What stays, for people to know.
fn kept(prefix: &Prefix, args: &Args, context: &Context) -> Vec<PathBuf> {
    if args.purge {
        return Vec::new();
    }
    std::iter::once(prefix.etc())
        .chain(user_configuration(context))
        .filter(|it| it.exists())
        .collect()
}

fn confirm(doomed: &[Doomed], args: &Args, context: &Context) -> Outcome<()> {
    if !context.env.stdin_is_terminal || !context.env.stderr_is_terminal || context.output.is_json()
    {
        return Err(Failure::new(
            "not-confirmed",
            "nobody is here to say yes, so nothing is removed",
        )
        .with_hint(format!("`{} --dry-run` lists what would go", typed(args)))
        .with_hint(format!("`{} --yes` removes it", typed(args))));
    }
    let mut stderr = io::stderr().lock();
    let asked = write!(stderr, "{}Remove all of this? [y/N] ", listing(doomed))
        .and_then(|()| stderr.flush());
    asked.map_err(|it| Failure::io("write to", Path::new("stderr"), &it))?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|it| Failure::io("read", Path::new("stdin"), &it))?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new("not-confirmed", "nothing was removed")),
    }
}

/// The command as it was typed, without an answer.
fn typed(args: &Args) -> String {
    let all = if args.all { " --all" } else { "" };
    let purge = if args.purge { " --purge" } else { "" };
    format!("provisioning self uninstall{all}{purge}")
}

fn listing(doomed: &[Doomed]) -> String {
    let mut text = String::from("what goes:\n");
    for it in doomed {
        let _ = writeln!(text, "  {}  ({})", it.path.display(), it.what);
    }
    text
}

fn remove(doomed: &Doomed, bin: &Path) -> io::Result<()> {
    if doomed.what == PROFILE_LINE {
        return forget_line(&doomed.path, bin);
    }
    match switch::remove_tree(&doomed.path) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Takes our line out of a profile; a file that had nothing else goes.
fn forget_line(path: &Path, bin: &Path) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let kept: String = text
        .split_inclusive('\n')
        .filter(|it| !is_our_line(it, bin))
        .collect();
    if kept.trim().is_empty() {
        return fs::remove_file(path);
    }
    // It may be a link into somebody's dotfiles; it keeps its mode, and is never half written.
    let place = path.canonicalize()?;
    let mut staged = tempfile::Builder::new()
        .prefix(".provisioning-")
        .permissions(fs::metadata(&place)?.permissions())
        .tempfile_in(place.parent().unwrap_or(&place))?;
    staged.write_all(kept.as_bytes())?;
    staged.as_file().sync_all()?;
    staged.persist(&place).map_err(|it| it.error)?;
    Ok(())
}

/// Folders that the installer made go where nothing else is in them.
fn remove_empty_folders(prefix: &Path) {
    for folder in FOLDERS {
        let _ = fs::remove_dir(prefix.join(folder));
    }
}

fn still_installed(installation: &Installation, current: &Generation) -> Failure {
    let packages: Vec<_> = current
        .packages
        .iter()
        .map(|it| format!("{} {}", it.name, it.version))
        .collect();
    Failure::new(
        "still-installed",
        format!(
            "{} installed in `{}`: {}",
            match packages.len() {
                1 => "a package is".to_owned(),
                count => format!("{count} packages are"),
            },
            installation.prefix.display(),
            packages.join(", ")
        ),
    )
    .with_hint("`provisioning self uninstall --all` removes them too")
    .with_hint("nothing was changed")
}

fn cannot_remove(path: &Path, problem: &io::Error) -> Failure {
    Failure::io("remove", path, problem)
        .with_hint("run it again as the owner of the prefix; what is left will go then")
}
