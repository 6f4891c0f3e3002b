//! What an operator may hold back while the registry runs, and whom that stops.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use provisioning_package::PackageName;
use provisioning_registry_api::operation::Switch;

use super::access::Action;
use crate::problem::{Code, Refusal};

/// Characters of an actor's name.
const ACTOR_CHARS_MAX: usize = 128;

/// Something that can be held back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SwitchName {
    /// Every change but those of administrators.
    ReadOnly,
    /// Every publish.
    Publishing,
    /// First versions.
    NewNames,
    /// Every change of one package.
    Package(PackageName),
    /// Every change by one user or token.
    Actor(String),
}

/// What is held back now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Thrown(BTreeMap<SwitchName, Switch>);

/// The text names no switch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no switch: expected `read-only`, `publishing`, `new-names`, `package:NAME` or \
     `actor:NAME`"
)]
pub struct UnknownSwitch(String);

impl FromStr for SwitchName {
    type Err = UnknownSwitch;

    fn from_str(text: &str) -> Result<Self, UnknownSwitch> {
        let unknown = || UnknownSwitch(text.chars().take(ACTOR_CHARS_MAX).collect());
        match text.split_once(':') {
            None if text == "read-only" => Ok(Self::ReadOnly),
            None if text == "publishing" => Ok(Self::Publishing),
            None if text == "new-names" => Ok(Self::NewNames),
            Some(("package", name)) => PackageName::from_user(name)
                .map(Self::Package)
                .map_err(|_| unknown()),
            Some(("actor", name))
                if !name.is_empty()
                    && name.chars().count() <= ACTOR_CHARS_MAX
                    && !name.chars().any(char::is_control) =>
            {
                Ok(Self::Actor(name.to_owned()))
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for SwitchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("read-only"),
            Self::Publishing => f.write_str("publishing"),
            Self::NewNames => f.write_str("new-names"),
            Self::Package(name) => write!(f, "package:{name}"),
            Self::Actor(name) => write!(f, "actor:{name}"),
        }
    }
}

impl Thrown {
    /// What is held back; names that an older or newer version wrote are left out.
    pub(crate) fn new(switches: Vec<Switch>) -> Self {
        let known = switches
            .into_iter()
            .filter_map(|it| Some((it.name.parse().ok()?, it)));
        Self(known.collect())
    }

    /// Every switch, by name.
    pub(crate) fn into_list(self) -> Vec<Switch> {
        self.0.into_values().collect()
    }

    /// Refuses a change by `actor` that is held back, whatever it is about.
    pub(crate) fn refuse_change(&self, action: Action, actor: &str) -> Result<(), Refusal> {
        // Whoever may throw switches must be able to take them back.
        if matches!(action, Action::Administer | Action::Read) {
            return Ok(());
        }
        if let Some(switch) = self.0.get(&SwitchName::ReadOnly) {
            return Err(Refusal::new(
                Code::ReadOnly,
                format!("the registry takes no changes now: {}", switch.reason),
            )
            .hint("what is published can be installed meanwhile; try again later"));
        }
        if let Some(switch) = self.0.get(&SwitchName::Actor(actor.to_owned())) {
            return Err(Refusal::new(
                Code::Blocked,
                format!("`{actor}` may change nothing now: {}", switch.reason),
            )
            .hint("ask the registry's operator"));
        }
        Ok(())
    }

    /// Refuses a change of a package that is held back.
    pub(crate) fn refuse_package(&self, name: &PackageName) -> Result<(), Refusal> {
        match self.0.get(&SwitchName::Package(name.clone())) {
            None => Ok(()),
            Some(switch) => Err(Refusal::new(
                Code::Blocked,
                format!("`{name}` takes no changes now: {}", switch.reason),
            )
            .hint("ask the registry's operator")),
        }
    }

    /// Refuses a publish that is held back.
    pub(crate) fn refuse_publish(&self, name: &PackageName, is_new: bool) -> Result<(), Refusal> {
        let off = |switch: &Switch, what: &str| {
            Refusal::new(
                Code::PublishingOff,
                format!("the registry takes no {what} now: {}", switch.reason),
            )
            .hint("try again later; nothing of this publish was kept")
        };
        if let Some(switch) = self.0.get(&SwitchName::Publishing) {
            return Err(off(switch, "publishes"));
        }
        if is_new && let Some(switch) = self.0.get(&SwitchName::NewNames) {
            return Err(off(switch, "new names"));
        }
        self.refuse_package(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn thrown(names: &[&str]) -> Thrown {
        Thrown::new(
            names
                .iter()
                .map(|name| Switch {
                    name: (*name).to_owned(),
                    reason: "maintenance".to_owned(),
                    by: "op".to_owned(),
                    since: Timestamp::UNIX_EPOCH,
                })
                .collect(),
        )
    }

    fn redis() -> PackageName {
        PackageName::parse("redis").unwrap()
    }

    #[test]
    fn names_read_back_and_nonsense_is_refused() {
        for name in [
            "read-only",
            "publishing",
            "new-names",
            "package:redis",
            "actor:ci",
        ] {
            let parsed: SwitchName = name.parse().unwrap();
            assert_eq!(parsed.to_string(), name);
        }
        for bad in [
            "",
            "readonly",
            "package:",
            "package:a--b",
            "actor:",
            "actor:a\nb",
            "user:x",
        ] {
            assert!(bad.parse::<SwitchName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn read_only_stops_everyone_but_administrators() {
        let thrown = thrown(&["read-only"]);
        let refused = thrown.refuse_change(Action::Publish, "ci").unwrap_err();
        assert_eq!(refused.code, Code::ReadOnly);
        assert!(refused.detail.contains("maintenance"));
        thrown.refuse_change(Action::Administer, "op").unwrap();
        thrown.refuse_change(Action::Read, "anonymous").unwrap();
    }

    #[test]
    fn a_switch_stops_what_it_names_and_nothing_else() {
        let none = thrown(&[]);
        none.refuse_change(Action::Yank, "ci").unwrap();
        none.refuse_publish(&redis(), true).unwrap();
        let names = thrown(&["new-names"]);
        names.refuse_publish(&redis(), false).unwrap();
        assert!(names.refuse_publish(&redis(), true).is_err());
        let package = thrown(&["package:redis"]);
        assert_eq!(
            package.refuse_package(&redis()).unwrap_err().code,
            Code::Blocked
        );
        package
            .refuse_package(&PackageName::parse("mongodb").unwrap())
            .unwrap();
        let actor = thrown(&["actor:ci"]);
        assert!(actor.refuse_change(Action::Yank, "ci").is_err());
        actor.refuse_change(Action::Yank, "other").unwrap();
        assert!(
            thrown(&["publishing"])
                .refuse_publish(&redis(), false)
                .is_err()
        );
    }
}
