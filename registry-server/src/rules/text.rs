//! Text that people are shown in terminals, where an escape sequence could lie to them.

use crate::problem::{Code, Refusal};

/// Characters of why a version was yanked; it is part of every copy of the index entry.
pub(crate) const REASON_CHARS_MAX: usize = 1000;
/// Characters of a short text: a title, the name of a replacement.
pub(crate) const TITLE_CHARS_MAX: usize = 200;

/// Refuses what is longer than `chars_max`, or is not one line of printable text.
pub(crate) fn check(code: Code, field: &str, text: &str, chars_max: usize) -> Result<(), Refusal> {
    if text.chars().any(char::is_control) {
        return Err(Refusal::new(
            code,
            format!("`{field}` must be one line without control characters"),
        ));
    }
    if text.chars().count() > chars_max {
        return Err(Refusal::new(
            code,
            format!("`{field}` has more than {chars_max} characters"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_line_ends_and_novels_are_refused() {
        let accepts = |text: &str| check(Code::BadRequest, "reason", text, 10).is_ok();
        assert!(accepts("größer"));
        assert!(!accepts("a\u{1b}[31m"));
        assert!(!accepts("a\nb"));
        assert!(!accepts("a\0"));
        assert!(!accepts("12345678901"));
    }
}
