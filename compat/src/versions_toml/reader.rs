//! Walking a TOML document while collecting what is wrong with it.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Note;

pub(super) type Key<'t> = Spanned<Cow<'t, str>>;
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// One file that is being read.
pub(super) struct Reader<'t> {
    file: &'static str,
    text: &'t str,
    /// The offset at which each line begins.
    lines: Vec<usize>,
    errors: Vec<Note>,
    warnings: Vec<Note>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(file: &'static str, text: &'t str) -> Self {
        let breaks = text.bytes().enumerate();
        let starts = breaks.filter_map(|(offset, byte)| (byte == b'\n').then_some(offset + 1));
        Self {
            file,
            text,
            lines: std::iter::once(0).chain(starts).collect(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The document, as far as it is TOML.
    pub(super) fn document(&mut self) -> Spanned<DeTable<'t>> {
        let (table, problems) = DeTable::parse_recoverable(self.text);
        for problem in problems {
            let at = problem.span().unwrap_or(0..0);
            self.error_at(&at, problem.message().trim().replace('\n', ", "));
        }
        table
    }

    pub(super) fn file(&self) -> &'static str {
        self.file
    }

    pub(super) fn error<T>(&mut self, at: &Spanned<T>, message: String) {
        self.error_at(&at.span(), message);
    }

    pub(super) fn error_at(&mut self, at: &Range<usize>, message: String) {
        let note = self.note(at, message);
        self.errors.push(note);
    }

    pub(super) fn warn<T>(&mut self, at: &Spanned<T>, message: String) {
        let note = self.note(&at.span(), message);
        self.warnings.push(note);
    }

    /// How many errors there are so far.
    pub(super) fn problems(&self) -> usize {
        self.errors.len()
    }

    /// The line and column of a place, each 1 for the first.
    pub(super) fn place(&self, at: &Range<usize>) -> (usize, usize) {
        let offset = at.start.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.lines[line - 1]..offset).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// A string, or an error that says what else `value` is.
    pub(super) fn string<'v>(&mut self, value: &'v Value<'t>, wanted: &str) -> Option<&'v str> {
        let found = value.get_ref();
        if found.as_str().is_none() {
            let problem = format!("expected {wanted} as a string, found {}", found.type_str());
            self.error(value, problem);
        }
        found.as_str()
    }

    /// A table, or an error that says what else `value` is.
    pub(super) fn table<'v>(
        &mut self,
        value: &'v Value<'t>,
        wanted: &str,
    ) -> Option<&'v DeTable<'t>> {
        let found = value.get_ref();
        if found.as_table().is_none() {
            let problem = format!("expected {wanted} as a table, found {}", found.type_str());
            self.error(value, problem);
        }
        found.as_table()
    }

    /// The strings of an array, or errors that say what else is there.
    pub(super) fn strings<'v>(
        &mut self,
        value: &'v Value<'t>,
        wanted: &str,
    ) -> Vec<(&'v str, Range<usize>)> {
        let Some(items) = value.get_ref().as_array() else {
            let problem = format!(
                "expected {wanted} as an array of strings, found {}",
                value.get_ref().type_str()
            );
            self.error(value, problem);
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|it| Some((self.string(it, wanted)?, it.span())))
            .collect()
    }

    pub(super) fn finish(self, errors: &mut Vec<Note>, warnings: &mut Vec<Note>) {
        errors.extend(self.errors);
        warnings.extend(self.warnings);
    }

    fn note(&self, at: &Range<usize>, message: String) -> Note {
        let (line, column) = self.place(at);
        Note {
            file: self.file,
            line,
            column,
            message,
        }
    }
}

/// The entries of a table in the order in which they were written.
pub(super) fn entries<'v, 't>(table: &'v DeTable<'t>) -> Vec<(&'v Key<'t>, &'v Value<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
