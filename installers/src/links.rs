//! What stands outside `P/lib/provisioning` and leads into it: `P/bin/<command>`,
//! `P/share/provisioning`, `P/extensions`.
//!
//! Every such link goes through `current`, so that one rename moves all of them. The set
//! of links is a function of the current generation, so a crash leaves nothing that the
//! next writer cannot put right ([`settle`]). A file that is not such a link is never
//! touched; the client's own `P/bin/provisioning` is not one either.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use provisioning_package::PackageName;

use crate::durable;
use crate::error::{Collision, InstallError};
use crate::layout::{CLIENT_COMMAND, Contents};
use crate::prefix::Prefix;

/// What every link of ours ends with, up to the command's name.
const THROUGH_CURRENT: &str = "lib/provisioning/current";

/// Where `P/extensions` leads.
const EXTENSIONS: &str = "share/provisioning/extensions";

/// Two owners for one path: packages among themselves, and packages with what stands in
/// the prefix already.
pub(crate) fn collisions(
    prefix: &Prefix,
    contents: &BTreeMap<PackageName, Contents>,
) -> Vec<Collision> {
    let mut found = Vec::new();
    let mut owners: BTreeMap<String, &PackageName> = BTreeMap::new();
    for (name, it) in contents {
        for command in it.commands.keys() {
            let path = prefix.bin().join(command);
            let collision = |owner: String| Collision {
                path: path.clone(),
                wanted_by: format!("package `{name}`"),
                owner,
            };
            if command == CLIENT_COMMAND {
                found.push(collision("the client itself".into()));
            } else if let Some(other) = owners.insert(command.to_lowercase(), name) {
                found.push(collision(format!("package `{other}`")));
            } else if !may_stand(&path, &format!("{THROUGH_CURRENT}/bin/{command}")) {
                found.push(collision("no package: it was there before".into()));
            }
        }
    }
    for (path, end) in fixed_links(prefix) {
        if !may_stand(&path, &end) {
            found.push(Collision {
                path,
                wanted_by: "every install".into(),
                owner: "no package: it was there before".into(),
            });
        }
    }
    found
}

/// Adds the links that a generation needs; what it no longer needs stays for
/// [`remove_stale`].
pub(crate) fn add(prefix: &Prefix, commands: &BTreeSet<&str>) -> Result<(), InstallError> {
    let folder = prefix.bin();
    if !commands.is_empty() {
        durable::make_folder(&folder)?;
    }
    for command in commands {
        let end = format!("{THROUGH_CURRENT}/bin/{command}");
        let inside = Path::new("current/bin").join(command);
        put(
            prefix,
            &folder.join(command),
            &end,
            "../lib/provisioning",
            &inside,
        )?;
    }
    let share = prefix.share();
    durable::make_folder(share.parent().unwrap_or(prefix.root()))?;
    let end = format!("{THROUGH_CURRENT}/share/provisioning");
    let inside = Path::new("current/share/provisioning");
    put(prefix, &share, &end, "../lib/provisioning", inside)?;
    if let Some(path) = prefix.extensions() {
        let target = Path::new(EXTENSIONS);
        if !fs::read_link(&path).is_ok_and(|it| it == target) {
            durable::replace_link(&path, target)?;
        }
    }
    Ok(())
}

/// Removes links of ours in `P/bin` that the generation does not have.
pub(crate) fn remove_stale(prefix: &Prefix, commands: &BTreeSet<&str>) -> Result<(), InstallError> {
    for command in our_commands(prefix)? {
        if !commands.contains(command.as_str()) {
            durable::remove_if_there(&prefix.bin().join(&command))?;
        }
    }
    Ok(())
}

/// Removes every link of ours, as after a first install that came to nothing.
pub(crate) fn remove_all(prefix: &Prefix) -> Result<(), InstallError> {
    for (path, end) in fixed_links(prefix) {
        for link in [durable::beside(&path), path] {
            if is_surely_ours(&link, &end)? {
                durable::remove_if_there(&link)?;
            }
        }
    }
    remove_stale(prefix, &BTreeSet::new())
}

/// Makes the links outside what the current generation says, as after a crash. Files of
/// others are left alone.
pub(crate) fn settle(prefix: &Prefix, commands: &BTreeSet<&str>) -> Result<(), InstallError> {
    let free: BTreeSet<&str> = commands
        .iter()
        .copied()
        .filter(|it| {
            may_stand(
                &prefix.bin().join(it),
                &format!("{THROUGH_CURRENT}/bin/{it}"),
            )
        })
        .collect();
    if fixed_links(prefix)
        .iter()
        .all(|(path, end)| may_stand(path, end))
    {
        add(prefix, &free)?;
    }
    remove_stale(prefix, commands)
}

/// The links outside that are not what the generation says, and what is wrong with each.
pub(crate) fn broken(
    prefix: &Prefix,
    commands: &BTreeSet<&str>,
) -> Result<Vec<(PathBuf, String)>, InstallError> {
    let bin = commands.iter().map(|it| {
        let inside = Path::new("current/bin").join(it);
        (prefix.bin().join(it), prefix.base().join(inside))
    });
    let share = prefix.base().join("current/share/provisioning");
    let extensions = prefix
        .extensions()
        .map(|it| (it, prefix.root().join(EXTENSIONS)));
    let wanted = bin.chain([(prefix.share(), share)]).chain(extensions);
    let mut found: Vec<_> = wanted
        .filter_map(|(path, end)| Some((wrong(&path, &end)?, path)))
        .map(|(what, path)| (path, what))
        .collect();
    for command in our_commands(prefix)? {
        if !commands.contains(command.as_str()) {
            let what = "leads to a command that is not installed";
            found.push((prefix.bin().join(command), what.to_owned()));
        }
    }
    Ok(found)
}

/// Whether a link of ours may stand at a path that [`broken`] names.
pub(crate) fn is_free(prefix: &Prefix, path: &Path) -> bool {
    let fixed = fixed_links(prefix).into_iter().find(|(it, _)| it == path);
    let end = fixed.map_or_else(
        || {
            let command = path.file_name().unwrap_or_default().to_string_lossy();
            format!("{THROUGH_CURRENT}/bin/{command}")
        },
        |(_, end)| end,
    );
    may_stand(path, &end)
}

/// Whether any link of ours stands outside.
pub(crate) fn any(prefix: &Prefix) -> Result<bool, InstallError> {
    let fixed = fixed_links(prefix);
    let is_fixed = fixed.iter().any(|(path, end)| is_ours(path, end));
    Ok(is_fixed || !our_commands(prefix)?.is_empty())
}

/// What is wrong with a link that must lead to `end`, step by step through `current`.
fn wrong(path: &Path, end: &Path) -> Option<String> {
    let folder = path.parent().unwrap_or(path);
    match (fs::symlink_metadata(path), fs::read_link(path)) {
        (Err(_), _) => Some("is gone".to_owned()),
        (Ok(_), Err(_)) => Some("is no link".to_owned()),
        (Ok(_), Ok(target)) => {
            let place = |it: &Path| {
                let folder = it.parent().map(fs::canonicalize)?.ok()?;
                Some(folder.join(it.file_name()?))
            };
            let found = place(&folder.join(&target));
            let is_right = found.is_some() && found == place(end);
            (!is_right).then(|| format!("leads to `{}`", target.display()))
        }
    }
}

/// `P/share/provisioning` and `P/extensions`, and what each must end with.
fn fixed_links(prefix: &Prefix) -> Vec<(PathBuf, String)> {
    let share = (
        prefix.share(),
        format!("{THROUGH_CURRENT}/share/provisioning"),
    );
    let extensions = prefix.extensions().map(|it| (it, EXTENSIONS.to_owned()));
    std::iter::once(share).chain(extensions).collect()
}

fn put(
    prefix: &Prefix,
    path: &Path,
    end: &str,
    up: &str,
    inside: &Path,
) -> Result<(), InstallError> {
    let folder = path.parent().unwrap_or(prefix.root());
    // Where `P/bin` is itself a link to another place, the way up from there does not lead
    // back, so the link names the prefix whole.
    let target = if leads_to(folder, up, &prefix.base()) {
        Path::new(up).join(inside)
    } else {
        prefix.base().join(inside)
    };
    match fs::read_link(path) {
        Ok(found) if found == target => Ok(()),
        _ if may_stand(path, end) => durable::replace_link(path, &target),
        _ => Err(InstallError::Foreign {
            path: path.to_owned(),
        }),
    }
}

/// Whether `folder/up` is the same place as `wanted`.
fn leads_to(folder: &Path, up: &str, wanted: &Path) -> bool {
    let there = fs::canonicalize(folder.join(up));
    matches!((there, fs::canonicalize(wanted)), (Ok(a), Ok(b)) if a == b)
}

/// Whether a link of ours may be put at `path`: nothing is there, or one of ours is.
fn may_stand(path: &Path, end: &str) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => is_ours(path, end),
        Err(_) => true,
    }
}

fn is_ours(path: &Path, end: &str) -> bool {
    fs::read_link(path).is_ok_and(|it| it.ends_with(end))
}

/// The same where a link that cannot be read must not be passed over: one of ours that is
/// stale would stay.
fn is_surely_ours(path: &Path, end: &str) -> Result<bool, InstallError> {
    match fs::read_link(path) {
        Ok(target) => Ok(target.ends_with(end)),
        // It is no link, or gone.
        Err(problem)
            if matches!(
                problem.kind(),
                std::io::ErrorKind::InvalidInput
                    | std::io::ErrorKind::NotFound
                    | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(problem) => Err(InstallError::io("read", path, problem)),
    }
}

/// The names of every link of ours in `P/bin`.
fn our_commands(prefix: &Prefix) -> Result<Vec<String>, InstallError> {
    let folder = prefix.bin();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(problem) => return Err(InstallError::io("read", &folder, problem)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|it| InstallError::io("read", &folder, it))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let plain = name.strip_prefix(durable::UNFINISHED).unwrap_or(&name);
        let end = format!("{THROUGH_CURRENT}/bin/{plain}");
        if is_surely_ours(&entry.path(), &end)? {
            names.push(name);
        }
    }
    Ok(names)
}
