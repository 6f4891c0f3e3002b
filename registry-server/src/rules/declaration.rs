//! What a publish session may declare, and when two sessions are the same publish.

use std::collections::{BTreeMap, BTreeSet};

use provisioning_package::{Digest, PackageName, Target, Version};
use provisioning_registry_api::session::{DeclaredArchive, DeclaredVersion, MissingArchive};

use crate::db::versions::precedence;
use crate::problem::{Code, Refusal};

/// Versions that one session may declare.
pub(crate) const SESSION_VERSIONS_MAX: usize = 512;

/// Checks a declaration against itself and puts it in order; all problems at once.
pub(crate) fn check(versions: Vec<DeclaredVersion>) -> Result<Vec<DeclaredVersion>, Refusal> {
    let mut problems = Vec::new();
    if versions.is_empty() {
        problems.push("a session declares at least one version".to_owned());
    }
    if versions.len() > SESSION_VERSIONS_MAX {
        problems.push(format!(
            "{} versions are too many for one session: {SESSION_VERSIONS_MAX} is the most",
            versions.len()
        ));
    }
    let mut seen = BTreeMap::<(PackageName, String), Version>::new();
    for version in &versions {
        check_version(version, &mut problems);
        let key = (version.name.clone(), precedence(&version.version));
        if let Some(earlier) = seen.insert(key, version.version.clone()) {
            problems.push(if earlier == version.version {
                format!("`{}@{earlier}` is declared twice", version.name)
            } else {
                format!(
                    "`{}@{earlier}` and `{}@{}` differ in build metadata alone",
                    version.name, version.name, version.version
                )
            });
        }
    }
    if problems.is_empty() {
        Ok(ordered(versions))
    } else {
        Err(Refusal::new(Code::DeclarationInvalid, problems.join("; ")).causes(problems))
    }
}

fn check_version(version: &DeclaredVersion, problems: &mut Vec<String>) {
    let subject = format!("`{}@{}`", version.name, version.version);
    if version.name.kind() != version.kind {
        problems.push(format!(
            "{subject} is declared as kind `{}`, but that name is of kind `{}`",
            version.kind,
            version.name.kind()
        ));
    }
    let targets: BTreeSet<Target> = version.archives.iter().map(|it| it.target).collect();
    if targets.is_empty() {
        problems.push(format!("{subject} declares no archive"));
    }
    if targets.len() != version.archives.len() {
        problems.push(format!("{subject} declares a target twice"));
    }
    if targets.contains(&Target::Any) && targets.len() > 1 {
        problems.push(format!(
            "{subject} declares `any` beside other targets, which it excludes"
        ));
    }
}

fn ordered(mut versions: Vec<DeclaredVersion>) -> Vec<DeclaredVersion> {
    for version in &mut versions {
        version.archives.sort_by_key(|it| it.target);
    }
    versions.sort_by(|left, right| (&left.name, &left.version).cmp(&(&right.name, &right.version)));
    versions
}

/// The versions and targets of an ordered declaration without their digests.
pub(crate) fn shape(versions: &[DeclaredVersion]) -> String {
    let lines: Vec<String> = versions
        .iter()
        .map(|version| {
            let targets: Vec<_> = version
                .archives
                .iter()
                .map(|it| it.target.as_str())
                .collect();
            format!("{}@{}:{}", version.name, version.version, targets.join(","))
        })
        .collect();
    Digest::of(lines.join("\n").as_bytes()).hex()
}

/// Two declarations of one shape as one, if no archive's digest or size contradicts.
pub(crate) fn join(
    earlier: &[DeclaredVersion],
    later: &[DeclaredVersion],
) -> Option<Vec<DeclaredVersion>> {
    earlier
        .iter()
        .zip(later)
        .map(|(left, right)| {
            let archives = left
                .archives
                .iter()
                .zip(&right.archives)
                .map(|(left, right)| {
                    Some(DeclaredArchive {
                        target: left.target,
                        digest: either(left.digest, right.digest).ok()?,
                        size: either(left.size, right.size).ok()?,
                    })
                })
                .collect::<Option<Vec<_>>>()?;
            Some(DeclaredVersion {
                archives,
                ..left.clone()
            })
        })
        .collect()
}

/// Two values are known and differ.
struct Contradiction;

/// The known one of two values.
fn either<T: PartialEq>(left: Option<T>, right: Option<T>) -> Result<Option<T>, Contradiction> {
    match (left, right) {
        (Some(left), Some(right)) if left != right => Err(Contradiction),
        (left, right) => Ok(left.or(right)),
    }
}

/// Every declared archive that is not among those that arrived.
pub(crate) fn missing(
    versions: &[DeclaredVersion],
    arrived: &BTreeSet<Digest>,
) -> Vec<MissingArchive> {
    versions
        .iter()
        .flat_map(|version| {
            version
                .archives
                .iter()
                .filter(|it| it.digest.is_none_or(|digest| !arrived.contains(&digest)))
                .map(|it| MissingArchive {
                    name: version.name.clone(),
                    version: version.version.clone(),
                    target: it.target,
                    digest: it.digest,
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provisioning_package::Kind;

    fn declared(name: &str, version: &str, archives: &[(Target, Option<&str>)]) -> DeclaredVersion {
        let name = PackageName::parse(name).unwrap();
        DeclaredVersion {
            kind: name.kind(),
            name,
            version: version.parse().unwrap(),
            archives: archives
                .iter()
                .map(|(target, content)| DeclaredArchive {
                    target: *target,
                    digest: content.map(|it| Digest::of(it.as_bytes())),
                    size: None,
                })
                .collect(),
        }
    }

    #[test]
    fn contradictions_of_a_declaration_are_all_named() {
        let mut wrong_kind = declared("redis", "1.0.0", &[(Target::Any, None)]);
        wrong_kind.kind = Kind::Core;
        let refusal = check(vec![
            wrong_kind,
            declared("redis", "1.1.0", &[]),
            declared(
                "redis",
                "1.2.0",
                &[(Target::Any, None), (Target::LinuxArm64, None)],
            ),
            declared("core", "1.0.0+a", &[(Target::Any, None)]),
            declared("core", "1.0.0+b", &[(Target::Any, None)]),
        ])
        .unwrap_err();
        assert_eq!(refusal.causes.len(), 4, "{:#?}", refusal.causes);
        assert!(check(Vec::new()).is_err());
    }

    #[test]
    fn machines_that_declare_the_same_targets_join_one_session() {
        let one = check(vec![declared(
            "core",
            "1.0.0",
            &[(Target::LinuxX86_64, Some("x")), (Target::LinuxArm64, None)],
        )])
        .unwrap();
        let two = check(vec![declared(
            "core",
            "1.0.0",
            &[(Target::LinuxArm64, Some("a")), (Target::LinuxX86_64, None)],
        )])
        .unwrap();
        let other = check(vec![declared(
            "core",
            "1.0.0",
            &[(Target::LinuxX86_64, Some("y")), (Target::LinuxArm64, None)],
        )])
        .unwrap();
        assert_eq!(shape(&one), shape(&two));
        let joined = join(&one, &two).unwrap();
        let arrived = BTreeSet::from([Digest::of(b"x")]);
        assert_eq!(missing(&joined, &arrived).len(), 1);
        assert_eq!(join(&one, &other), None);
    }
}
