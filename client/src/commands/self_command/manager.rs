//! Who installed a program, where it was not us.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::env::Env;

/// Who put a program where it is, and the commands that change it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manager {
    /// What people call it.
    pub(super) name: &'static str,
    /// Its command that updates the package.
    pub(super) update: String,
    /// Its command that removes the package.
    pub(super) remove: String,
}

/// A package database that can be asked who owns a file.
struct Database {
    name: &'static str,
    /// Files of which one is there where the database is in use. Asking one that is not may
    /// set it up, in a home folder even.
    marks: &'static [&'static str],
    /// The program and its arguments, to which the file is added.
    question: &'static [&'static str],
    update: &'static str,
    remove: &'static str,
}

/// Databases that are asked where their program is here, in this order.
const DATABASES: [Database; 4] = [
    Database {
        name: "dpkg",
        marks: &["/var/lib/dpkg/status"],
        question: &["dpkg-query", "--search"],
        update: "apt-get install --only-upgrade",
        remove: "apt-get remove",
    },
    Database {
        name: "rpm",
        marks: &[
            "/usr/lib/sysimage/rpm/rpmdb.sqlite",
            "/var/lib/rpm/rpmdb.sqlite",
            "/var/lib/rpm/Packages.db",
            "/var/lib/rpm/Packages",
        ],
        question: &["rpm", "--query", "--queryformat", "%{NAME}\\n", "--file"],
        update: "dnf upgrade",
        remove: "dnf remove",
    },
    Database {
        name: "pacman",
        marks: &["/var/lib/pacman/local"],
        question: &["pacman", "--query", "--owns", "--quiet"],
        update: "pacman -Syu",
        remove: "pacman -R",
    },
    Database {
        name: "apk",
        marks: &["/lib/apk/db/installed", "/usr/lib/apk/db/installed"],
        question: &["apk", "info", "--quiet", "--who-owns"],
        update: "apk upgrade",
        remove: "apk del",
    },
];

/// Managers that are known by where they put things: name, a part of the path, update,
/// removal.
const PLACES: [(&str, &str, &str, &str); 6] = [
    (
        "Nix",
        "/nix/store/",
        "nix profile upgrade provisioning",
        "nix profile remove provisioning",
    ),
    (
        "Guix",
        "/gnu/store/",
        "guix upgrade provisioning",
        "guix remove provisioning",
    ),
    (
        "Homebrew",
        "/Cellar/",
        "brew upgrade provisioning",
        "brew uninstall provisioning",
    ),
    (
        "Homebrew",
        "/homebrew/",
        "brew upgrade provisioning",
        "brew uninstall provisioning",
    ),
    (
        "snap",
        "/snap/",
        "snap refresh provisioning",
        "snap remove provisioning",
    ),
    (
        "mise or asdf",
        "/installs/provisioning/",
        "mise upgrade provisioning",
        "mise uninstall provisioning",
    ),
];

/// The manager that owns `program`, if one does.
pub(super) fn owner(program: &Path, env: &Env) -> Option<Manager> {
    by_place(program, env).or_else(|| DATABASES.iter().find_map(|it| ask(it, program, env)))
}

fn by_place(program: &Path, env: &Env) -> Option<Manager> {
    let manager = |name, update: &str, remove: &str| Manager {
        name,
        update: update.to_owned(),
        remove: remove.to_owned(),
    };
    let cargo = env
        .path_variable("CARGO_HOME")
        .or_else(|| Some(env.home()?.join(".cargo")));
    let folder = program.parent()?;
    let is_cargos = cargo
        .and_then(|it| it.join("bin").canonicalize().ok())
        .is_some_and(|it| it == folder);
    if is_cargos || folder.ends_with(".cargo/bin") {
        return Some(manager(
            "cargo",
            "cargo install --locked provisioning-client",
            "cargo uninstall provisioning-client",
        ));
    }
    let text = program.to_string_lossy();
    PLACES
        .iter()
        .find(|(_, part, ..)| text.contains(part))
        .map(|(name, _, update, remove)| manager(name, update, remove))
}

/// Asks one database. One that is not here, or that does not answer, owns nothing.
fn ask(database: &Database, program: &Path, env: &Env) -> Option<Manager> {
    if !database.marks.iter().any(|it| Path::new(it).exists()) {
        return None;
    }
    let (tool, arguments) = database.question.split_first()?;
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .arg(program)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    for name in ["PATH", "HOME", "DPKG_ADMINDIR"] {
        if let Some(value) = env.path_variable(name) {
            command.env(name, value);
        }
    }
    let answer = command.output().ok().filter(|it| it.status.success())?;
    let package = owning_package(database.name, &String::from_utf8_lossy(&answer.stdout))?;
    Some(Manager {
        name: database.name,
        update: format!("{} {package}", database.update),
        remove: format!("{} {package}", database.remove),
    })
}

/// The package that an answer names; dpkg writes `package: path`, or `package:arch: path`.
fn owning_package(database: &str, answer: &str) -> Option<String> {
    let line = answer.lines().find(|it| !it.trim().is_empty())?;
    let name = match database {
        "dpkg" => line.split([':', ',']).next()?,
        _ => line,
    };
    let name = name.trim();
    let is_name = !name.is_empty() && !name.contains([' ', '/']);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::bare;

    #[test]
    fn a_programs_place_tells_who_put_it_there() {
        let env = bare(&[("HOME", "/home/ada")]);
        for (path, name) in [
            ("/nix/store/abc-provisioning-1.0/bin/provisioning", "Nix"),
            (
                "/opt/homebrew/Cellar/provisioning/1.0/bin/provisioning",
                "Homebrew",
            ),
            ("/home/ada/.cargo/bin/provisioning", "cargo"),
            ("/snap/provisioning/12/bin/provisioning", "snap"),
        ] {
            let found = by_place(Path::new(path), &env).unwrap();
            assert_eq!(found.name, name, "{path}");
        }
        assert_eq!(by_place(Path::new("/opt/x/provisioning"), &env), None);
    }

    #[test]
    fn an_owner_is_read_from_what_the_databases_print() {
        let check = |database, answer, name: Option<&str>| {
            assert_eq!(owning_package(database, answer).as_deref(), name);
        };
        check(
            "dpkg",
            "provisioning: /usr/bin/provisioning\n",
            Some("provisioning"),
        );
        check("dpkg", "tool:amd64: /usr/bin/provisioning\n", Some("tool"));
        check("rpm", "provisioning\n", Some("provisioning"));
        check("rpm", "file /x is not owned by any package\n", None);
        check("apk", "", None);
    }
}
