//! One table of the manifest: typed access that records what is wrong and where.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::notes::Notes;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A table that remembers which of its keys somebody asked for.
pub(super) struct Section<'t> {
    label: String,
    table: Option<&'t DeTable<'t>>,
    span: Range<usize>,
    known: BTreeSet<&'static str>,
}

impl<'t> Section<'t> {
    /// The document itself.
    pub(super) fn root(document: &'t Spanned<DeTable<'t>>) -> Self {
        Self {
            label: String::new(),
            table: Some(document.get_ref()),
            span: 0..0,
            known: BTreeSet::new(),
        }
    }

    /// A table that is a value, such as one dependency.
    pub(super) fn inline(label: String, table: &'t DeTable<'t>, span: Range<usize>) -> Self {
        Self {
            label,
            table: Some(table),
            span,
            known: BTreeSet::new(),
        }
    }

    /// The table `[key]` below this one; an absent one reads as empty.
    pub(super) fn child(&mut self, key: &'static str, notes: &mut Notes<'_>) -> Self {
        let mut child = Self {
            label: key.to_owned(),
            table: None,
            span: self.span.clone(),
            known: BTreeSet::new(),
        };
        if let Some((span, value)) = self.value(key) {
            child.span = span;
            if let DeValue::Table(table) = value.get_ref() {
                child.table = Some(table);
            } else {
                wrong_type(notes, key, "a table", value);
            }
        }
        child
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    pub(super) fn span(&self) -> &Range<usize> {
        &self.span
    }

    /// Every key and value, for tables whose keys are the author's own.
    pub(super) fn entries(&self) -> Vec<(Located<String>, &'t Spanned<DeValue<'t>>)> {
        let Some(table) = self.table else {
            return Vec::new();
        };
        let located = |key: &Spanned<std::borrow::Cow<'_, str>>| Located {
            value: key.get_ref().to_string(),
            span: key.span(),
        };
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| (located(key), value))
            .collect();
        // The table is sorted by key; a problem belongs to the later line.
        entries.sort_by_key(|(key, _)| key.span.start);
        entries
    }

    /// A one-line text.
    pub(super) fn text(
        &mut self,
        key: &'static str,
        notes: &mut Notes<'_>,
    ) -> Option<Located<String>> {
        let (_, value) = self.value(key)?;
        one_line(value, key, notes)
    }

    /// A text that must be there.
    pub(super) fn required(
        &mut self,
        key: &'static str,
        notes: &mut Notes<'_>,
    ) -> Option<Located<String>> {
        if !self.has(key) {
            self.known.insert(key);
            let message = format!("`{key}` is missing from `[{}]`", self.label);
            notes.error(&self.span, message);
            return None;
        }
        self.text(key, notes)
    }

    /// `true` or `false`; absent is `false`.
    pub(super) fn flag(&mut self, key: &'static str, notes: &mut Notes<'_>) -> bool {
        let Some((_, value)) = self.value(key) else {
            return false;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            wrong_type(notes, key, "`true` or `false`", value);
            false
        })
    }

    /// An array of one-line texts; absent is empty.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        notes: &mut Notes<'_>,
    ) -> Vec<Located<String>> {
        let Some((_, value)) = self.value(key) else {
            return Vec::new();
        };
        if let DeValue::Array(items) = value.get_ref() {
            let texts = items.iter().filter_map(|item| one_line(item, key, notes));
            return texts.collect();
        }
        wrong_type(notes, key, "an array of strings", value);
        Vec::new()
    }

    /// Warns about every key that nobody asked for.
    pub(super) fn finish(self, notes: &mut Notes<'_>) {
        for (key, _) in self.entries() {
            if !self.known.contains(key.value.as_str()) {
                let place = match self.label.as_str() {
                    "" => "at the top level".to_owned(),
                    label => format!("in `[{label}]`"),
                };
                let name = key.value.escape_debug();
                notes.warn(&key.span, format!("unknown key `{name}` {place}"));
            }
        }
    }

    /// Marks `key` as known and gives its position and value.
    pub(super) fn value(
        &mut self,
        key: &'static str,
    ) -> Option<(Range<usize>, &'t Spanned<DeValue<'t>>)> {
        self.known.insert(key);
        let (key, value) = self.table?.get_key_value(key)?;
        Some((key.span(), value))
    }
}

/// Notes that a value has the wrong type.
pub(super) fn wrong_type(
    notes: &mut Notes<'_>,
    key: &str,
    wanted: &str,
    value: &Spanned<DeValue<'_>>,
) {
    let found = value.get_ref().type_str();
    let key = key.escape_debug();
    let message = format!("`{key}` must be {wanted}, found a TOML {found}");
    notes.error(&value.span(), message);
}

/// A text without control characters: manifests are shown in terminals, where an escape
/// sequence could rewrite what a reader sees.
fn one_line(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    notes: &mut Notes<'_>,
) -> Option<Located<String>> {
    let span = value.span();
    let Some(text) = value.get_ref().as_str() else {
        wrong_type(notes, key, "a string", value);
        return None;
    };
    if text.chars().any(char::is_control) {
        let message = format!("`{key}` must be one line without control characters");
        notes.error(&span, message);
        return None;
    }
    Some(Located {
        value: text.to_owned(),
        span,
    })
}
