//! What every command is handed: the process, its settings and its output.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::credentials::{Chain, Credentials, Secret};
use crate::env::Env;
use crate::failure::Outcome;
use crate::output::Output;
use crate::settings::{RegistryLocation, Settings};

/// One run of the command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The process.
    pub(crate) env: Env,
    /// What is meant.
    pub(crate) settings: Settings,
    /// Where words go.
    pub(crate) output: Output,
}

impl Context {
    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// The same with another folder for downloads: a dry run leaves none behind.
    pub(crate) fn caching_in(&self, folder: PathBuf) -> Self {
        let mut other = self.clone();
        other.settings.use_cache(folder);
        other
    }

    /// Where credentials for `registry` are looked for once it asks for some.
    pub(crate) fn credentials(&self, registry: &RegistryLocation) -> Chain {
        // What anyone may read needs no token, so a bad one is no reason not to read.
        Chain {
            token: self.token(registry).ok().flatten(),
            ..self.mirror_credentials(registry)
        }
    }

    /// The same for a mirror, which never gets the registry's token.
    pub(crate) fn mirror_credentials(&self, mirror: &RegistryLocation) -> Chain {
        let named = self.env.path_variable("NETRC");
        let usual = || self.env.home().map(|it| it.join(".netrc"));
        let stored = Credentials::open(&self.env).and_then(|it| it.token(mirror));
        Chain {
            token: stored.ok().flatten(),
            netrc: named.or_else(usual),
            helper: self.settings.credential_helper.clone(),
        }
    }

    /// The token for `registry`: `PROVISIONING_TOKEN`, else what `login` stored.
    pub(crate) fn token(&self, registry: &RegistryLocation) -> Outcome<Option<Secret>> {
        if let Some(token) = self.env.variable("PROVISIONING_TOKEN") {
            return Secret::parse(token).map(Some);
        }
        Credentials::open(&self.env)?.token(registry)
    }
}
