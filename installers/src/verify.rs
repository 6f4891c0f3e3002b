//! Is everything still as it was installed? Reads every file of the current generation
//! again and compares it with the digests that were recorded when it was unpacked.
//!
//! Reads only, waits for nobody, and tells damage from work in progress: what a writer has
//! in hand right now, or a killed one left behind, is no finding.

use std::path::{Path, PathBuf};

use provisioning_package::PackageName;
use serde::{Deserialize, Serialize};

use crate::config_files;
use crate::error::InstallError;
use crate::generation::{Generation, InstalledPackage};
use crate::linked::Linked;
use crate::links;
use crate::prefix::Prefix;
use crate::record;
use crate::recover;

pub(crate) mod trees;

/// How often a look is taken again because a writer switched meanwhile. Writers take far
/// longer than a look, so this is only reached where they queue.
const LOOKS_MAX: usize = 32;

/// One thing that is not as it was installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong: `missing`, `changed`, `extra`, `mode`, `link`, `damaged` (one of our
    /// own records), `edited` (a configuration file) or `linked` (a working copy), of which
    /// the last two are no faults.
    pub code: String,
    /// Whose file, where it is a package's.
    pub package: Option<PackageName>,
    /// Where.
    pub path: PathBuf,
    /// More about it, for people.
    #[serde(default)]
    pub detail: Option<String>,
}

impl Finding {
    /// Whether it is a fault. An edited configuration file is the user's good right, and so
    /// is a working copy in a package's place.
    pub fn is_fault(&self) -> bool {
        !matches!(self.code.as_str(), "edited" | "linked")
    }

    /// What is wrong at `path`.
    pub(crate) fn new(code: &str, package: Option<&InstalledPackage>, path: PathBuf) -> Self {
        Self {
            code: code.to_owned(),
            package: package.map(|it| it.name.clone()),
            path,
            detail: None,
        }
    }

    /// The same, with more about it.
    pub(crate) fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Everything that is not as it was installed.
pub fn verify(prefix: &Prefix) -> Result<Vec<Finding>, InstallError> {
    let mut findings = Vec::new();
    for _ in 0..LOOKS_MAX {
        let before = Moment::of(prefix);
        findings = look(prefix)?;
        let is_steady = before == Moment::of(prefix);
        if is_steady || !findings.iter().any(Finding::is_fault) {
            break;
        }
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// The generation that is current according to the link, with what is wrong with its
/// records; a damaged one is read from its second copy where that is whole.
pub(crate) fn current(
    prefix: &Prefix,
    findings: &mut Vec<Finding>,
) -> Result<Option<Generation>, InstallError> {
    let number = match prefix.current_number() {
        Ok(Some(number)) => number,
        Ok(None) => {
            if recover::lost_current(prefix)? {
                let lost = Finding::new("missing", None, prefix.current());
                findings.push(lost.with("the link to the current generation"));
            }
            return Ok(None);
        }
        Err(InstallError::Foreign { path }) => {
            let detail = "leads to no generation";
            findings.push(Finding::new("damaged", None, path).with(detail));
            return Ok(None);
        }
        Err(problem) => return Err(problem),
    };
    let path = prefix.generation(number).join(Generation::FILE);
    let kept = record::read(prefix, number);
    let read = std::fs::read(&path).map_err(|it| InstallError::io("read", &path, it));
    let parsed = read
        .as_ref()
        .map_or(None, |_| prefix.read_generation(number).ok());
    let detail = match (&read, &parsed, &kept) {
        (Ok(found), Some(_), Some((bytes, _))) if found == bytes => None,
        (Ok(_), Some(it), None) if it.generation == number => None,
        (Err(_), ..) => Some("the generation's record is gone"),
        _ => Some("the generation's record was changed"),
    };
    if let Err(problem @ InstallError::Newer { .. }) = prefix.read_generation(number) {
        return Err(problem);
    }
    if let Some(detail) = detail {
        findings.push(Finding::new("damaged", None, path).with(detail));
    }
    Ok(kept.map(|(_, it)| it).or(parsed))
}

/// What tells whether a writer was at it.
#[derive(PartialEq, Eq)]
struct Moment {
    number: Option<u64>,
    is_pending: bool,
}

impl Moment {
    fn of(prefix: &Prefix) -> Self {
        Self {
            number: prefix.current_number().ok().flatten(),
            is_pending: prefix.pending().exists(),
        }
    }
}

fn look(prefix: &Prefix) -> Result<Vec<Finding>, InstallError> {
    let mut findings = Vec::new();
    let Some(current) = current(prefix, &mut findings)? else {
        return Ok(findings);
    };
    findings.extend(trees::packages(prefix, &current.packages)?);
    trees::generation(prefix, &current, &mut findings)?;
    let outside = links::broken(prefix, &current.commands())?;
    // With work pending, a writer is between its links and its switch or was killed there.
    if !prefix.pending().exists() {
        let found = outside.into_iter();
        findings.extend(found.map(|(path, what)| Finding::new("link", None, path).with(what)));
    }
    findings.extend(current.linked.iter().map(linked));
    verify_config(prefix, &current, &mut findings)?;
    Ok(findings)
}

fn linked(linked: &Linked) -> Finding {
    let (code, detail) = if linked.is_there() {
        ("linked", "a working copy".to_owned())
    } else {
        let name = &linked.name;
        let detail = format!("the working copy is gone: `provisioning unlink {name}`");
        ("link", detail)
    };
    Finding {
        code: code.to_owned(),
        package: Some(linked.name.clone()),
        path: linked.path.clone(),
        detail: Some(detail),
    }
}

fn verify_config(
    prefix: &Prefix,
    current: &Generation,
    findings: &mut Vec<Finding>,
) -> Result<(), InstallError> {
    for record in current.config.iter().filter(|it| it.shipped.is_some()) {
        let path = prefix.config_file(&record.package, &record.path);
        let found = config_files::digest_on_disk(&path)?;
        if found != record.shipped {
            let package = current.package(&record.package);
            let finding = Finding::new("edited", package, path);
            findings.push(match found {
                Some(_) => finding,
                None => finding.with("deleted"),
            });
        }
    }
    Ok(())
}

/// `path` from `root`, as a receipt writes it.
fn inside(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root)
        .ok()
        .and_then(Path::to_str)
        .map(str::to_owned)
}
