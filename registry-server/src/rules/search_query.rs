//! What a person types, as the two databases' full text searches take it.

/// Words of one question; more add nothing.
const WORDS_MAX: usize = 16;

/// The words of a question in small letters: runs of letters and digits.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|it: char| !it.is_alphanumeric())
        .filter(|it| !it.is_empty())
        .take(WORDS_MAX)
        .map(str::to_lowercase)
        .collect()
}

/// Every word or its beginning, as FTS5 takes it; `None` where there is no word.
pub(crate) fn fts5(words: &[String]) -> Option<String> {
    joined(words, " AND ", |word| format!("\"{word}\"*"))
}

/// The same as PostgreSQL's `to_tsquery` takes it.
pub(crate) fn tsquery(words: &[String]) -> Option<String> {
    joined(words, " & ", |word| format!("'{word}':*"))
}

fn joined(words: &[String], between: &str, quoted: impl Fn(&String) -> String) -> Option<String> {
    let quoted: Vec<String> = words.iter().map(quoted).collect();
    (!quoted.is_empty()).then(|| quoted.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_letters_and_digits_are_words() {
        assert_eq!(words("Mongo-DB  7.0"), ["mongo", "db", "7", "0"]);
        assert_eq!(fts5(&words("mongo db")).unwrap(), "\"mongo\"* AND \"db\"*");
        assert_eq!(tsquery(&words("mongo db")).unwrap(), "'mongo':* & 'db':*");
        assert_eq!(fts5(&words("%_\"' *:")), None);
    }

    proptest! {
        #[test]
        fn no_question_can_leave_its_quotes(text in "\\PC{0,80}") {
            for word in words(&text) {
                prop_assert!(word.chars().all(char::is_alphanumeric), "{word}");
            }
        }
    }
}
