//! What is wrong with a source configuration, all of it at once.

use std::fmt;

use crate::yaml::Place;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is done with such a configuration.
    Error,
    /// It works, but somebody should look at it.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is written.
    pub at: Place,
    /// What is wrong, as a lower-case phrase.
    pub message: String,
}

impl Problem {
    /// Something that must be mended.
    pub fn error(at: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            at,
            message: message.into(),
        }
    }

    /// Something that somebody should look at.
    pub fn warning(at: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(at, message)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// Every problem of a configuration, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds an error.
    pub fn error(&mut self, at: Place, message: impl Into<String>) {
        self.add(Problem::error(at, message));
    }

    /// Adds a warning.
    pub fn warning(&mut self, at: Place, message: impl Into<String>) {
        self.add(Problem::warning(at, message));
    }

    /// Adds a problem unless it is known: what an alias repeats is one mistake.
    pub fn add(&mut self, problem: Problem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Adds several.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        for problem in problems {
            self.add(problem);
        }
    }

    /// Whether something must be mended.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|it| it.severity == Severity::Error)
    }

    /// All of them, in the order of the file.
    pub fn sorted(&self) -> Vec<&Problem> {
        let mut all: Vec<&Problem> = self.0.iter().collect();
        all.sort_by_key(|it| (it.at, it.severity));
        all
    }
}
