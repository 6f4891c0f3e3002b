//! Tokens and passwords: from the environment, `login`, `netrc` or a helper, never shown.

use std::fmt;
use std::path::PathBuf;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::durable::{Readers, replace_file};
use crate::env::Env;
use crate::failure::{Failure, Outcome};
use crate::settings::RegistryLocation;

mod chain;

pub(crate) use chain::{Authorization, Chain};

/// Longest token, in bytes: more is a file given by mistake.
const TOKEN_BYTES_MAX: usize = 4096;

/// A token. `Debug` hides it and `Display` does not exist, so that it cannot reach a
/// message or a log by accident.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Reads a token; blanks and line ends around it do not count.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let text = text.trim();
        let is_sendable = text.bytes().all(|it| it.is_ascii_graphic());
        if text.is_empty() || text.len() > TOKEN_BYTES_MAX || !is_sendable {
            return Err(Failure::usage(format!(
                "that is no token: expected one word of at most {TOKEN_BYTES_MAX} printable \
                 ASCII characters"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// A password, which may hold blanks and letters of any script.
    fn of_password(text: &str) -> Option<Self> {
        let is_sendable = !text.chars().any(char::is_control);
        let is_right = is_sendable && !text.is_empty() && text.len() <= TOKEN_BYTES_MAX;
        is_right.then(|| Self(text.to_owned()))
    }

    /// The token itself, for the one header that carries it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `credentials.toml`: a token for each registry, readable by its owner alone.
pub(crate) struct Credentials {
    path: PathBuf,
    document: DocumentMut,
}

impl Credentials {
    /// Where the file is or would be; `None` without a home.
    pub(crate) fn place(env: &Env) -> Option<PathBuf> {
        let folder = env.xdg("XDG_CONFIG_HOME", ".config")?;
        Some(folder.join("provisioning/credentials.toml"))
    }

    /// Reads the file; an absent one is empty.
    pub(crate) fn open(env: &Env) -> Outcome<Self> {
        let path = Self::place(env).ok_or_else(|| {
            Failure::usage("nowhere to keep tokens: `HOME` is not set to an absolute path")
                .with_hint("set `XDG_CONFIG_HOME`, or give the token in `PROVISIONING_TOKEN`")
        })?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(problem) => return Err(Failure::io("read", &path, &problem)),
        };
        // The parser's own message quotes the line, and with it the token.
        let document = text
            .parse::<DocumentMut>()
            .map_err(|_| Failure::usage(format!("`{}` is not TOML", path.display())))?;
        Ok(Self { path, document })
    }

    /// The token for a registry.
    pub(crate) fn token(&self, registry: &RegistryLocation) -> Outcome<Option<Secret>> {
        self.document
            .get("registries")
            .and_then(|it| it.get(registry.to_string()))
            .and_then(|it| it.get("token"))
            .and_then(Item::as_str)
            .map(Secret::parse)
            .transpose()
    }

    /// Stores the token for a registry and writes the file.
    pub(crate) fn store(mut self, registry: &RegistryLocation, token: &Secret) -> Outcome<PathBuf> {
        let mut one = Table::new();
        one["token"] = value(token.expose());
        let all = self.document.entry("registries").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let Some(all) = all.as_table_like_mut() else {
            return Err(Failure::usage(format!(
                "`registries` in `{}` is not a table",
                self.path.display()
            )));
        };
        all.insert(&registry.to_string(), Item::Table(one));
        self.save()
    }

    /// Forgets the token of a registry and writes the file; whether there was one.
    pub(crate) fn forget(mut self, registry: &RegistryLocation) -> Outcome<bool> {
        let was_there = self
            .document
            .get_mut("registries")
            .and_then(Item::as_table_like_mut)
            .and_then(|it| it.remove(&registry.to_string()))
            .is_some();
        if was_there {
            self.save()?;
        }
        Ok(was_there)
    }

    fn save(self) -> Outcome<PathBuf> {
        replace_file(
            &self.path,
            self.document.to_string().as_bytes(),
            Readers::Owner,
        )?;
        Ok(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_never_shows_in_debug_text() {
        let secret = Secret::parse(" hunter2\n").unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(Secret::parse("two words").is_err());
        assert!(Secret::parse("").is_err());
    }
}
