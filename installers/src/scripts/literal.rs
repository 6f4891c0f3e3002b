//! Text as a quoted literal of the language that reads it.
//!
//! What is quoted here comes from a registry operator's configuration: it must come out as
//! the same text, and never as a command.

/// A POSIX shell literal: everything between single quotes is itself, but a single quote.
pub(super) fn sh(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// A PowerShell literal. PowerShell also ends it at typographic single quotes, so these are
/// doubled like the plain one.
pub(super) fn powershell(text: &str) -> String {
    let mut literal = String::from("'");
    for character in text.chars().filter(|it| *it != '\0') {
        literal.push(character);
        if matches!(
            character,
            '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}'
        ) {
            literal.push(character);
        }
    }
    literal.push('\'');
    literal
}

/// A Nushell literal: double quotes, with escapes for whatever is not plain ASCII.
pub(super) fn nushell(text: &str) -> String {
    let mut literal = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            ' '..='~' => literal.push(character),
            other => literal.extend(other.escape_unicode()),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_do_not_end_a_shell_literal() {
        assert_eq!(sh("it's $HOME"), r"'it'\''s $HOME'");
    }

    #[test]
    fn typographic_quotes_do_not_end_a_powershell_literal() {
        assert_eq!(powershell("a'b\u{2019}c"), "'a''b\u{2019}\u{2019}c'");
    }

    #[test]
    fn a_nushell_literal_is_plain_ascii_on_one_line() {
        assert_eq!(nushell("a\"\\\n\u{e9}"), r#""a\"\\\u{a}\u{e9}""#);
    }
}
