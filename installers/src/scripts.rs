//! The bootstrap scripts: what `curl … | sh` runs on a machine that has nothing yet.
//!
//! One description, [`ScriptContext`], is rendered into a script for POSIX shells (in two
//! flavours: a bundle, and the core alone), for PowerShell and for Nushell. Everything that
//! a script trusts is written into it here: the registry's base URL, the fingerprint of its
//! root, and path and digest of the client's archive for each target. So a script never
//! believes what a request said about the registry, and never runs bytes that it has not
//! compared with a digest.
//!
//! Values are only ever written as quoted literals of the shell that reads them, never into
//! comments or help texts: a registry's name may hold quotes and line breaks.

mod literal;

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value, context};
use provisioning_package::{ArchiveFormat, Digest, Target, Version};

/// What is known about a registry when its scripts are rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptContext {
    /// The registry's public base URL, as its operator configured it; never a request's `Host`.
    pub base_url: String,
    /// What the registry calls itself.
    pub registry_name: String,
    /// The sha256 of the root metadata that a client must meet first.
    pub root_fingerprint: Digest,
    /// The newest published client, or `None` where there is none yet.
    pub client: Option<ScriptClient>,
}

/// The client that a script installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptClient {
    /// Its version.
    pub version: Version,
    /// Its archives, by what they run on. A bare machine has no zstd: archives in another
    /// format than `.tar.gz` count as absent.
    pub archives: BTreeMap<Target, ScriptArchive>,
}

/// One archive of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptArchive {
    /// The digest that the script insists on.
    pub digest: Digest,
    /// Its size in bytes, shown before the download and a bound for it.
    pub size: u64,
    /// Where it is, relative to the base URL: `archives/sha256/<hex>`.
    pub path: String,
    /// How it is packed.
    pub format: ArchiveFormat,
}

/// One of the bootstrap scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Script {
    /// For POSIX shells; installs a bundle, by default what channel `stable` points at.
    InstallSh,
    /// For POSIX shells; installs the core alone.
    CoreSh,
    /// For PowerShell on Linux and macOS.
    InstallPs1,
    /// For Nushell.
    InstallNu,
}

impl Script {
    /// Every script.
    pub const ALL: [Self; 4] = [
        Self::InstallSh,
        Self::CoreSh,
        Self::InstallPs1,
        Self::InstallNu,
    ];

    /// What its file is called, also as the last component of its URL and TUF target.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::InstallSh => "install.sh",
            Self::CoreSh => "core",
            Self::InstallPs1 => "install.ps1",
            Self::InstallNu => "install.nu",
        }
    }

    const fn template(self) -> &'static str {
        match self {
            Self::InstallSh | Self::CoreSh => include_str!("../templates/install.sh"),
            Self::InstallPs1 => include_str!("../templates/install.ps1"),
            Self::InstallNu => include_str!("../templates/install.nu"),
        }
    }
}

/// Renders `script` for a registry.
///
/// The text has no line break at its end: the last byte closes the block that makes the one
/// call, so that a download that was cut off anywhere, even by one byte, runs nothing.
pub fn render(script: Script, context: &ScriptContext) -> String {
    expand(script.template(), description(script, context))
        .trim_end()
        .to_owned()
}

fn expand(template: &str, description: Value) -> String {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .expect("the delimiters are the default ones"),
    );
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("sh", |text: &str| literal::sh(text));
    environment.add_filter("ps", |text: &str| literal::powershell(text));
    environment.add_filter("nu", |text: &str| literal::nushell(text));
    environment
        .render_str(template, description)
        .expect("the templates are part of this program, and tests render each of them")
}

fn description(script: Script, context: &ScriptContext) -> Value {
    let client = context.client.as_ref().map(|client| {
        let archives: Vec<Value> = client
            .archives
            .iter()
            .filter(|(_, archive)| archive.format == ArchiveFormat::TarGz)
            .map(|(target, archive)| {
                context! {
                    target => target.as_str(),
                    hex => archive.digest.hex(),
                    size => archive.size,
                    path => archive.path.trim_start_matches('/'),
                }
            })
            .collect();
        context! { version => client.version.to_string(), archives }
    });
    context! {
        core => script == Script::CoreSh,
        file => script.file_name(),
        base_url => context.base_url.trim_end_matches('/'),
        registry_name => context.registry_name.as_str(),
        root_fingerprint => format!("sha256:{}", context.root_fingerprint.hex()),
        client,
    }
}
