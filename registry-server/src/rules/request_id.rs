//! The name of a request: the client's own where it has a harmless form.

/// Characters of a name that a client gives.
const CHARS_MAX: usize = 128;

/// Whether a client's `x-request-id` is taken over: it goes to the log and back as it is,
/// so it is one word of letters, digits and `.`, `_`, `-`, `:`.
pub(crate) fn is_acceptable(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= CHARS_MAX
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_harmless_word_is_taken_over() {
        assert!(is_acceptable("0190c8a2-7f1e-4a1b:retry_2"));
        assert!(is_acceptable(&"a".repeat(CHARS_MAX)));
        for bad in ["", "a b", "a\nb", "ä", "a\"b", &"a".repeat(CHARS_MAX + 1)] {
            assert!(!is_acceptable(bad), "{bad}");
        }
    }
}
