//! What installing a bundle asks of the solver, and whether the answer is the bundle.

use provisioning_compat::{Owner, Solution, Wanted};
use provisioning_package::{BundleName, Digest, PackageName, Selector};
use provisioning_registry_api::bundle::BundleSequence;

/// Each member at exactly its version; an optional one only where something brings it.
pub fn wanted(name: &BundleName, sequence: &BundleSequence) -> Vec<Wanted> {
    sequence
        .members
        .iter()
        .map(|member| {
            let owner = Owner::Bundle {
                name: name.clone(),
                sequence: sequence.sequence,
            };
            let selector = Selector::Exact(member.version.clone());
            Wanted {
                optional: !member.required,
                ..Wanted::new(member.name.clone(), selector, owner)
            }
        })
        .collect()
}

/// Members of the solution whose archive is not the one that the bundle was published
/// with: the name, the bundle's digest and the solution's. An index that was changed behind
/// the bundle's back shows here, so nothing of it may be installed.
pub fn foreign_digests(
    sequence: &BundleSequence,
    solution: &Solution,
) -> Vec<(PackageName, Digest, Digest)> {
    let members = sequence.members.iter();
    members
        .filter_map(|member| {
            let chosen = solution.packages.get(&member.name)?;
            let pinned = member.digests.get(&chosen.archive.target)?;
            let is_member = chosen.version == member.version;
            (is_member && *pinned != chosen.archive.digest).then(|| {
                let found = chosen.archive.digest;
                (member.name.clone(), *pinned, found)
            })
        })
        .collect()
}
