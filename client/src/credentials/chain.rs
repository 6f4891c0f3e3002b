//! Where the credentials for a server come from, in turn: the token that was given or stored,
//! `netrc`, and a helper that the user named.
//!
//! Nothing is looked up before a server asks, and what is found goes to that server alone. A
//! message may say where a secret was looked for, never what it is.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use netrc::Netrc;
use url::Url;

use super::Secret;

/// Longest `netrc` file, in bytes.
const NETRC_BYTES_MAX: u64 = 1024 * 1024;
/// Longest answer of a helper, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long a helper may take; it may ask a person.
const HELPER_TIMEOUT: Duration = Duration::from_mins(2);
/// How often a helper is looked at.
const HELPER_POLL: Duration = Duration::from_millis(20);

/// What a request proves who sends it with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Authorization {
    /// A token.
    Bearer(Secret),
    /// A login and its password.
    Basic {
        /// The login.
        login: String,
        /// The password.
        password: Secret,
    },
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic { .. } => "Basic(…)",
        })
    }
}

/// The places to look in for one server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    /// The token that was given or stored for this server.
    pub(crate) token: Option<Secret>,
    /// The `netrc` file, if there may be one.
    pub(crate) netrc: Option<PathBuf>,
    /// The helper's command line, run by `sh`.
    pub(crate) helper: Option<String>,
}

impl Chain {
    /// The first credentials that are found for `url`. A place that cannot be read is passed
    /// over; the log says which.
    pub(crate) fn find(&self, url: &Url) -> Option<Authorization> {
        if let Some(token) = &self.token {
            return Some(Authorization::Bearer(token.clone()));
        }
        self.in_netrc(url).or_else(|| self.of_helper(url))
    }

    fn in_netrc(&self, url: &Url) -> Option<Authorization> {
        let path = self.netrc.as_ref()?;
        let is_small = path
            .metadata()
            .is_ok_and(|it| it.is_file() && it.len() <= NETRC_BYTES_MAX);
        let text = std::fs::read_to_string(path).ok().filter(|_| is_small)?;
        let Ok(netrc) = text.parse::<Netrc>() else {
            tracing::warn!("`{}` cannot be understood", path.display());
            return None;
        };
        let host = url.host_str()?;
        let found = netrc
            .hosts
            .get(host)
            .or_else(|| netrc.hosts.get("default"))?;
        authorization(&found.login, &found.password)
    }

    fn of_helper(&self, url: &Url) -> Option<Authorization> {
        let helper = self.helper.as_ref()?;
        let answer = ask(helper, &question(url)?).inspect_err(|problem| {
            tracing::warn!("the credential helper failed: {problem}");
        });
        read_answer(&answer.ok()?)
    }
}

/// The question in git-credential's form.
fn question(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let path = url.path().trim_matches('/');
    let path = if path.is_empty() {
        String::new()
    } else {
        format!("path={path}\n")
    };
    Some(format!("protocol={}\nhost={host}\n{path}\n", url.scheme()))
}

/// Runs the helper. What it prints on stdout is a secret and goes nowhere else.
fn ask(helper: &str, question: &str) -> std::io::Result<String> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("{helper} \"$@\""))
        .args(["credential-helper", "get"])
        .env_remove("PROVISIONING_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that knows without reading may have closed its end.
        let _ = stdin.write_all(question.as_bytes());
    }
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            let most = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
            let _ = std::io::Read::read_to_end(&mut std::io::Read::take(stdout, most), &mut bytes);
        }
        bytes
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > HELPER_TIMEOUT {
            child.kill()?;
            child.wait()?;
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(HELPER_POLL);
    };
    if !status.success() {
        return Err(std::io::Error::other(status.to_string()));
    }
    let bytes = reader.join().unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| std::io::ErrorKind::InvalidData.into())
}

/// Reads `username=…` and `password=…`; a password alone is a token.
fn read_answer(answer: &str) -> Option<Authorization> {
    let value = |key: &str| {
        answer.lines().find_map(|line| {
            let (found, value) = line.split_once('=')?;
            (found == key).then_some(value)
        })
    };
    authorization(value("username").unwrap_or_default(), value("password")?)
}

fn authorization(login: &str, password: &str) -> Option<Authorization> {
    let password = Secret::of_password(password)?;
    if login.is_empty() {
        return Some(Authorization::Bearer(password));
    }
    Some(Authorization::Basic {
        login: login.to_owned(),
        password,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(login: &str, password: &str) -> Authorization {
        Authorization::Basic {
            login: login.to_owned(),
            password: Secret::of_password(password).unwrap(),
        }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn netrc_answers_for_its_machine_and_its_default_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("netrc");
        let text = "machine one.example login ada password lovelace\ndefault login any password x";
        std::fs::write(&path, text).unwrap();
        let chain = Chain {
            netrc: Some(path),
            ..Chain::default()
        };
        let found = chain.find(&url("https://one.example:8443/base/"));
        assert_eq!(found, Some(basic("ada", "lovelace")));
        let other = chain.find(&url("https://two.example/"));
        assert_eq!(other, Some(basic("any", "x")));
        assert!(!format!("{found:?}").contains("lovelace"));
    }

    #[test]
    fn a_helper_is_asked_in_gits_words_and_a_password_alone_is_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("helper");
        let asked = folder.path().join("asked");
        let text = format!(
            "echo \"$1\" >{0}; cat >>{0}; echo username=ada; echo password=a=b",
            asked.display()
        );
        std::fs::write(&script, text).unwrap();
        let chain = Chain {
            helper: Some(format!("sh {}", script.display())),
            ..Chain::default()
        };
        let found = chain.find(&url("https://one.example:8443/base/"));
        assert_eq!(found, Some(basic("ada", "a=b")));
        assert_eq!(
            std::fs::read_to_string(asked).unwrap(),
            "get\nprotocol=https\nhost=one.example:8443\npath=base\n\n"
        );
        assert!(matches!(
            read_answer("password=t0ken\n"),
            Some(Authorization::Bearer(_))
        ));
        assert_eq!(read_answer("username=ada\n"), None);
    }

    #[test]
    fn a_helper_that_fails_and_files_that_are_none_are_passed_over() {
        let chain = Chain {
            token: None,
            netrc: Some("/no/such/file".into()),
            helper: Some("echo password=x; false".to_owned()),
        };
        assert_eq!(chain.find(&url("https://one.example/")), None);
    }
}
