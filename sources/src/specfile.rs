//! A specfile's text, changed in the few places that a build of sources needs.
//!
//! Only what is asked for changes; every other byte, comment and blank stays. The macros of a
//! specfile are rpm's business: whoever needs an expanded value asks `rpmspec`.

/// The headers that begin a section.
const SECTIONS: &[&str] = &[
    "%description",
    "%package",
    "%prep",
    "%generate_buildrequires",
    "%conf",
    "%build",
    "%install",
    "%check",
    "%clean",
    "%files",
    "%changelog",
    "%pre",
    "%post",
    "%preun",
    "%postun",
    "%pretrans",
    "%posttrans",
    "%triggerin",
    "%triggerun",
    "%filetriggerin",
    "%sourcelist",
    "%patchlist",
    "%verifyscript",
];

/// The text of a specfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specfile(Vec<String>);

impl Specfile {
    /// A specfile of this text.
    pub fn new(text: &str) -> Self {
        Self(text.split('\n').map(str::to_owned).collect())
    }

    /// The text.
    pub fn text(&self) -> String {
        self.0.join("\n")
    }

    /// The value of a tag of the main package, as it is written.
    pub fn tag(&self, name: &str) -> Option<&str> {
        let at = self.find_tag(name)?;
        self.0[at].split_once(':').map(|(_, value)| value.trim())
    }

    /// Sets a tag of the main package; a value that is one macro changes where the macro is
    /// defined. False if the tag is not there.
    pub fn set_tag(&mut self, name: &str, value: &str) -> bool {
        let Some(at) = self.find_tag(name) else {
            return false;
        };
        let written = self.tag(name).unwrap_or_default().to_owned();
        if let Some(defined) = macro_name(&written).and_then(|it| self.find_definition(it)) {
            let line = &self.0[defined];
            let kept = line.len() - line.trim_start().len();
            let head: Vec<&str> = line.split_whitespace().take(2).collect();
            self.0[defined] = format!("{}{} {value}", &line[..kept], head.join(" "));
            return true;
        }
        let line = &self.0[at];
        let colon = line.find(':').map_or(0, |it| it + 1);
        let blanks = line[colon..].len() - line[colon..].trim_start().len();
        self.0[at] = format!(
            "{}{value}",
            &line[..colon + blanks.max(1).min(line.len() - colon)]
        );
        true
    }

    /// Sets the location of a numbered source; false if there is none.
    pub fn set_source(&mut self, number: u64, location: &str) -> bool {
        let name = format!("Source{number}");
        self.set_tag(&name, location) || (number == 0 && self.set_tag("Source", location))
    }

    /// Sets the folder that `%setup` or `%autosetup` enters, where it names one.
    pub fn set_root_folder(&mut self, folder: &str) {
        for line in &mut self.0 {
            let trimmed = line.trim_start();
            if !(trimmed.starts_with("%setup") || trimmed.starts_with("%autosetup")) {
                continue;
            }
            let mut words: Vec<&str> = line.split(' ').collect();
            if let Some(at) = words.iter().position(|it| *it == "-n")
                && at + 1 < words.len()
            {
                words[at + 1] = folder;
                *line = words.join(" ");
            }
        }
    }

    /// Adds an entry to `%changelog`, if there is such a section that rpm does not fill
    /// itself. `head` is what follows the asterisk.
    pub fn add_changelog(&mut self, head: &str, text: &str) {
        let Some(header) = self.0.iter().position(|it| it.trim() == "%changelog") else {
            return;
        };
        let next = header + 1;
        let first = self.0[next..].iter().find(|it| !it.trim().is_empty());
        if first.is_some_and(|it| it.trim().starts_with("%autochangelog")) {
            return;
        }
        let mut entry = vec![format!("* {head}")];
        entry.extend(text.lines().map(escape));
        if first.is_some() {
            entry.push(String::new());
        }
        self.0.splice(next..next, entry);
    }

    /// Takes the changelog of another specfile in place of its own, where that has one.
    pub fn take_changelog(&mut self, other: &Self) {
        let Some(theirs) = other.changelog() else {
            return;
        };
        let lines = other.0[theirs].to_vec();
        match self.changelog() {
            Some(own) => {
                self.0.splice(own, lines);
            }
            None => self.0.extend(lines),
        }
    }

    /// The lines of `%changelog`, its header included.
    fn changelog(&self) -> Option<std::ops::Range<usize>> {
        let start = self.0.iter().position(|it| it.trim_end() == "%changelog")?;
        let is_section = |it: &String| SECTIONS.contains(&first_word(it));
        let next = self.0[start + 1..].iter().position(is_section);
        Some(start..next.map_or(self.0.len(), |it| start + 1 + it))
    }

    /// Adds a patch behind the last one, or behind the last source. `number` is the one that
    /// is asked for; false if a patch has it or a later one already. A patch that the
    /// specfile names is left as it is.
    pub fn add_patch(
        &mut self,
        location: &str,
        number: Option<u64>,
        comment: &str,
        digits: usize,
    ) -> bool {
        let patches = self.numbered("Patch");
        if patches.iter().any(|(at, _)| self.location(*at) == location) {
            return true;
        }
        let last = patches.iter().map(|(_, number)| *number).max();
        if number.is_some_and(|it| last.is_some_and(|last| it <= last)) {
            return false;
        }
        let number = number.unwrap_or_else(|| last.map_or(1, |it| it + 1));
        let behind = patches.last().or(self.numbered("Source").last()).copied();
        let at = behind.map_or(0, |(at, _)| at + 1);
        let mut lines = Vec::new();
        if patches.is_empty() && behind.is_some() {
            lines.push(String::new());
        }
        let commented = comment
            .lines()
            .map(|it| format!("# {it}").trim_end().replace('%', "%%"));
        lines.extend(commented);
        lines.push(format!("Patch{number:0digits$}: {location}"));
        self.0.splice(at..at, lines);
        true
    }

    /// Takes the patches out, with the comments right above them; their numbers and names.
    pub fn take_patches(&mut self) -> Vec<(u64, String)> {
        let found = self.numbered("Patch");
        let taken: Vec<(u64, String)> = found
            .iter()
            .map(|(at, number)| (*number, self.location(*at).to_owned()))
            .collect();
        for (at, _) in found.iter().rev() {
            let above = self.0[..*at].iter().rev();
            let comments = above.take_while(|it| it.starts_with('#')).count();
            self.0.drain(at - comments..=*at);
        }
        taken
    }

    /// Where the numbered tags of a name are, and their numbers.
    fn numbered(&self, name: &str) -> Vec<(usize, u64)> {
        let is_section = |it: &String| SECTIONS.contains(&first_word(it));
        let end = self.0.iter().position(is_section).unwrap_or(self.0.len());
        let mut next = 0;
        let mut found = Vec::new();
        for (at, line) in self.0[..end].iter().enumerate() {
            let tag = line.split_once(':').map(|(tag, _)| tag.trim());
            let rest = tag.and_then(|it| it.get(..name.len()).zip(it.get(name.len()..)));
            let Some((_, digits)) = rest.filter(|(head, _)| head.eq_ignore_ascii_case(name)) else {
                continue;
            };
            if digits.is_empty() || digits.chars().all(|it| it.is_ascii_digit()) {
                let number = digits.parse().unwrap_or(next);
                next = number + 1;
                found.push((at, number));
            }
        }
        found
    }

    fn location(&self, at: usize) -> &str {
        self.0[at].split_once(':').map_or("", |(_, it)| it.trim())
    }

    fn find_tag(&self, name: &str) -> Option<usize> {
        let is_section = |it: &String| {
            let word = it.split_whitespace().next().unwrap_or_default();
            SECTIONS.contains(&word)
        };
        let end = self.0.iter().position(is_section).unwrap_or(self.0.len());
        self.0[..end].iter().position(|line| {
            let tag = line.split_once(':').map(|(tag, _)| tag.trim());
            tag.is_some_and(|it| it.eq_ignore_ascii_case(name))
        })
    }

    fn find_definition(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|line| {
            let mut words = line.split_whitespace();
            let keyword = words.next().unwrap_or_default();
            matches!(keyword, "%global" | "%define") && words.next() == Some(name)
        })
    }
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// The name of a macro that is the whole of a value.
fn macro_name(value: &str) -> Option<&str> {
    let inside = value.strip_prefix('%')?;
    let name = match inside.strip_prefix('{') {
        Some(braced) => braced.strip_suffix('}')?,
        None => inside,
    };
    let is_name = name
        .chars()
        .all(|it| it.is_ascii_alphanumeric() || it == '_');
    (is_name && !name.is_empty()).then_some(name)
}

/// A line of a changelog in which rpm finds no macro and no new entry.
fn escape(line: &str) -> String {
    let line = line.trim_end().replace("%%", "%").replace('%', "%%");
    if line.starts_with('*') {
        format!(" {line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "%global base 1.0\nName:   a\nVersion: %{base}\nRelease:        1%{?dist}\nSource0: %{name}.tar.gz\n\n%description\nVersion: not this\n\n%prep\n%autosetup -p1 -n %{name}-%{version}\n\n%changelog\n* Mon Jan 01 2024 A <a@b> - 1.0-1\n- first\n";

    #[test]
    fn only_what_is_asked_for_changes_and_a_macro_where_it_is_defined() {
        let mut spec = Specfile::new(SPEC);
        assert!(spec.set_tag("Version", "2.0"));
        assert!(spec.set_tag("Release", "3%{?dist}"));
        assert!(spec.set_source(0, "a-2.0.tar.gz"));
        assert!(!spec.set_source(1, "b"));
        spec.set_root_folder("a-2.0");
        spec.add_changelog("Tue Jan 02 2024 B <b@c> - 2.0-3", "- 100% new\n* odd");
        let expected = SPEC
            .replace("base 1.0", "base 2.0")
            .replace("        1%{?dist}", "        3%{?dist}")
            .replace("%{name}.tar.gz", "a-2.0.tar.gz")
            .replace("-n %{name}-%{version}", "-n a-2.0")
            .replace(
                "%changelog\n",
                "%changelog\n* Tue Jan 02 2024 B <b@c> - 2.0-3\n- 100%% new\n * odd\n\n",
            );
        assert_eq!(spec.text(), expected);
    }

    #[test]
    fn patches_follow_the_last_one_and_never_change_their_order() {
        let mut spec = Specfile::new(SPEC);
        assert!(spec.add_patch("a.patch", None, "100% of it\n\nAuthor: A", 4));
        assert!(spec.add_patch("b.patch", Some(7), "", 1));
        assert!(spec.add_patch("a.patch", None, "", 1));
        assert!(!spec.add_patch("c.patch", Some(7), "", 1));
        assert!(spec.add_patch("c.patch", None, "", 1));
        let added = "\n# 100%% of it\n#\n# Author: A\nPatch0001: a.patch\nPatch7: b.patch\nPatch8: c.patch\n";
        let expected = SPEC.replace("tar.gz\n", &format!("tar.gz\n{added}"));
        assert_eq!(spec.text(), expected);
    }

    #[test]
    fn a_changelog_is_taken_from_the_other_specfile_whole() {
        let mut spec = Specfile::new("Name: a\n%changelog\n* new\n\n%files\nx\n");
        spec.take_changelog(&Specfile::new("Name: b\n%changelog\n* old\n- it\n"));
        assert_eq!(
            spec.text(),
            "Name: a\n%changelog\n* old\n- it\n\n%files\nx\n"
        );
        let unchanged = spec.clone();
        spec.take_changelog(&Specfile::new("Name: b\n"));
        assert_eq!(spec, unchanged);
    }
}
