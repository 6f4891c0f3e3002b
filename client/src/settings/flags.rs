//! The flags that every command takes. Their doc comments are the help.

use clap::{ArgAction, Args};

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is typed or not, and they are independent"
)]
pub(crate) struct GlobalArgs {
    /// Registry to use: `https://…`, `http://…` or `file://…`
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) registry: Option<String>,

    /// Accept only a registry whose first root has this fingerprint
    #[arg(long, global = true, value_name = "DIGEST", hide_short_help = true)]
    pub(crate) root_fingerprint: Option<String>,

    /// Folder to install under [default: `/usr/local` for root, else `~/.provisioning`]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) prefix: Option<String>,

    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Answer every question with yes
    #[arg(short, long, global = true, hide_short_help = true)]
    pub(crate) yes: bool,

    /// Colour the text: `auto`, `always` or `never`
    #[arg(long, global = true, value_name = "WHEN", hide_short_help = true)]
    pub(crate) color: Option<String>,

    /// Never use the network
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) offline: bool,

    /// Leave out versions that were published less than this ago, such as `24h`
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    pub(crate) min_age: Option<String>,

    /// Wait this long for another `provisioning` that changes the same prefix
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    pub(crate) lock_timeout: Option<String>,

    /// Configuration file to use instead of the user's
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) config: Option<String>,
}

impl GlobalArgs {
    /// What was typed for the setting `name`, as text.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let switch = |on: bool| on.then(|| "true".to_owned());
        match name {
            "registry" => self.registry.clone(),
            "root-fingerprint" => self.root_fingerprint.clone(),
            "prefix" => self.prefix.clone(),
            "json" => switch(self.json),
            "quiet" => switch(self.quiet),
            "yes" => switch(self.yes),
            "verbose" => (self.verbose > 0).then(|| self.verbose.to_string()),
            "color" => self.color.clone(),
            "offline" => switch(self.offline),
            "min-age" => self.min_age.clone(),
            "lock-timeout" => self.lock_timeout.clone(),
            _ => None,
        }
    }
}
