//! Collects problems and warnings, and turns byte offsets into lines and columns.

use std::ops::Range;

use super::ManifestNote;

/// Problems and warnings of one text.
pub(super) struct Notes<'t> {
    text: &'t str,
    errors: Vec<ManifestNote>,
    warnings: Vec<ManifestNote>,
}

impl<'t> Notes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Something that must be fixed.
    pub(super) fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let note = self.note(span, message.into());
        self.errors.push(note);
    }

    /// Something that is only odd.
    pub(super) fn warn(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let note = self.note(span, message.into());
        self.warnings.push(note);
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Errors and warnings, each in the order of the text.
    pub(super) fn finish(mut self) -> (Vec<ManifestNote>, Vec<ManifestNote>) {
        self.errors.sort();
        self.errors.dedup();
        self.warnings.sort();
        (self.errors, self.warnings)
    }

    fn note(&self, span: &Range<usize>, message: String) -> ManifestNote {
        let mut start = span.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |it| it + 1);
        ManifestNote {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }
}
