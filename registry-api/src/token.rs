//! What a token looks like: `prv_`, 40 random hexadecimal digits, 8 check digits.
//!
//! The prefix lets secret scanners find leaked tokens, and the check digits let them (and
//! us) tell a token from something that only looks like one without asking the database.

use std::fmt;

use provisioning_package::Digest;

const RANDOM_BYTES: usize = 20;
const CHECK_DIGITS: usize = 8;

/// A token's text. It is a secret: Debug hides it and there is no Display.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// What every token begins with.
    pub const PREFIX: &str = "prv_";

    /// Makes a token from 20 random bytes.
    pub fn from_random(random: [u8; RANDOM_BYTES]) -> Self {
        let body = format!("{}{}", Self::PREFIX, hex::encode(random));
        let check = check_digits(&body);
        Self(body + &check)
    }

    /// Reads a token; `None` for anything whose form or check digits are wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let is_form = text.starts_with(Self::PREFIX)
            && text.len() == Self::PREFIX.len() + 2 * RANDOM_BYTES + CHECK_DIGITS
            && text.is_ascii();
        let (body, check) = text.split_at_checked(text.len().saturating_sub(CHECK_DIGITS))?;
        (is_form && check == check_digits(body)).then(|| Self(text.to_owned()))
    }

    /// The text itself, for its holder alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the registry keeps. A token has 160 random bits, so a plain hash is enough.
    pub fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(hidden)")
    }
}

fn check_digits(body: &str) -> String {
    let mut hex = Digest::of(body.as_bytes()).hex();
    hex.truncate(CHECK_DIGITS);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_a_mistyped_one_does_not() {
        let token = TokenText::from_random([7; RANDOM_BYTES]);
        assert_eq!(TokenText::parse(token.reveal()), Some(token.clone()));
        for bad in [
            "",
            "prv_",
            &token.reveal()[1..],
            &token.reveal().replace("prv_07", "prv_08"),
            &format!("{}0", token.reveal()),
            "ä",
        ] {
            assert_eq!(TokenText::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn debug_output_never_shows_the_secret() {
        let token = TokenText::from_random([7; RANDOM_BYTES]);
        assert!(!format!("{token:?}").contains("0707"));
    }
}
