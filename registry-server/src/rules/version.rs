//! What may be published beside, or again as, a version that exists.

use std::fmt::Write as _;

use provisioning_registry_api::session::DeclaredVersion;

use crate::db::versions::ExistingVersion;
use crate::problem::{Code, Refusal};

/// Whether a declaration is the same publish again: every archive that it names is there
/// with the same digest. Targets are never added later.
pub(crate) fn agree(declared: &DeclaredVersion, existing: &ExistingVersion) -> Result<(), Refusal> {
    let subject = format!("{} `{}@{}`", declared.kind, declared.name, declared.version);
    if declared.version != existing.version {
        return Err(Refusal::new(
            Code::BuildMetadataConflict,
            format!(
                "{subject} differs from the published `{}` in build metadata alone",
                existing.version
            ),
        )
        .hint("give it a version number of its own"));
    }
    for archive in &declared.archives {
        let Some(winner) = existing.archives.get(&archive.target) else {
            let targets: Vec<_> = existing.archives.keys().map(|it| it.as_str()).collect();
            return Err(Refusal::new(
                Code::VersionExists,
                format!(
                    "{subject} was published for {} and takes no other target such as `{}`",
                    targets.join(", "),
                    archive.target
                ),
            )
            .hint(
                "a version's targets are declared when it is first published: publish a new one",
            ));
        };
        if archive.digest.is_some_and(|it| it != *winner) {
            let mut detail = format!(
                "{subject} was published for `{}` with other bytes: the registry has {}",
                archive.target,
                winner.prefixed()
            );
            if let Some(own) = archive.digest {
                let _ = write!(detail, ", this is {}", own.prefixed());
            }
            return Err(Refusal::new(Code::VersionExists, detail)
                .hint("a version never changes: give your change a new version number"));
        }
    }
    Ok(())
}
