//! Release notes: grouped, what breaks first, from a template that the team can change.

use std::collections::BTreeSet;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use provisioning_package::{PackageName, Version};
use serde::Serialize;

use super::change::{Change, Group};

/// The template that is used where a team has none of its own.
pub const TEMPLATE_DEFAULT: &str = include_str!("../../templates/notes.md.j2");

/// Steps that a template may take; the default one takes a few thousand.
const TEMPLATE_FUEL: u64 = 10_000_000;

/// What a template is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// What is released: `core 3.3.0`, `Stable 3.3 Bundle`.
    pub title: String,
    /// The day.
    pub date: Option<String>,
    /// Members that moved, where the notes are of a bundle.
    pub members: Vec<MemberLine>,
    /// Everything that whoever upgrades must act upon, of every package.
    pub breaking: Vec<NotesLine>,
    /// Each package.
    pub packages: Vec<PackageNotes>,
    /// Everybody who wrote something, by name.
    pub contributors: Vec<String>,
}

/// A member that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberLine {
    /// The member.
    pub name: PackageName,
    /// Its version before.
    pub from: Option<Version>,
    /// Its version now.
    pub to: Option<Version>,
}

/// The notes of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageNotes {
    /// The package.
    pub name: PackageName,
    /// The version before.
    pub from: Option<Version>,
    /// The version now.
    pub to: Option<Version>,
    /// Where the whole difference can be seen.
    pub compare: Option<String>,
    /// Its changes, what breaks first.
    pub groups: Vec<NotesGroup>,
    /// What its changelog says, where its history is not at hand.
    pub sections: Vec<NotesSection>,
}

/// Changes of one sort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotesGroup {
    /// Which sort.
    pub group: Group,
    /// Its heading.
    pub title: &'static str,
    /// The changes, newest first.
    pub changes: Vec<NotesLine>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotesLine {
    /// The package that it is of.
    pub package: PackageName,
    /// What was done.
    pub text: String,
    /// The part that it is about.
    pub scope: Option<String>,
    /// What whoever upgrades must do.
    pub breaking: Option<String>,
    /// The commit.
    pub commit: String,
    /// Its first letters.
    pub short: String,
    /// Where it can be seen.
    pub url: Option<String>,
    /// Who wrote it.
    pub author: String,
}

/// What a changelog says of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotesSection {
    /// Its heading.
    pub heading: String,
    /// What stands below.
    pub text: String,
}

impl Notes {
    /// The notes of some packages.
    pub fn new(
        title: String,
        date: Option<String>,
        members: Vec<MemberLine>,
        packages: Vec<PackageNotes>,
    ) -> Self {
        let all = || packages.iter().flat_map(|it| &it.groups);
        let breaking = all().filter(|it| it.group == Group::Breaking);
        let breaking = breaking.flat_map(|it| it.changes.clone()).collect();
        let authors = all().flat_map(|it| &it.changes).map(|it| it.author.clone());
        let contributors: BTreeSet<String> = authors.collect();
        Self {
            title,
            date,
            members,
            breaking,
            contributors: contributors.into_iter().collect(),
            packages,
        }
    }
}

/// A package's changes, what breaks first; what only developers see is left out. `url` is the
/// repository's address on the web.
pub fn groups_of(package: &PackageName, changes: &[Change], url: Option<&str>) -> Vec<NotesGroup> {
    let line = |change: &Change| NotesLine {
        package: package.clone(),
        text: change.text.clone(),
        scope: change.scope.clone(),
        breaking: change.breaking.clone(),
        commit: change.commit.clone(),
        short: change.commit.chars().take(9).collect(),
        url: url.map(|it| format!("{it}/commit/{}", change.commit)),
        author: change.author.clone(),
    };
    let of = |group: Group| -> Vec<NotesLine> {
        let changes = changes.iter().filter(|it| it.group == group);
        changes.map(line).collect()
    };
    Group::ALL
        .into_iter()
        .filter(|it| *it != Group::Internal)
        .map(|group| NotesGroup {
            group,
            title: group.title(),
            changes: of(group),
        })
        .filter(|it| !it.changes.is_empty())
        .collect()
}

/// The notes as text.
pub fn render_notes(notes: &Notes, template: &str) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // A field that a template misspells is said, not left out.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(TEMPLATE_FUEL));
    environment.add_template("notes", template)?;
    let text = environment
        .get_template("notes")?
        .render(minijinja::value::Serde(notes))?;
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        // Parts that were left out leave blank lines behind.
        if !(line.is_empty() && lines.last().is_none_or(|it| it.is_empty())) {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(|it| it.is_empty()) {
        lines.pop();
    }
    lines.push("");
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::change::tests::commit;
    use crate::release::read_commit;

    fn notes() -> Notes {
        let core = PackageName::parse("core").unwrap();
        let messages = [
            "feat(batch): run workflows in batches",
            "fix: wait for the queue",
            "chore: tidy up",
            "feat!: name pools\n\nBREAKING CHANGE: every workspace names its pool",
        ];
        let changes: Vec<Change> = messages
            .iter()
            .filter_map(|it| read_commit(&commit(it)))
            .collect();
        let (from, to) = (
            Some("3.2.1".parse().unwrap()),
            Some("4.0.0".parse().unwrap()),
        );
        let package = PackageNotes {
            name: core.clone(),
            from: from.clone(),
            to: to.clone(),
            compare: Some("https://example.org/core/compare/v3.2.1...v4.0.0".to_owned()),
            groups: groups_of(&core, &changes, Some("https://example.org/core")),
            sections: Vec::new(),
        };
        let member = MemberLine {
            name: core,
            from,
            to,
        };
        Notes::new(
            "Stable 4.0".to_owned(),
            Some("2026-01-01".to_owned()),
            vec![member],
            vec![package],
        )
    }

    #[test]
    fn notes_are_grouped_and_say_first_what_breaks() {
        let text = render_notes(&notes(), TEMPLATE_DEFAULT).unwrap();
        let parts = [
            "# Stable 4.0 (2026-01-01)\n\n| Package | Before | Now |\n| --- | --- | --- |\n| core | 3.2.1 | 4.0.0 |\n\n",
            "## Before you upgrade\n\n- **core**: every workspace names its pool ([012345678](https://example.org/core/commit/0123456789abcdef))\n\n",
            "## core 4.0.0\n\n[3.2.1 … 4.0.0](https://example.org/core/compare/v3.2.1...v4.0.0)\n\n",
            "### Breaking changes\n\n- name pools ([012345678](https://example.org/core/commit/0123456789abcdef))\n\n",
            "### Added\n\n- batch: run workflows in batches ([012345678](https://example.org/core/commit/0123456789abcdef))\n\n",
            "### Fixed\n\n- wait for the queue ([012345678](https://example.org/core/commit/0123456789abcdef))\n\n",
            "## Contributors\n\n- Ada\n",
        ];
        assert_eq!(text, parts.concat());
    }

    #[test]
    fn a_team_may_bring_its_own_template() {
        let own = "{% for p in packages %}{{ p.name }}:{% for g in p.groups %} {{ g.title }}={{ g.changes|length }}{% endfor %}{% endfor %}";
        let text = render_notes(&notes(), own).unwrap();
        assert_eq!(text, "core: Breaking changes=1 Added=1 Fixed=1\n");
        assert!(render_notes(&notes(), "{{ titel }}").is_err());
        assert!(render_notes(&notes(), "{% for").is_err());
        assert!(
            render_notes(
                &notes(),
                "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
            )
            .is_err()
        );
    }
}
