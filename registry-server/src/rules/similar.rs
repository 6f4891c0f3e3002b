//! New names that would be taken for others (`docs/names.md`). Pure.

use provisioning_package::{Kind, PackageName};

use crate::problem::{Code, Refusal};

/// Letters below which a slip of the finger is not looked for: short names are close to
/// everything.
const SLIP_LETTERS_MIN: usize = 6;

/// What a name looks like: without dashes, and with one letter for those that are mistaken
/// for each other. Capitals and other scripts cannot be in a name at all.
pub(crate) fn skeleton(name: &str) -> String {
    let plain: String = name
        .chars()
        .filter(|it| *it != '-')
        .map(|it| match it {
            '0' => 'o',
            '1' => 'l',
            '5' => 's',
            '8' => 'b',
            other => other,
        })
        .collect();
    plain.replace("rn", "m").replace("vv", "w")
}

/// Refuses a new name that looks like one that is there, or is one slip away from one that
/// must not be imitated.
pub(crate) fn check(
    new: &PackageName,
    looks_like: Option<&str>,
    guarded: &[String],
) -> Result<(), Refusal> {
    if new.kind() != Kind::Extension {
        return Ok(());
    }
    let text = new.as_str();
    let refuse = |other: &str| {
        Err(Refusal::new(
            Code::NameConfusable,
            format!("`{text}` would be taken for `{other}`"),
        )
        .hint("choose a name that differs in more than dashes, look-alikes or one letter"))
    };
    if let Some(other) = looks_like.filter(|it| *it != text) {
        return refuse(other);
    }
    let kinds = Kind::ALL.into_iter().map(Kind::as_str);
    let own = kinds
        .chain(["provisioning", "templates"])
        .map(str::to_owned);
    for other in own.chain(guarded.iter().cloned()) {
        if other == text {
            continue;
        }
        let is_long = other.chars().count() >= SLIP_LETTERS_MIN;
        let is_slip = is_long && strsim::damerau_levenshtein(text, &other) <= 1;
        if is_slip || skeleton(&other) == skeleton(text) {
            return refuse(&other);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str) -> PackageName {
        PackageName::parse(name).unwrap()
    }

    #[test]
    fn look_alikes_have_one_skeleton_and_numbered_names_their_own() {
        for (left, right) in [
            ("mongodb", "mongo-db"),
            ("redis", "red1s".replace('1', "i").as_str()),
            ("postgres", "p0stgre5"),
            ("modern", "modem"),
            ("wasm", "vvasm"),
            ("tools", "t00l5"),
        ] {
            assert_eq!(skeleton(left), skeleton(right), "{left} {right}");
        }
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..500 {
            assert!(
                seen.insert(skeleton(&format!("package{number}"))),
                "{number}"
            );
        }
    }

    #[test]
    fn names_of_the_registry_and_guarded_ones_are_not_imitated() {
        let guarded = ["mongodb".to_owned()];
        for bad in [
            "platfrom",
            "workspaces",
            "cl1ent",
            "provisionin",
            "mongodbb",
            "mnogodb",
        ] {
            let refused = check(&new(bad), None, &guarded);
            assert_eq!(refused.unwrap_err().code, Code::NameConfusable, "{bad}");
        }
        for good in [
            "mongodb",
            "redis",
            "code",
            "cores",
            "cliff",
            "mongodb-tools",
        ] {
            check(&new(good), None, &guarded).unwrap();
        }
        assert!(check(&new("mongo-db"), Some("mongodb"), &[]).is_err());
        check(&new("mongodb"), Some("mongodb"), &[]).unwrap();
        check(&new("core"), Some("c0re"), &[]).unwrap();
    }
}
