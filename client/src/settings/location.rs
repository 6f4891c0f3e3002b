//! Where a registry is: a web address or a folder.

use std::fmt;
use std::path::{Path, PathBuf};

use provisioning_package::Digest;
use url::Url;

use crate::env::Env;

/// The address of a registry: `http://`, `https://` or `file://`, without a query, and
/// with a slash at its end, so that one registry has one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RegistryLocation(Url);

impl RegistryLocation {
    /// Reads an address as people type it; the error is a phrase for them.
    pub(crate) fn parse(text: &str, env: &Env) -> Result<Self, String> {
        if !text.contains("://") {
            return Err(not_an_address(text, env));
        }
        let mut url = Url::parse(text).map_err(|problem| problem.to_string())?;
        match url.scheme() {
            "http" | "https" => {}
            "file" => {
                if url.to_file_path().is_err() {
                    return Err("a folder is written `file:///absolute/path`".to_owned());
                }
            }
            other => return Err(format!("`{other}` is not `https`, `http` or `file`")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "an address carries no user name or password: use `provisioning login`".to_owned(),
            );
        }
        url.set_query(None);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }

    /// The address itself.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The folder, if it is one.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        (self.0.scheme() == "file")
            .then(|| self.0.to_file_path().ok())
            .flatten()
    }

    /// The name of this registry's folder in the trusted state: readable, and different for
    /// different addresses.
    pub(crate) fn key(&self) -> String {
        let host = self.0.host_str().unwrap_or("folder");
        let port = self.0.port().map(|it| format!("-{it}")).unwrap_or_default();
        let readable: String = format!("{host}{port}")
            .chars()
            .map(|it| {
                if it.is_ascii_alphanumeric() || it == '-' {
                    it
                } else {
                    '_'
                }
            })
            .take(80)
            .collect();
        let hash = Digest::of(self.0.as_str().as_bytes()).hex();
        format!("{readable}-{}", &hash[..16])
    }

    /// Whether a token sent there crosses a network in the clear.
    pub(crate) fn is_cleartext(&self) -> bool {
        let loopback = match self.0.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        self.0.scheme() == "http" && !loopback
    }
}

/// A path where an address belongs is the usual slip; say what to write.
fn not_an_address(text: &str, env: &Env) -> String {
    let path = env.absolute(Path::new(text));
    if path.is_dir() {
        format!("a folder is written `file://{}`", path.display())
    } else {
        format!("expected an address such as `https://{text}`")
    }
}

impl fmt::Display for RegistryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::tests::bare;

    fn parse(text: &str) -> Result<RegistryLocation, String> {
        RegistryLocation::parse(text, &bare(&[]))
    }

    #[test]
    fn one_registry_has_one_spelling_and_one_key() {
        let one = parse("https://Example.org/base").unwrap();
        let two = parse("https://example.org:443/base/").unwrap();
        assert_eq!(one, two);
        assert_eq!(one.key(), two.key());
        assert_ne!(one.key(), parse("https://example.org/other").unwrap().key());
        assert_eq!(
            parse("file:///srv/r").unwrap().folder().unwrap(),
            Path::new("/srv/r/")
        );
    }

    #[test]
    fn other_schemes_passwords_and_plain_paths_are_refused() {
        for bad in ["ftp://a", "https://u:p@a", "a/b", "https://", "s3://b", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_plain_http_beyond_this_machine_is_in_the_clear() {
        assert!(parse("http://example.org").unwrap().is_cleartext());
        assert!(!parse("http://127.0.0.1:80").unwrap().is_cleartext());
        assert!(!parse("http://[::1]/").unwrap().is_cleartext());
        assert!(!parse("https://example.org").unwrap().is_cleartext());
    }
}
