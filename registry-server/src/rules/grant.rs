//! What a token is good for: a scope, and perhaps the packages that it is limited to
//! (`publish:mongodb*`). Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The first version of a new package.
    PublishNew,
    /// A version of a package that exists.
    Publish,
    /// Yank and unyank, deprecate and archive.
    Yank,
    /// Who owns a package, and which CI may publish it.
    Owners,
    /// The matrix and bundles.
    Bundles,
    /// Holding packages back.
    Moderate,
    /// Everything.
    Admin,
}

/// A scope, and the packages that it is limited to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    scope: Scope,
    /// `None`: every package.
    pattern: Option<String>,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::PublishNew,
        Self::Publish,
        Self::Yank,
        Self::Owners,
        Self::Bundles,
        Self::Moderate,
        Self::Admin,
    ];

    /// The word used on the command line and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PublishNew => "publish-new",
            Self::Publish => "publish",
            Self::Yank => "yank",
            Self::Owners => "owners",
            Self::Bundles => "bundles",
            Self::Moderate => "moderate",
            Self::Admin => "admin",
        }
    }
}

impl Grant {
    /// The scope.
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether it is limited to some packages.
    pub const fn is_limited(&self) -> bool {
        self.pattern.is_some()
    }

    /// Whether it covers something called `name`.
    pub fn covers(&self, name: &str) -> bool {
        match &self.pattern {
            None => true,
            Some(pattern) => match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == pattern,
            },
        }
    }
}

impl From<Scope> for Grant {
    fn from(scope: Scope) -> Self {
        Self {
            scope,
            pattern: None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            None => write!(f, "{}", self.scope),
            Some(pattern) => write!(f, "{}:{pattern}", self.scope),
        }
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

/// The text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownScope {
    /// The word before the colon.
    #[error(
        "`{0}` is not a scope: expected `publish-new`, `publish`, `yank`, `owners`, `bundles`, \
         `moderate` or `admin`"
    )]
    Word(String),
    /// The names behind the colon.
    #[error(
        "`{0}` is not a pattern of names: expected a name such as `mongodb`, or its beginning \
         and a star, `mongodb*`"
    )]
    Pattern(String),
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| UnknownScope::Word(text.to_owned()))
    }
}

impl FromStr for Grant {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, pattern) = match text.split_once(':') {
            None => (text, None),
            Some((word, pattern)) => (word, Some(pattern)),
        };
        let scope = word.parse()?;
        if let Some(pattern) = pattern {
            let start = pattern.strip_suffix('*').unwrap_or(pattern);
            let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
            if start.is_empty() || start.len() > 64 || !start.chars().all(is_name) {
                return Err(UnknownScope::Pattern(pattern.to_owned()));
            }
        }
        Ok(Self {
            scope,
            pattern: pattern.map(str::to_owned),
        })
    }
}

impl TryFrom<String> for Grant {
    type Error = UnknownScope;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_may_be_limited_to_names_or_their_beginning() {
        let grant: Grant = "publish:mongodb*".parse().unwrap();
        assert_eq!(grant.scope(), Scope::Publish);
        assert!(grant.covers("mongodb") && grant.covers("mongodb-tools"));
        assert!(!grant.covers("redis") && !grant.covers("mongo"));
        let exact: Grant = "yank:redis".parse().unwrap();
        assert!(exact.covers("redis") && !exact.covers("redis-x"));
        let all: Grant = "publish".parse().unwrap();
        assert!(all.covers("anything") && !all.is_limited());
        for text in ["publish:mongodb*", "yank:redis", "admin"] {
            let grant: Grant = text.parse().unwrap();
            assert_eq!(grant.to_string(), text);
            let json = serde_json::to_string(&grant).unwrap();
            assert_eq!(serde_json::from_str::<Grant>(&json).unwrap(), grant);
        }
    }

    #[test]
    fn patterns_that_mean_nothing_or_too_much_are_refused() {
        for bad in [
            "everything",
            "publish:",
            "publish:*",
            "publish:*db",
            "publish:Mongo",
            "publish:a:b",
            "",
            ":redis",
        ] {
            assert!(bad.parse::<Grant>().is_err(), "{bad}");
        }
    }
}
