//! What a commit means for whoever upgrades.
//!
//! Conventional commits (conventionalcommits.org 1.0) say it themselves. Any other message is
//! read by its first verb, and counts as a fix where that says nothing: a release too many
//! harms less than a feature in a patch. `BREAKING CHANGE:` and `Release-As:` count in every
//! message.

use jiff::Timestamp;
use provisioning_package::Version;
use serde::Serialize;

use super::bump::Bump;

/// A commit, as git tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its full name.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// When.
    pub time: Timestamp,
    /// The whole message.
    pub message: String,
}

/// Where a change stands in release notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// What whoever upgrades must act upon.
    Breaking,
    /// What mends a weakness that others could use.
    Security,
    /// What is new.
    Added,
    /// What is gone.
    Removed,
    /// What was wrong.
    Fixed,
    /// What is faster.
    Faster,
    /// What is different.
    Changed,
    /// What is better explained.
    Documentation,
    /// What only developers see.
    Internal,
}

/// A commit, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The commit.
    pub commit: String,
    /// Who wrote it.
    pub author: String,
    /// Where it stands in notes.
    pub group: Group,
    /// The part that it is about.
    pub scope: Option<String>,
    /// What was done, in one line.
    pub text: String,
    /// What whoever upgrades must do.
    pub breaking: Option<String>,
    /// Whether the message follows the convention.
    pub conventional: bool,
    /// How much it changes.
    pub bump: Bump,
    /// Whether it may break something although nobody says so.
    pub doubtful: bool,
    /// The version that the author wants to see.
    pub release_as: Option<Version>,
}

impl Group {
    /// Every group, in the order of notes.
    pub const ALL: [Self; 9] = [
        Self::Breaking,
        Self::Security,
        Self::Added,
        Self::Removed,
        Self::Fixed,
        Self::Faster,
        Self::Changed,
        Self::Documentation,
        Self::Internal,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Breaking => "Breaking changes",
            Self::Security => "Security",
            Self::Added => "Added",
            Self::Removed => "Removed",
            Self::Fixed => "Fixed",
            Self::Faster => "Faster",
            Self::Changed => "Changed",
            Self::Documentation => "Documentation",
            Self::Internal => "Internal",
        }
    }

    const fn bump(self) -> Bump {
        match self {
            Self::Breaking => Bump::Major,
            Self::Added | Self::Removed => Bump::Minor,
            Self::Security | Self::Fixed | Self::Faster | Self::Changed => Bump::Patch,
            Self::Documentation | Self::Internal => Bump::None,
        }
    }
}

/// Understands a commit; `None` for one that a release itself made.
pub fn read_commit(commit: &Commit) -> Option<Change> {
    let message = commit.message.trim();
    let (summary, body) = message.split_once('\n').unwrap_or((message, ""));
    let summary = summary.trim();
    if is_release(summary) {
        return None;
    }
    let head = conventional(summary);
    let is_conventional = head.is_some();
    let head = head.unwrap_or_else(|| {
        let (scope, text) = scoped(summary);
        Head {
            group: by_first_word(text),
            scope,
            text,
            is_breaking: false,
        }
    });
    let mut group = head.group;
    let footer = breaking_footer(body);
    let breaking = match (footer, head.is_breaking) {
        (Some(text), _) => Some(text),
        (None, true) => Some(head.text.to_owned()),
        (None, false) => None,
    };
    let doubtful = !is_conventional && group == Group::Removed && breaking.is_none();
    if breaking.is_some() {
        group = Group::Breaking;
    }
    Some(Change {
        commit: commit.id.clone(),
        author: commit.author.clone(),
        bump: group.bump(),
        group,
        scope: head.scope.map(str::to_owned),
        text: head.text.to_owned(),
        breaking,
        conventional: is_conventional,
        doubtful,
        release_as: trailer(body, "Release-As").and_then(|it| Version::parse(it).ok()),
    })
}

struct Head<'m> {
    group: Group,
    scope: Option<&'m str>,
    text: &'m str,
    is_breaking: bool,
}

/// `type(scope)!: text` with a type that is known.
fn conventional(summary: &str) -> Option<Head<'_>> {
    let (head, text) = summary.split_once(": ")?;
    let (head, is_breaking) = match head.strip_suffix('!') {
        Some(head) => (head, true),
        None => (head, false),
    };
    let (word, scope) = match head.split_once('(') {
        Some((word, rest)) => (word, Some(rest.strip_suffix(')')?)),
        None => (head, None),
    };
    let group = match word.to_ascii_lowercase().as_str() {
        "feat" | "feature" => Group::Added,
        "fix" | "bugfix" | "hotfix" => Group::Fixed,
        "perf" => Group::Faster,
        "security" | "sec" => Group::Security,
        "refactor" | "revert" | "deps" => Group::Changed,
        "docs" | "doc" => Group::Documentation,
        "chore" | "ci" | "test" | "tests" | "build" | "style" => Group::Internal,
        _ => return None,
    };
    Some(Head {
        group,
        scope: scope.filter(|it| !it.is_empty()),
        text: text.trim(),
        is_breaking,
    })
}

/// `scope: text`, as many projects write without the convention.
fn scoped(summary: &str) -> (Option<&str>, &str) {
    match summary.split_once(": ") {
        Some((scope, text)) if !scope.contains(' ') && !text.trim().is_empty() => {
            (Some(scope), text.trim())
        }
        _ => (None, summary),
    }
}

fn by_first_word(text: &str) -> Group {
    let word = text.split_whitespace().next().unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "add" | "adds" | "added" | "introduce" | "support" | "supports" | "allow" | "allows"
        | "implement" | "implements" | "new" => Group::Added,
        "remove" | "removes" | "removed" | "drop" | "drops" | "rename" | "renames" => {
            Group::Removed
        }
        "fix" | "fixes" | "fixed" | "correct" | "repair" | "prevent" | "handle" => Group::Fixed,
        "speed" | "optimize" | "optimise" => Group::Faster,
        "document" | "documents" => Group::Documentation,
        _ => Group::Changed,
    }
}

/// The commits that `release run` makes.
fn is_release(summary: &str) -> bool {
    summary.starts_with("release: ") || summary.starts_with("chore(release)")
}

/// The text of a `BREAKING CHANGE:` footer, up to the next blank line or footer.
fn breaking_footer(body: &str) -> Option<String> {
    let mut lines = body.lines().map(str::trim);
    let first = lines.find_map(|line| {
        line.strip_prefix("BREAKING CHANGE:")
            .or_else(|| line.strip_prefix("BREAKING-CHANGE:"))
    })?;
    let rest = lines.take_while(|line| !line.is_empty() && !is_trailer(line));
    let mut text = first.trim().to_owned();
    for line in rest {
        text.push(' ');
        text.push_str(line);
    }
    Some(text.trim().to_owned())
}

fn is_trailer(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(key, _)| {
        key.contains('-') && key.bytes().all(|it| it.is_ascii_alphabetic() || it == b'-')
    })
}

fn trailer<'b>(body: &'b str, key: &str) -> Option<&'b str> {
    let mut lines = body.lines();
    lines.find_map(|line| {
        let (name, value) = line.trim().split_once(':')?;
        name.eq_ignore_ascii_case(key).then(|| value.trim())
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn commit(message: &str) -> Commit {
        Commit {
            id: "0123456789abcdef".to_owned(),
            author: "Ada".to_owned(),
            time: Timestamp::UNIX_EPOCH,
            message: message.to_owned(),
        }
    }

    fn read(message: &str) -> Change {
        read_commit(&commit(message)).unwrap()
    }

    #[test]
    fn conventional_commits_say_what_they_are() {
        let change = read("feat(batch): run workflows in batches\n\nMore of it.");
        assert_eq!((change.group, change.bump), (Group::Added, Bump::Minor));
        assert_eq!(change.scope.as_deref(), Some("batch"));
        assert_eq!(change.text, "run workflows in batches");
        assert!(change.conventional);
        assert_eq!(read("fix: x").bump, Bump::Patch);
        assert_eq!(read("docs: x").bump, Bump::None);
        assert_eq!(read("chore(deps): x").bump, Bump::None);
        let broken = read("refactor!: drop the old queue");
        assert_eq!((broken.group, broken.bump), (Group::Breaking, Bump::Major));
        assert_eq!(broken.breaking.as_deref(), Some("drop the old queue"));
    }

    #[test]
    fn a_footer_breaks_whatever_the_summary_says() {
        let change = read(
            "fix: read the queue's format\n\nWhy.\n\nBREAKING CHANGE: queues of 2.4 must be\n\
             emptied before the upgrade\nSigned-off-by: Ada\n",
        );
        assert_eq!(change.bump, Bump::Major);
        let text = "queues of 2.4 must be emptied before the upgrade";
        assert_eq!(change.breaking.as_deref(), Some(text));
        assert_eq!(read("Tidy up\n\nBREAKING-CHANGE: x").group, Group::Breaking);
    }

    #[test]
    fn other_messages_are_read_by_their_first_word() {
        let cases = [
            ("Add batches", Group::Added, Bump::Minor),
            ("queue: add batches", Group::Added, Bump::Minor),
            ("Fix a crash", Group::Fixed, Bump::Patch),
            ("Remove the old queue", Group::Removed, Bump::Minor),
            ("Tidy up", Group::Changed, Bump::Patch),
            ("http: //x is read", Group::Changed, Bump::Patch),
            ("", Group::Changed, Bump::Patch),
        ];
        for (message, group, bump) in cases {
            let change = read(message);
            assert_eq!((change.group, change.bump), (group, bump), "{message}");
            assert!(!change.conventional);
        }
        assert!(read("Remove the old queue").doubtful);
        assert!(!read("feat: remove the old queue").doubtful);
        assert_eq!(read("queue: add batches").scope.as_deref(), Some("queue"));
    }

    #[test]
    fn a_releases_own_commits_are_no_changes_and_a_trailer_names_a_version() {
        assert_eq!(read_commit(&commit("release: core 3.3.0")), None);
        assert_eq!(read_commit(&commit("chore(release): 3.3.0")), None);
        let change = read("feat: x\n\nRelease-As: 4.0.0");
        assert_eq!(change.release_as, Some("4.0.0".parse().unwrap()));
    }
}
