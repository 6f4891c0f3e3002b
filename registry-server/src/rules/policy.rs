//! What an administrator sets for the whole registry while it runs.

use std::fmt;
use std::str::FromStr;

use provisioning_package::PackageName;
use provisioning_registry_api::life::Quota;

/// What a moderator must look at before it becomes visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Review {
    /// Nothing: a fresh registry holds nothing back.
    #[default]
    Nothing,
    /// First versions, and with them new names.
    NewPackages,
    /// Every version.
    EveryVersion,
}

impl Review {
    const ALL: [Self; 3] = [Self::Nothing, Self::NewPackages, Self::EveryVersion];

    /// The word used in settings.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::NewPackages => "new-packages",
            Self::EveryVersion => "every-version",
        }
    }
}

impl FromStr for Review {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not `nothing`, `new-packages` or `every-version`"))
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Every setting with its present value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Policy {
    /// What a moderator must look at.
    pub(crate) review: Review,
    /// Whether new names may look like others.
    pub(crate) allows_confusable_names: bool,
    /// Names that new ones must not be one slip away from.
    pub(crate) guarded_names: Vec<String>,
    /// Names that nobody may take.
    pub(crate) reserved_names: Vec<String>,
    /// What every package may have.
    pub(crate) quota: Quota,
}

/// A setting that does not exist, or a value that it does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PolicyError {
    /// No setting of that name.
    #[error("there is no setting `{name}`: expected {}", Policy::NAMES.map(|it| format!("`{it}`")).join(" or "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The value is none that it takes.
    #[error("`{name}` cannot be that: {why}")]
    Value {
        /// The setting.
        name: String,
        /// What is wrong.
        why: String,
    },
}

impl Policy {
    /// What the settings are called.
    pub(crate) const NAMES: [&str; 6] = [
        "review",
        "confusable-names",
        "guarded-names",
        "reserved-names",
        "archive-bytes-max",
        "package-bytes-max",
    ];

    /// The same with `name` set to `value`.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Result<Self, PolicyError> {
        let wrong = |why: String| PolicyError::Value {
            name: name.to_owned(),
            why,
        };
        match name {
            "review" => self.review = value.parse().map_err(wrong)?,
            "confusable-names" => {
                self.allows_confusable_names = match value {
                    "refuse" => false,
                    "allow" => true,
                    _ => return Err(wrong(format!("`{value}` is not `refuse` or `allow`"))),
                };
            }
            "guarded-names" => self.guarded_names = names(value).map_err(wrong)?,
            "reserved-names" => self.reserved_names = names(value).map_err(wrong)?,
            "archive-bytes-max" => self.quota.archive_bytes = bytes(value).map_err(wrong)?,
            "package-bytes-max" => self.quota.total_bytes = bytes(value).map_err(wrong)?,
            _ => {
                return Err(PolicyError::Unknown {
                    name: name.to_owned(),
                });
            }
        }
        Ok(self)
    }

    /// Every setting's name and value.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let shown = |it: Option<u64>| it.map_or_else(|| "none".to_owned(), |it| it.to_string());
        let names = if self.allows_confusable_names {
            "allow"
        } else {
            "refuse"
        };
        vec![
            ("review", self.review.to_string()),
            ("confusable-names", names.to_owned()),
            ("guarded-names", self.guarded_names.join(",")),
            ("reserved-names", self.reserved_names.join(",")),
            ("archive-bytes-max", shown(self.quota.archive_bytes)),
            ("package-bytes-max", shown(self.quota.total_bytes)),
        ]
    }
}

/// Reads names with commas between them.
fn names(text: &str) -> Result<Vec<String>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(|it| match PackageName::parse(it) {
            Ok(name) => Ok(name.as_str().to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .collect()
}

/// Reads a number of bytes, or `none`.
fn bytes(text: &str) -> Result<Option<u64>, String> {
    if text == "none" {
        return Ok(None);
    }
    let read = text.parse().map(Some);
    read.map_err(|_| format!("`{text}` is not a number of bytes or `none`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_and_wrong_ones_are_named() {
        let policy = Policy::default().with("review", "new-packages").unwrap();
        assert_eq!(policy.review, Review::NewPackages);
        let names: Vec<_> = policy.pairs().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, Policy::NAMES);
        let again = policy.pairs().into_iter();
        let again = again.fold(Policy::default(), |it, (name, value)| {
            it.with(name, &value).unwrap()
        });
        assert_eq!(again, policy);
        for (name, value) in [
            ("review", "sometimes"),
            ("colour", "red"),
            ("archive-bytes-max", "-1"),
            ("guarded-names", "Mongo DB"),
            ("confusable-names", "maybe"),
        ] {
            let error = Policy::default().with(name, value).unwrap_err();
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
    }
}
