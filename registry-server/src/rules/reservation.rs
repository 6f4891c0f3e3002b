//! Who may open a session for what another session has reserved. Pure.

use provisioning_registry_api::session::DeclaredVersion;

use super::declaration;
use crate::db::reservations::Reserved;
use crate::problem::{Code, Refusal};

/// Who reserves, as reservations name them.
pub(crate) fn holder(owner: Option<&str>, token: &str) -> String {
    match owner {
        Some(user) => format!("user:{user}"),
        None => format!("token:{token}"),
    }
}

/// Whether a version that `reserved` holds may be declared by somebody else too: its own
/// holder may try again, and the same bytes are the same publish.
pub(crate) fn check_version(
    declared: &DeclaredVersion,
    own_holder: &str,
    reserved: &Reserved,
    theirs: Option<&DeclaredVersion>,
) -> Result<(), Refusal> {
    if reserved.holder == own_holder {
        return Ok(());
    }
    let Some(theirs) = theirs else { return Ok(()) };
    let one = |it: &DeclaredVersion| [it.clone()];
    let is_same_shape = declaration::shape(&one(theirs)) == declaration::shape(&one(declared));
    if is_same_shape && declaration::join(&one(theirs), &one(declared)).is_some() {
        return Ok(());
    }
    let digests: Vec<String> = theirs
        .archives
        .iter()
        .map(|it| match it.digest {
            Some(digest) => format!("{} for `{}`", digest.prefixed(), it.target),
            None => format!("an archive for `{}`", it.target),
        })
        .collect();
    Err(Refusal::new(
        Code::VersionReserved,
        format!(
            "{} `{}@{}` is being published by somebody else with other bytes: {}",
            declared.kind,
            declared.name,
            declared.version,
            digests.join(", ")
        ),
    )
    .hint("wait until that publish has ended, or give yours a version number of its own"))
}

/// Whether a name that `reserved` holds may be declared by somebody else: names belong to
/// people, so two tokens that no user stands behind do not keep each other out.
pub(crate) fn check_name(
    declared: &DeclaredVersion,
    own_holder: &str,
    reserved: &Reserved,
    is_shared: bool,
) -> Result<(), Refusal> {
    let are_people = [own_holder, &reserved.holder]
        .iter()
        .all(|it| it.starts_with("user:"));
    if reserved.holder == own_holder || !are_people || is_shared {
        return Ok(());
    }
    Err(Refusal::new(
        Code::NameReserved,
        format!(
            "`{}` is new here and somebody else is publishing its first version",
            declared.name
        ),
    )
    .hint("choose another name, or wait until that publish has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use provisioning_package::{Digest, PackageName, Target};
    use provisioning_registry_api::session::DeclaredArchive;

    fn redis(content: &str) -> DeclaredVersion {
        let name = PackageName::parse("redis").unwrap();
        DeclaredVersion {
            kind: name.kind(),
            name,
            version: "1.0.0".parse().unwrap(),
            archives: vec![DeclaredArchive {
                target: Target::Any,
                digest: Some(Digest::of(content.as_bytes())),
                size: None,
            }],
        }
    }

    fn held_by(holder: &str) -> Reserved {
        Reserved {
            session: "1".to_owned(),
            holder: holder.to_owned(),
        }
    }

    #[test]
    fn a_reserved_version_is_open_to_its_holder_and_to_the_same_bytes_alone() {
        let reserved = held_by("user:ada");
        let theirs = redis("theirs");
        let check = |holder: &str, content: &str| {
            check_version(&redis(content), holder, &reserved, Some(&theirs))
        };
        check("user:ada", "other").unwrap();
        check("user:bob", "theirs").unwrap();
        let refused = check("user:bob", "other").unwrap_err();
        assert_eq!(refused.code, Code::VersionReserved);
        assert!(refused.detail.contains(&Digest::of(b"theirs").prefixed()));
    }

    #[test]
    fn a_reserved_name_keeps_other_people_out_but_not_the_operators_tokens() {
        let check = |own: &str, holder: &str| check_name(&redis("x"), own, &held_by(holder), false);
        check("user:ada", "user:ada").unwrap();
        check("token:1", "token:2").unwrap();
        check("token:1", "user:ada").unwrap();
        assert_eq!(
            check("user:bob", "user:ada").unwrap_err().code,
            Code::NameReserved
        );
        check_name(&redis("x"), "user:bob", &held_by("user:ada"), true).unwrap();
    }
}
