//! The layers that settings are put together from, strongest first.

use std::fmt;
use std::path::{Path, PathBuf};

use provisioning_package::Digest;
use serde::Serialize;
use toml::{Table, Value};

use super::flags::GlobalArgs;
use super::keys::{KEYS, nearest_key};
use super::location::RegistryLocation;
use super::{Sourced, parse_switch};
use crate::env::Env;
use crate::failure::{Failure, Outcome};

/// The machine's configuration file.
const MACHINE_FILE: &str = "/etc/provisioning/config.toml";
/// What a workspace's file is called.
const WORKSPACE_FILE: &str = "provisioning.toml";
/// The one key that may hold a list.
pub(super) const MIRRORS: &str = "mirrors";
/// The table in which each registry's fingerprint is kept.
pub(super) const REGISTRIES: &str = "registries";

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// On the command line.
    Flag(String),
    /// In the environment.
    Variable(String),
    /// In a file.
    File(PathBuf),
    /// Nowhere.
    Default,
}

impl Origin {
    /// Whether what is said here holds against what the user's file at `path` says.
    pub(crate) fn is_stronger_than(&self, path: &Path) -> bool {
        match self {
            Self::Flag(_) | Self::Variable(_) => true,
            Self::File(other) => other != path && other.ends_with(WORKSPACE_FILE),
            Self::Default => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag `{name}`"),
            Self::Variable(name) => write!(f, "variable `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What a workspace's file may not say: it comes with a repository that a stranger may have
/// made, and these run a command or make us believe a server.
const NOT_OF_WORKSPACES: [&str; 2] = ["ca-file", "credential-helper"];

/// A parsed configuration file.
#[derive(Debug, Clone)]
struct FileLayer {
    path: PathBuf,
    table: Table,
}

/// Every layer, read once.
#[derive(Debug, Clone)]
pub(super) struct Layers {
    /// What was said for each key, strongest first.
    said: Vec<(&'static str, String, Origin)>,
    files: Vec<FileLayer>,
    pub(super) user_file: Option<PathBuf>,
    pub(super) workspace: Option<PathBuf>,
    pub(super) unknown: Vec<String>,
}

impl Layers {
    pub(super) fn read(env: &Env, flags: &GlobalArgs) -> Outcome<Self> {
        let named = flags
            .config
            .clone()
            .map(PathBuf::from)
            .or_else(|| env.path_variable("PROVISIONING_CONFIG"))
            .map(|it| env.absolute(&it));
        let is_named = named.is_some();
        let user_file = named.or_else(|| {
            env.xdg("XDG_CONFIG_HOME", ".config")
                .map(|it| it.join("provisioning/config.toml"))
        });
        let workspace = find_workspace(&env.folder);
        let mut layers = Self {
            said: Vec::new(),
            files: Vec::new(),
            user_file,
            workspace,
            unknown: Vec::new(),
        };
        layers.add_flags_and_variables(env, flags)?;
        layers.add_files(is_named)?;
        Ok(layers)
    }

    fn add_flags_and_variables(&mut self, env: &Env, flags: &GlobalArgs) -> Outcome<()> {
        for key in &KEYS {
            if let Some(text) = flags.value(key.name) {
                let origin = Origin::Flag(format!("--{}", key.name));
                self.said.push((key.name, text, origin));
            }
            if env.is_garbled(key.variable) {
                // Ignored, a prefix would silently be another one.
                return Err(Failure::usage(format!("`{}` is not UTF-8", key.variable)));
            }
            if let Some(text) = env.variable(key.variable) {
                let origin = Origin::Variable(key.variable.to_owned());
                self.said.push((key.name, text.to_owned(), origin));
            }
        }
        Ok(())
    }

    fn add_files(&mut self, is_named: bool) -> Outcome<()> {
        let workspace = self.workspace.as_ref().map(|it| it.join(WORKSPACE_FILE));
        let user_file = self.user_file.clone();
        let user_file = user_file.filter(|it| is_named || !is_out_of_reach(it));
        let own = [user_file, Some(PathBuf::from(MACHINE_FILE))];
        if let Some(path) = &workspace {
            // A workspace's file holds more than settings, so its other keys are not ours
            // to judge.
            self.add_file(path)?;
        }
        for path in own.iter().flatten() {
            if let Some(table) = self.add_file(path)? {
                let known =
                    |name: &str| name == REGISTRIES || KEYS.iter().any(|it| it.name == name);
                let unknown = table.keys().filter(|it| !known(it));
                self.unknown.extend(unknown.map(|it| {
                    let near = nearest_key(it);
                    let near = near.map(|it| format!("; did you mean `{it}`?"));
                    format!("`{it}` in `{}`{}", path.display(), near.unwrap_or_default())
                }));
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Outcome<Option<Table>> {
        let Some(table) = read_table(path)? else {
            return Ok(None);
        };
        let is_workspaces = path.parent() == self.workspace.as_deref();
        let forbidden = |name: &str| is_workspaces && NOT_OF_WORKSPACES.contains(&name);
        for key in KEYS.iter().filter(|it| !forbidden(it.name)) {
            if let Some(value) = table.get(key.name) {
                let read = if key.name == MIRRORS {
                    addresses
                } else {
                    scalar
                };
                let text = read(value).ok_or_else(|| {
                    Failure::usage(format!(
                        "`{}` in `{}` is not a text, number or boolean",
                        key.name,
                        path.display()
                    ))
                })?;
                let origin = Origin::File(path.to_owned());
                self.said.push((key.name, text, origin));
            }
        }
        self.files.push(FileLayer {
            path: path.to_owned(),
            table: table.clone(),
        });
        Ok(Some(table))
    }

    /// The strongest value of a key.
    pub(super) fn value(&self, name: &str) -> Option<(&str, &Origin)> {
        self.said
            .iter()
            .find(|(key, ..)| *key == name)
            .map(|(_, text, origin)| (text.as_str(), origin))
    }

    /// The strongest value of a key, read by `parse`; its error names the origin.
    pub(super) fn typed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Outcome<Option<Sourced<T>>> {
        let Some((text, origin)) = self.value(name) else {
            return Ok(None);
        };
        let value = parse(text).map_err(|problem| {
            Failure::usage(format!("`{text}` is no value for `{name}`: {problem}"))
                .with_cause(format!("it comes from {origin}"))
        })?;
        Ok(Some(Sourced {
            value,
            origin: origin.clone(),
        }))
    }

    /// The strongest value of a switch; off where nothing was said.
    pub(super) fn flag(&self, name: &str) -> Outcome<bool> {
        let value = self.typed(name, parse_switch)?;
        Ok(value.is_some_and(|it| it.value))
    }

    /// The mirrors that are written beside a registry, and the file that they are in.
    pub(super) fn mirrors_of(&self, registry: &RegistryLocation) -> Option<(String, &Path)> {
        self.files.iter().find_map(|file| {
            let all = file.table.get(REGISTRIES)?.as_table()?;
            let address = registry.to_string();
            let spelled = [address.as_str(), address.trim_end_matches('/')];
            let one = spelled.iter().find_map(|it| all.get(*it))?;
            Some((addresses(one.get(MIRRORS)?)?, file.path.as_path()))
        })
    }

    /// The fingerprint that `registry add` wrote beside a registry.
    pub(super) fn pinned_fingerprint(
        &self,
        registry: &RegistryLocation,
    ) -> Option<Sourced<Digest>> {
        self.files.iter().find_map(|file| {
            let text = file
                .table
                .get(REGISTRIES)?
                .get(registry.to_string())?
                .get("root-fingerprint")?
                .as_str()?;
            Some(Sourced {
                value: text.parse().ok()?,
                origin: Origin::File(file.path.clone()),
            })
        })
    }
}

/// Whether the file lies in a folder that we may not enter. A service or `setpriv` often keeps
/// another user's `HOME`: its settings are not ours, and no reason to do nothing.
fn is_out_of_reach(path: &Path) -> bool {
    path.symlink_metadata()
        .is_err_and(|it| it.kind() == std::io::ErrorKind::PermissionDenied)
}

/// A TOML file's table; `None` where there is no such file.
pub(super) fn read_table(path: &Path) -> Outcome<Option<Table>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(problem)
            if matches!(
                problem.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(problem) => {
            return Err(Failure::io("read", path, &problem).with_exit(crate::failure::Exit::Usage));
        }
    };
    let table = text.parse::<Table>().map_err(|problem| {
        Failure::usage(format!("`{}` is not TOML", path.display()))
            .with_cause(problem.to_string().trim_end().to_owned())
    })?;
    Ok(Some(table))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(on) => Some(on.to_string()),
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// A list of addresses, as one text: they have no blanks in them.
fn addresses(value: &Value) -> Option<String> {
    let Value::Array(all) = value else {
        return scalar(value);
    };
    let words = all.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
    Some(words.join(" "))
}

/// The nearest folder from `folder` upwards that holds a workspace's file.
fn find_workspace(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|it| it.join(WORKSPACE_FILE).is_file())
        .map(Path::to_path_buf)
}
