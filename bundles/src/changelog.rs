//! Sections of a changelog in Markdown, one for each version.
//!
//! The form is that of keepachangelog.com and of what most projects write: a heading that
//! begins with a version, perhaps in brackets, perhaps with a `v`, perhaps with a date behind
//! it. What stands above the first such heading belongs to no version.

use provisioning_package::Version;

/// What a changelog says of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangelogSection {
    /// The version.
    pub version: Version,
    /// The heading without `#`.
    pub heading: String,
    /// The lines below it, without empty ones at both ends.
    pub text: String,
}

/// Every section, in the order of the file.
pub fn sections(markdown: &str) -> Vec<ChangelogSection> {
    let mut found: Vec<(Version, String, usize, Vec<&str>)> = Vec::new();
    let mut is_open = false;
    let mut in_code = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let heading = heading(line).filter(|_| !in_code);
        match heading {
            Some((level, text)) => match version_of(text) {
                Some(version) => {
                    found.push((version, text.to_owned(), level, Vec::new()));
                    is_open = true;
                }
                // `## Unreleased` ends a section, `### Fixed` belongs to it.
                None if found.last().is_some_and(|it| level <= it.2) => is_open = false,
                None => push(&mut found, is_open, line),
            },
            None => push(&mut found, is_open, line),
        }
    }
    found
        .into_iter()
        .map(|(version, heading, _, lines)| ChangelogSection {
            version,
            heading,
            text: lines.join("\n").trim_matches('\n').to_owned(),
        })
        .collect()
}

/// The sections of the versions after `from`, up to `to` and with it.
pub fn sections_between(
    markdown: &str,
    from: Option<&Version>,
    to: &Version,
) -> Vec<ChangelogSection> {
    let is_between =
        |it: &ChangelogSection| from.is_none_or(|from| it.version > *from) && it.version <= *to;
    sections(markdown).into_iter().filter(is_between).collect()
}

fn push<'m>(found: &mut [(Version, String, usize, Vec<&'m str>)], is_open: bool, line: &'m str) {
    if let Some(last) = found.last_mut().filter(|_| is_open) {
        last.3.push(line);
    }
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|it| *it == b'#').count();
    let text = line.get(level..)?.strip_prefix(' ')?;
    (1..=6).contains(&level).then(|| (level, text.trim()))
}

fn version_of(heading: &str) -> Option<Version> {
    let word = heading.split_whitespace().find(|it| it.contains('.'))?;
    let word = word.split("](").next().unwrap_or(word);
    let word = word.trim_matches(|it: char| "[]():,".contains(it));
    let word = word.strip_prefix('v').unwrap_or(word);
    Version::parse(word).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "# Changelog\n\nAll of it.\n\n## Unreleased\n\n- not yet\n\n\
        ## [3.3.0] - 2025-11-01\n\n### Added\n\n- batches\n\n```sh\n# 9.9.9 is no heading\n```\n\n\
        ## v3.2.1 (2025-10-15)\n- mended\n\n## [3.2.0](https://example.org/3.2.0)\n\n- first\n\n\
        ## Older\n\nlost\n";

    fn found(from: Option<&str>, to: &str) -> Vec<String> {
        let from = from.map(|it| it.parse().unwrap());
        let found = sections_between(SAMPLE, from.as_ref(), &to.parse().unwrap());
        found.into_iter().map(|it| it.version.to_string()).collect()
    }

    #[test]
    fn headings_in_every_usual_form_begin_a_section() {
        let all = sections(SAMPLE);
        let versions: Vec<String> = all.iter().map(|it| it.version.to_string()).collect();
        assert_eq!(versions, ["3.3.0", "3.2.1", "3.2.0"]);
        assert!(
            all[0].text.starts_with("### Added\n\n- batches"),
            "{}",
            all[0].text
        );
        assert!(all[0].text.contains("9.9.9"));
        assert_eq!(all[1].text, "- mended");
        assert_eq!(all[2].text, "- first");
    }

    #[test]
    fn only_what_lies_between_two_versions_is_taken() {
        assert_eq!(found(Some("3.2.0"), "3.3.0"), ["3.3.0", "3.2.1"]);
        assert_eq!(found(None, "3.2.0"), ["3.2.0"]);
        assert!(found(Some("3.3.0"), "3.3.0").is_empty());
    }
}
