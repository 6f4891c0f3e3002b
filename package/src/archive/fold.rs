//! Which names are one name on some file system.
//!
//! APFS and HFS+ ignore case and composition by default, ext4 can (`casefold`), and both skip
//! code points that nobody sees. An archive whose names differ in nothing else would lose
//! files there, or write one through another's link (CVE-2021-21300, CVE-2024-32002).

use unicode_normalization::UnicodeNormalization as _;

/// The form under which names are compared: full case folding and compatibility
/// decomposition, without invisible code points.
pub(super) fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let once = fold_once(name);
    // Folding can produce something to decompose and the other way round; a second round
    // reaches the fixed point (Unicode, definition D146).
    fold_once(&once)
}

fn fold_once(name: &str) -> String {
    name.nfkd()
        .filter(|it| !is_ignorable(*it))
        .flat_map(fold_char)
        .collect::<String>()
        .nfkd()
        .collect()
}

/// Full case folding of one character, through both cases: `ẞ` to `ß` to `SS` to `ss`.
fn fold_char(character: char) -> impl Iterator<Item = char> {
    character
        .to_lowercase()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
}

/// `Default_Ignorable_Code_Point`: nobody sees them and HFS+ and ext4 skip them.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_some_file_system_takes_for_one_fold_alike() {
        for (one, other) in [
            ("README", "readme"),
            ("straße", "STRASSE"),
            ("ẞ", "ss"),
            ("\u{e9}", "e\u{301}"),
            ("\u{c9}", "e\u{301}"),
            ("\u{212a}", "k"),
            ("\u{2126}", "ω"),
            ("ﬁ", "FI"),
            ("ſ", "S"),
            ("ς", "Σ"),
            ("İ", "i\u{307}"),
            ("\u{b5}", "\u{3bc}"),
            ("Ａ", "a"),
            ("a\u{200d}b", "ab"),
            ("a\u{feff}", "A"),
            ("ᾳ", "αι"),
            ("ŉ", "ʼn"),
            ("가", "\u{1100}\u{1161}"),
        ] {
            assert_eq!(fold(one), fold(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn names_that_differ_on_every_file_system_stay_apart() {
        for (one, other) in [
            ("a", "b"),
            ("é", "e"),
            ("ö", "o"),
            ("и", "й"),
            ("a b", "ab"),
            ("a-b", "a_b"),
            ("日", "月"),
        ] {
            assert_ne!(fold(one), fold(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn folding_a_folded_name_changes_nothing() {
        for character in '\0'..='\u{1ffff}' {
            let once = fold(&character.to_string());
            assert_eq!(fold(&once), once, "{character:?}");
        }
    }
}
