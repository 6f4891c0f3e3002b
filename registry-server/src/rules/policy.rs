//! What an administrator sets for the whole registry while it runs.

use std::fmt;
use std::str::FromStr;

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
    pub(crate) const NAMES: [&str; 1] = ["review"];

    /// The same with `name` set to `value`.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Result<Self, PolicyError> {
        match name {
            "review" => {
                self.review = value.parse().map_err(|why| PolicyError::Value {
                    name: name.to_owned(),
                    why,
                })?;
            }
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
        vec![("review", self.review.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_and_wrong_ones_are_named() {
        let policy = Policy::default().with("review", "new-packages").unwrap();
        assert_eq!(policy.review, Review::NewPackages);
        assert_eq!(policy.pairs(), [("review", "new-packages".to_owned())]);
        assert_eq!(policy.pairs().len(), Policy::NAMES.len());
        for (name, value) in [("review", "sometimes"), ("colour", "red")] {
            let error = Policy::default().with(name, value).unwrap_err();
            assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
        }
    }
}
