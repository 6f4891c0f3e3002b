//! What is meant, once flags, variables and files are put together.
//!
//! Layers, strongest first: flags, `PROVISIONING_*` variables, the workspace's
//! `provisioning.toml`, the user's `config.toml`, `/etc/provisioning/config.toml`, defaults.
//! Every value remembers its origin, so that an error and `config show` can name it.
//!
//! A new setting is a row in [`keys::KEYS`], a field here, and, if it has a flag, a field in
//! [`GlobalArgs`].

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Span, SpanRelativeTo};
use provisioning_package::Digest;
use provisioning_trust::OFFLINE_AGE_MAX_DEFAULT;

use crate::env::Env;
use crate::failure::{Failure, Outcome};

mod file;
mod flags;
pub(crate) mod keys;
mod layers;
mod location;

pub(crate) use file::UserConfig;
pub(crate) use flags::GlobalArgs;
pub(crate) use layers::Origin;
pub(crate) use location::RegistryLocation;

use layers::{Layers, MIRRORS};

/// How long a command waits for the writer before it, when nothing else is said.
const LOCK_TIMEOUT_DEFAULT: SignedDuration = SignedDuration::from_mins(10);

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it was said.
    pub(crate) origin: Origin,
}

/// When to colour text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColourChoice {
    /// On a terminal that did not ask otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Everything that a command may need to know about how it was set up.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and none depends on another"
)]
pub(crate) struct Settings {
    /// The registry, if one is set; use [`Settings::registry`].
    registry: Option<Sourced<RegistryLocation>>,
    /// The fingerprint that the registry's root must have.
    pub(crate) root_fingerprint: Option<Sourced<Digest>>,
    prefix: Option<Sourced<PathBuf>>,
    /// One JSON document on stdout instead of text.
    pub(crate) json: bool,
    /// What long answers are shown with on a terminal, where it is said.
    pub(crate) pager: Option<String>,
    /// When to colour.
    pub(crate) color: ColourChoice,
    /// Never use the network.
    pub(crate) offline: bool,
    /// Say nothing but results and errors.
    pub(crate) quiet: bool,
    /// How much more to say: 0, 1 or 2.
    pub(crate) verbose: u8,
    /// Answer every question with yes.
    pub(crate) yes: bool,
    /// How long to wait for another writer of the prefix.
    pub(crate) lock_timeout: SignedDuration,
    /// Ignore versions younger than this.
    pub(crate) min_age: Option<SignedDuration>,
    cache: Option<Sourced<PathBuf>>,
    /// How many bytes of downloads are kept.
    pub(crate) cache_max_size: Option<u64>,
    /// How old what is known of a registry may be when nobody is asked.
    pub(crate) max_offline_age: SignedDuration,
    /// Other places that have the registry's files, in the order to try them.
    pub(crate) mirrors: Vec<RegistryLocation>,
    /// Certificates that are trusted beside the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// The command that is asked for credentials.
    pub(crate) credential_helper: Option<String>,
    /// Where pinned roots and other trusted state are kept.
    trust: Option<PathBuf>,
    /// The user's configuration file, whether it exists or not.
    pub(crate) config_file: Option<PathBuf>,
    /// Keys that no client knows, to warn about.
    pub(crate) unknown: Vec<String>,
    layers: Layers,
}

impl Settings {
    /// Puts all layers together.
    pub(crate) fn read(env: &Env, flags: &GlobalArgs) -> Outcome<Self> {
        let layers = Layers::read(env, flags)?;
        let registry = layers.typed("registry", |text| RegistryLocation::parse(text, env))?;
        let pinned = registry
            .as_ref()
            .and_then(|it| layers.pinned_fingerprint(&it.value));
        let root_fingerprint = layers
            .typed("root-fingerprint", |text| {
                text.parse::<Digest>().map_err(|it| it.to_string())
            })?
            .or(pinned);
        Ok(Self {
            root_fingerprint,
            prefix: layers
                .typed("prefix", |text| place(text, env))?
                .or_else(|| default_prefix(env)),
            json: layers.flag("json")?,
            color: layers
                .typed("color", parse_colour)?
                .map_or(ColourChoice::Auto, |it| it.value),
            pager: layers.value("pager").map(|(text, _)| text.to_owned()),
            offline: layers.flag("offline")?,
            quiet: layers.flag("quiet")?,
            yes: layers.flag("yes")?,
            verbose: layers
                .typed("verbose", parse_verbosity)?
                .map_or(0, |it| it.value),
            lock_timeout: layers
                .typed("lock-timeout", parse_duration)?
                .map_or(LOCK_TIMEOUT_DEFAULT, |it| it.value),
            min_age: layers.typed("min-age", parse_duration)?.map(|it| it.value),
            cache: layers
                .typed("cache-dir", |text| place(text, env))?
                .or_else(|| default_cache(env)),
            cache_max_size: layers
                .typed("cache-max-size", parse_size)?
                .map(|it| it.value),
            max_offline_age: layers
                .typed("max-offline-age", parse_duration)?
                .map_or(OFFLINE_AGE_MAX_DEFAULT, |it| it.value),
            mirrors: mirrors(&layers, registry.as_ref(), env)?,
            ca_file: layers
                .typed("ca-file", |text| place(text, env))?
                .map(|it| it.value),
            credential_helper: layers
                .typed("credential-helper", |text| Ok(text.to_owned()))?
                .map(|it| it.value),
            trust: trust_folder(env),
            config_file: layers.user_file.clone(),
            unknown: layers.unknown.clone(),
            registry,
            layers,
        })
    }

    /// The registry; where none is set, a failure that says how to set one.
    pub(crate) fn registry(&self) -> Outcome<&RegistryLocation> {
        self.registry.as_ref().map(|it| &it.value).ok_or_else(|| {
            Failure::usage("no registry is set")
                .with_hint("`provisioning registry add URL` remembers one")
                .with_hint("`--registry URL` or `PROVISIONING_REGISTRY=URL` names one for one run")
        })
    }

    /// The registry, if one is set.
    pub(crate) fn registry_if_set(&self) -> Option<&RegistryLocation> {
        self.registry.as_ref().map(|it| &it.value)
    }

    /// The prefix to install into, absolute.
    pub(crate) fn prefix(&self) -> Outcome<&Path> {
        self.prefix
            .as_ref()
            .map(|it| it.value.as_path())
            .ok_or_else(|| no_home("the prefix", "`--prefix PATH` or `PROVISIONING_PREFIX`"))
    }

    /// The workspace that the command runs in: the nearest folder with a
    /// `provisioning.toml`.
    pub(crate) fn workspace(&self) -> Option<&Path> {
        self.layers.workspace.as_deref()
    }

    /// Whether a prefix was given for this run or this workspace, rather than set for
    /// everything or nowhere.
    pub(crate) fn has_given_prefix(&self) -> bool {
        let origin = self.prefix.as_ref().map(|it| &it.origin);
        match origin {
            Some(Origin::Flag(_) | Origin::Variable(_)) => true,
            Some(Origin::File(path)) => path.parent() == self.workspace(),
            Some(Origin::Default) | None => false,
        }
    }

    /// Installs into `prefix` from here on.
    pub(crate) fn use_prefix(&mut self, prefix: PathBuf) {
        self.prefix = Some(Sourced {
            value: prefix,
            origin: Origin::Default,
        });
    }

    /// Uses `registry` from here on, and nobody is asked for more than is known of it.
    pub(crate) fn use_offline(&mut self, registry: &RegistryLocation) {
        self.registry = Some(Sourced {
            value: registry.clone(),
            origin: Origin::Default,
        });
        self.offline = true;
    }

    /// The same, with other folders for downloads and for trusted state.
    pub(crate) fn use_copy(&mut self, registry: &RegistryLocation, cache: &Path, trust: &Path) {
        self.use_offline(registry);
        self.cache = Some(Sourced {
            value: cache.to_owned(),
            origin: Origin::Default,
        });
        self.trust = Some(trust.join("trust"));
    }

    /// Where downloads are kept.
    pub(crate) fn cache(&self) -> Outcome<&Path> {
        self.cache
            .as_ref()
            .map(|it| it.value.as_path())
            .ok_or_else(|| no_home("the cache", "`XDG_CACHE_HOME` or `PROVISIONING_CACHE_DIR`"))
    }

    /// Keeps downloads in `cache` from here on.
    pub(crate) fn use_cache(&mut self, cache: PathBuf) {
        self.cache = Some(Sourced {
            value: cache,
            origin: Origin::Default,
        });
    }

    /// Where the trusted state of `registry` is kept.
    pub(crate) fn trust_state(&self, registry: &RegistryLocation) -> Outcome<PathBuf> {
        self.trust
            .as_ref()
            .map(|it| it.join(registry.key()))
            .ok_or_else(|| no_home("the trusted state", "`XDG_STATE_HOME`"))
    }

    /// Where the trusted state of every registry is kept.
    pub(crate) fn trust_folder(&self) -> Option<&Path> {
        self.trust.as_deref()
    }

    /// The user's configuration file, where `registry add` writes.
    pub(crate) fn user_config(&self) -> Outcome<UserConfig> {
        let path = self
            .config_file
            .clone()
            .ok_or_else(|| no_home("the configuration", "`XDG_CONFIG_HOME` or `--config FILE`"))?;
        UserConfig::open(path)
    }

    /// The fingerprint that was said on the command line or in the environment, so not one
    /// that belongs to the registry used until now.
    pub(crate) fn said_fingerprint(&self) -> Option<Digest> {
        self.root_fingerprint
            .as_ref()
            .and_then(|it| match it.origin {
                Origin::Flag(_) | Origin::Variable(_) => Some(it.value),
                Origin::File(_) | Origin::Default => None,
            })
    }

    /// Every setting as `config show` prints it: key, value if any, origin.
    pub(crate) fn rows(&self) -> Vec<(&'static str, Option<String>, Origin)> {
        keys::KEYS
            .iter()
            .map(|key| match self.layers.value(key.name) {
                Some((text, origin)) => (key.name, Some(text.to_owned()), origin.clone()),
                None => (
                    key.name,
                    self.default_of(key.name),
                    self.origin_of(key.name),
                ),
            })
            .collect()
    }

    /// What holds where nothing was said.
    fn default_of(&self, name: &str) -> Option<String> {
        match name {
            "root-fingerprint" => self.root_fingerprint.as_ref().map(|it| it.value.prefixed()),
            "prefix" => self
                .prefix
                .as_ref()
                .map(|it| it.value.display().to_string()),
            "cache-dir" => self.cache.as_ref().map(|it| it.value.display().to_string()),
            "color" => Some("auto".to_owned()),
            "pager" => Some("PAGER, else less".to_owned()),
            "lock-timeout" => Some(format!("{LOCK_TIMEOUT_DEFAULT:#}")),
            "max-offline-age" => Some(format!("{OFFLINE_AGE_MAX_DEFAULT:#}")),
            "json" | "offline" | "quiet" | "yes" => Some("false".to_owned()),
            "verbose" => Some("0".to_owned()),
            _ => None,
        }
    }

    fn origin_of(&self, name: &str) -> Origin {
        match (&self.root_fingerprint, name) {
            (Some(sourced), "root-fingerprint") => sourced.origin.clone(),
            _ => Origin::Default,
        }
    }
}

/// The mirrors of the registry that is used: its own ones, else those for any.
fn mirrors(
    layers: &Layers,
    registry: Option<&Sourced<RegistryLocation>>,
    env: &Env,
) -> Outcome<Vec<RegistryLocation>> {
    let read = |text: &str| {
        text.split_whitespace()
            .map(|it| RegistryLocation::parse(it, env))
            .collect::<Result<Vec<_>, String>>()
    };
    let said = layers.typed(MIRRORS, read)?;
    let own = registry.and_then(|it| layers.mirrors_of(&it.value));
    if let (None, Some((text, path))) = (&said, own) {
        return read(&text).map_err(|problem| {
            Failure::usage(format!("`mirrors` in `{}`: {problem}", path.display()))
        });
    }
    Ok(said.map(|it| it.value).unwrap_or_default())
}

fn no_home(what: &str, setting: &str) -> Failure {
    Failure::usage(format!(
        "nowhere to keep {what}: `HOME` is not set to an absolute path"
    ))
    .with_hint(format!("set {setting}"))
}

fn default_prefix(env: &Env) -> Option<Sourced<PathBuf>> {
    let value = if env.is_root {
        PathBuf::from("/usr/local")
    } else {
        env.home()?.join(".provisioning")
    };
    Some(Sourced {
        value,
        origin: Origin::Default,
    })
}

/// A path as typed. An empty one, as of a shell's variable that is not set, would be the
/// current folder.
fn place(text: &str, env: &Env) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("expected a path".to_owned());
    }
    Ok(env.absolute(Path::new(text)))
}

fn default_cache(env: &Env) -> Option<Sourced<PathBuf>> {
    Some(Sourced {
        value: env.xdg("XDG_CACHE_HOME", ".cache")?.join("provisioning"),
        origin: Origin::Default,
    })
}

/// Root's trusted state belongs to the machine, unless its environment says otherwise.
fn trust_folder(env: &Env) -> Option<PathBuf> {
    if env.is_root && env.path_variable("XDG_STATE_HOME").is_none() {
        return Some(PathBuf::from("/var/lib/provisioning/trust"));
    }
    Some(
        env.xdg("XDG_STATE_HOME", ".local/state")?
            .join("provisioning/trust"),
    )
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected `true` or `false`".to_owned()),
    }
}

/// Whether a text is a value of a setting; the error is a phrase for people.
pub(crate) fn check_value(name: &str, text: &str, env: &Env) -> Result<(), String> {
    match name {
        "registry" => RegistryLocation::parse(text, env).map(drop),
        "root-fingerprint" => text
            .parse::<Digest>()
            .map(drop)
            .map_err(|it| it.to_string()),
        "json" | "offline" | "quiet" | "yes" => parse_switch(text).map(drop),
        "color" => parse_colour(text).map(drop),
        "verbose" => parse_verbosity(text).map(drop),
        "lock-timeout" | "min-age" => parse_duration(text).map(drop),
        "prefix" | "cache-dir" if text.is_empty() => Err("expected a path".to_owned()),
        _ => Ok(()),
    }
}

fn parse_colour(text: &str) -> Result<ColourChoice, String> {
    match text {
        "auto" => Ok(ColourChoice::Auto),
        "always" => Ok(ColourChoice::Always),
        "never" => Ok(ColourChoice::Never),
        _ => Err("expected `auto`, `always` or `never`".to_owned()),
    }
}

fn parse_verbosity(text: &str) -> Result<u8, String> {
    text.parse()
        .map_err(|_| "expected a small number".to_owned())
}

/// A duration with its unit (`24h`, `30 s`, `1h 30m`, `30d`); a bare number is seconds, and
/// a day is 24 hours.
pub(crate) fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let duration = match text.parse::<u32>() {
        Ok(seconds) => SignedDuration::from_secs(i64::from(seconds)),
        Err(_) => text
            .parse::<Span>()
            .and_then(|it| it.to_duration(SpanRelativeTo::days_are_24_hours()))
            .map_err(|_| "expected a duration such as `30s`, `10m`, `24h` or `30d`".to_owned())?,
    };
    if duration.is_negative() {
        return Err("a duration cannot be negative".to_owned());
    }
    Ok(duration)
}

/// Bytes, with a unit of 1000 or 1024 or without one: `500MB`, `2 GiB`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|it| it.checked_mul(unit))
        .filter(|_| unit > 0)
        .ok_or_else(|| "expected a size such as `500MB` or `2GiB`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::bare;

    fn read(variables: &[(&str, &str)], flags: &GlobalArgs) -> Outcome<Settings> {
        Settings::read(&bare(variables), flags)
    }

    #[test]
    fn a_flag_beats_a_variable_and_a_variable_beats_the_default() {
        let variables = [("HOME", "/home/ada"), ("PROVISIONING_PREFIX", "/opt/one")];
        let mut flags = GlobalArgs::default();
        let settings = read(&variables, &flags).unwrap();
        assert_eq!(settings.prefix().unwrap(), Path::new("/opt/one"));
        flags.prefix = Some("two".to_owned());
        let settings = read(&variables, &flags).unwrap();
        assert_eq!(settings.prefix().unwrap(), Path::new("/nowhere/two"));
        let settings = read(&variables[..1], &GlobalArgs::default()).unwrap();
        assert_eq!(
            settings.prefix().unwrap(),
            Path::new("/home/ada/.provisioning")
        );
    }

    #[test]
    fn a_bad_value_is_refused_with_the_name_of_where_it_was_said() {
        let failure = read(&[("PROVISIONING_COLOR", "mauve")], &GlobalArgs::default()).unwrap_err();
        let text = failure.to_text(|_, word| word.to_owned());
        assert!(text.contains("`mauve`"), "{text}");
        assert!(text.contains("PROVISIONING_COLOR"), "{text}");
    }

    #[test]
    fn roots_trusted_state_is_the_machines_unless_the_environment_says_otherwise() {
        let mut env = bare(&[("HOME", "/root")]);
        env.is_root = true;
        let location = RegistryLocation::parse("https://example.org", &env).unwrap();
        let settings = Settings::read(&env, &GlobalArgs::default()).unwrap();
        let state = settings.trust_state(&location).unwrap();
        assert!(state.starts_with("/var/lib/provisioning/trust"));
        env.variables
            .insert("XDG_STATE_HOME".into(), "/state".into());
        let settings = Settings::read(&env, &GlobalArgs::default()).unwrap();
        let state = settings.trust_state(&location).unwrap();
        assert!(state.starts_with("/state/provisioning/trust"));
    }

    #[test]
    fn a_size_is_bytes_or_carries_its_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("2 KiB", 2048),
            ("2kb", 2000),
            ("3GiB", 3 << 30),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "GiB", "-1", "1.5GB", "1 parsec", "99999999999999999TB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_duration_is_seconds_or_carries_its_unit() {
        assert_eq!(parse_duration("30").unwrap(), SignedDuration::from_secs(30));
        assert_eq!(
            parse_duration("24h").unwrap(),
            SignedDuration::from_hours(24)
        );
        assert_eq!(
            parse_duration("30d").unwrap(),
            SignedDuration::from_hours(30 * 24)
        );
        assert!(parse_duration("-1s").is_err());
        assert!(parse_duration("soon").is_err());
    }
}
