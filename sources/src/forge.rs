//! Forges: what is asked of Forgejo (and Gitea), GitHub and GitLab, and what they answer.
//!
//! A change is a pull request or a merge request. Pure: requests and answers are values, and
//! the caller sends them. Every answer is read as far as it is needed; a field that is not
//! there is nothing.

use serde_json::{Value as Json, json};

/// Which language a forge speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// Forgejo and Gitea.
    Forgejo,
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
}

impl ForgeKind {
    /// The kind of this name, as configurations have it.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "forgejo" | "gitea" => Self::Forgejo,
            "github" => Self::GitHub,
            "gitlab" => Self::GitLab,
            _ => return None,
        })
    }
}

/// A project of a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forge {
    /// Its language.
    pub kind: ForgeKind,
    /// Where people see it: `https://code.example.org`.
    pub url: String,
    /// The project: `group/name`.
    pub project: String,
}

/// Something to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: &'static str,
    /// The URL.
    pub url: String,
    /// What is sent.
    pub body: Option<Json>,
}

/// A change that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number in its project.
    pub number: u64,
    /// Where people see it.
    pub url: String,
}

/// What a change says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeText<'t> {
    /// Its title.
    pub title: &'t str,
    /// What it says.
    pub body: &'t str,
    /// The branch that has it.
    pub branch: &'t str,
    /// The branch that it is for.
    pub target: &'t str,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is fine.
    Success,
    /// It is under way.
    Pending,
    /// It is not fine.
    Failure,
}

/// One check of a change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What it is called.
    pub name: String,
    /// How it went.
    pub verdict: Verdict,
    /// Where more is said.
    pub url: Option<String>,
}

impl Forge {
    /// The header that carries a token.
    pub fn token_header(&self, token: &str) -> (&'static str, String) {
        match self.kind {
            ForgeKind::Forgejo => ("Authorization", format!("token {token}")),
            ForgeKind::GitHub => ("Authorization", format!("Bearer {token}")),
            ForgeKind::GitLab => ("PRIVATE-TOKEN", token.to_owned()),
        }
    }

    /// Asks for the open changes of a branch.
    pub fn find(&self, branch: &str, target: &str) -> Request {
        let owner = self.project.split('/').next().unwrap_or_default();
        let (branch, target) = (encoded(branch), encoded(target));
        self.get(&match self.kind {
            ForgeKind::Forgejo => "pulls?state=open&limit=50&sort=recentupdate".to_owned(),
            ForgeKind::GitHub => {
                format!(
                    "pulls?state=open&head={}:{branch}&base={target}",
                    encoded(owner)
                )
            }
            ForgeKind::GitLab => {
                format!("merge_requests?state=opened&source_branch={branch}&target_branch={target}")
            }
        })
    }

    /// The change of a branch among those that were answered.
    pub fn found(&self, answer: &Json, branch: &str, target: &str) -> Option<Change> {
        let (of, into) = match self.kind {
            ForgeKind::Forgejo | ForgeKind::GitHub => ("/head/ref", "/base/ref"),
            ForgeKind::GitLab => ("/source_branch", "/target_branch"),
        };
        let is = |it: &Json, pointer: &str, wanted: &str| {
            it.pointer(pointer).and_then(Json::as_str) == Some(wanted)
        };
        let all = answer.as_array()?;
        let found = all
            .iter()
            .find(|it| is(it, of, branch) && is(it, into, target));
        self.change(found?)
    }

    /// Asks to open a change.
    pub fn open(&self, text: &ChangeText<'_>) -> Request {
        let (path, body) = match self.kind {
            ForgeKind::Forgejo | ForgeKind::GitHub => (
                "pulls",
                json!({"title": text.title, "body": text.body, "head": text.branch,
                       "base": text.target}),
            ),
            ForgeKind::GitLab => (
                "merge_requests",
                json!({"title": text.title, "description": text.body,
                       "source_branch": text.branch, "target_branch": text.target}),
            ),
        };
        self.send("POST", path, body)
    }

    /// Asks to change what a change says.
    pub fn edit(&self, number: u64, text: &ChangeText<'_>) -> Request {
        match self.kind {
            ForgeKind::Forgejo | ForgeKind::GitHub => self.send(
                "PATCH",
                &format!("pulls/{number}"),
                json!({"title": text.title, "body": text.body}),
            ),
            ForgeKind::GitLab => self.send(
                "PUT",
                &format!("merge_requests/{number}"),
                json!({"title": text.title, "description": text.body}),
            ),
        }
    }

    /// The change that was answered.
    pub fn change(&self, answer: &Json) -> Option<Change> {
        let (number, url) = match self.kind {
            ForgeKind::Forgejo | ForgeKind::GitHub => ("number", "html_url"),
            ForgeKind::GitLab => ("iid", "web_url"),
        };
        Some(Change {
            number: answer.get(number)?.as_u64()?,
            url: answer.get(url)?.as_str()?.to_owned(),
        })
    }

    /// Asks for the checks of a commit; there may be several lists of them.
    pub fn checks(&self, commit: &str) -> Vec<Request> {
        match self.kind {
            ForgeKind::Forgejo => vec![self.get(&format!("commits/{commit}/status"))],
            ForgeKind::GitHub => vec![
                self.get(&format!("commits/{commit}/status")),
                self.get(&format!("commits/{commit}/check-runs")),
            ],
            ForgeKind::GitLab => {
                vec![self.get(&format!("repository/commits/{commit}/statuses"))]
            }
        }
    }

    /// The checks of one list; the newest of each name.
    pub fn checked(&self, answer: &Json) -> Vec<Check> {
        let lists = ["/statuses", "/check_runs", ""];
        let list = lists
            .iter()
            .find_map(|it| answer.pointer(it).and_then(Json::as_array));
        let mut checks: Vec<Check> = Vec::new();
        for one in list.map_or(&[][..], Vec::as_slice) {
            let text = |keys: &[&str]| {
                let found = keys.iter().find_map(|key| one.get(key)?.as_str());
                found.filter(|it| !it.is_empty()).map(str::to_owned)
            };
            let name = text(&["context", "name"]).unwrap_or_else(|| "check".to_owned());
            if checks.iter().any(|it| it.name == name) {
                continue;
            }
            let state = text(&["conclusion", "state", "status"]).unwrap_or_default();
            checks.push(Check {
                name,
                verdict: verdict(&state),
                url: text(&["target_url", "html_url", "details_url"]),
            });
        }
        checks
    }

    /// Asks for the comments of a change.
    pub fn comments(&self, number: u64) -> Request {
        self.get(&match self.kind {
            ForgeKind::Forgejo => format!("issues/{number}/comments"),
            ForgeKind::GitHub => format!("issues/{number}/comments?per_page=100"),
            ForgeKind::GitLab => format!("merge_requests/{number}/notes?per_page=100"),
        })
    }

    /// Asks to write a comment: over the one that has `mark` in it, where there is one.
    pub fn comment(&self, number: u64, there: &Json, mark: &str, text: &str) -> Request {
        let all = there.as_array().map_or(&[][..], Vec::as_slice);
        let has_mark = |it: &&Json| {
            let body = it.get("body").and_then(Json::as_str);
            body.is_some_and(|it| it.contains(mark))
        };
        let old = all
            .iter()
            .find(has_mark)
            .and_then(|it| it.get("id")?.as_u64());
        let body = json!({ "body": text });
        match (self.kind, old) {
            (ForgeKind::Forgejo | ForgeKind::GitHub, Some(id)) => {
                self.send("PATCH", &format!("issues/comments/{id}"), body)
            }
            (ForgeKind::Forgejo | ForgeKind::GitHub, None) => {
                self.send("POST", &format!("issues/{number}/comments"), body)
            }
            (ForgeKind::GitLab, Some(id)) => {
                self.send("PUT", &format!("merge_requests/{number}/notes/{id}"), body)
            }
            (ForgeKind::GitLab, None) => {
                self.send("POST", &format!("merge_requests/{number}/notes"), body)
            }
        }
    }

    fn get(&self, path: &str) -> Request {
        Request {
            method: "GET",
            url: format!("{}/{path}", self.base()),
            body: None,
        }
    }

    fn send(&self, method: &'static str, path: &str, body: Json) -> Request {
        Request {
            method,
            url: format!("{}/{path}", self.base()),
            body: Some(body),
        }
    }

    fn base(&self) -> String {
        let url = self.url.trim_end_matches('/');
        let project = &self.project;
        match self.kind {
            ForgeKind::Forgejo => format!("{url}/api/v1/repos/{project}"),
            ForgeKind::GitHub if url == "https://github.com" => {
                format!("https://api.github.com/repos/{project}")
            }
            ForgeKind::GitHub => format!("{url}/api/v3/repos/{project}"),
            ForgeKind::GitLab => format!("{url}/api/v4/projects/{}", encoded(project)),
        }
    }
}

/// What the checks of a change come to: the worst of them; nothing is pending where there is
/// no check.
pub fn overall(checks: &[Check]) -> Option<Verdict> {
    checks.iter().map(|it| it.verdict).max()
}

fn verdict(state: &str) -> Verdict {
    match state {
        "success" | "neutral" | "skipped" | "manual" | "warning" => Verdict::Success,
        "failure" | "failed" | "error" | "cancelled" | "canceled" | "timed_out"
        | "action_required" | "startup_failure" | "stale" => Verdict::Failure,
        _ => Verdict::Pending,
    }
}

/// A part of a URL.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.extend(format!("%{byte:02X}").chars());
        }
    }
    out
}

/// The project that a git URL names: its path, without `.git`; `None` for a folder.
pub fn project_of(remote: &str) -> Option<String> {
    let path = match remote.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?.1,
        None => {
            let (host, path) = remote.split_once(':')?;
            if host.contains('/') {
                return None;
            }
            path
        }
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    path.contains('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forge(kind: ForgeKind) -> Forge {
        Forge {
            kind,
            url: "https://code.example.org/".to_owned(),
            project: "rpms/copr-cli".to_owned(),
        }
    }

    #[test]
    fn each_forge_is_asked_in_its_own_language() {
        let url = |kind| forge(kind).find("a/b", "main").url;
        assert_eq!(
            url(ForgeKind::Forgejo),
            "https://code.example.org/api/v1/repos/rpms/copr-cli/pulls?state=open&limit=50&sort=recentupdate"
        );
        assert_eq!(
            url(ForgeKind::GitHub),
            "https://code.example.org/api/v3/repos/rpms/copr-cli/pulls?state=open&head=rpms:a%2Fb&base=main"
        );
        assert_eq!(
            url(ForgeKind::GitLab),
            "https://code.example.org/api/v4/projects/rpms%2Fcopr-cli/merge_requests?state=opened&source_branch=a%2Fb&target_branch=main"
        );
    }

    #[test]
    fn a_change_is_found_by_both_of_its_branches() {
        let answer = json!([
            {"number": 1, "html_url": "u1", "head": {"ref": "x"}, "base": {"ref": "other"}},
            {"number": 2, "html_url": "u2", "head": {"ref": "x"}, "base": {"ref": "main"}},
        ]);
        let found = forge(ForgeKind::Forgejo)
            .found(&answer, "x", "main")
            .unwrap();
        assert_eq!((found.number, found.url.as_str()), (2, "u2"));
        assert_eq!(
            forge(ForgeKind::Forgejo).found(&json!({}), "x", "main"),
            None
        );
        let answer =
            json!([{"iid": 3, "web_url": "u3", "source_branch": "x", "target_branch": "main"}]);
        assert_eq!(
            forge(ForgeKind::GitLab)
                .found(&answer, "x", "main")
                .unwrap()
                .number,
            3
        );
    }

    #[test]
    fn checks_come_to_the_worst_of_them() {
        let answer = json!({"check_runs": [
            {"name": "a", "status": "completed", "conclusion": "success"},
            {"name": "b", "status": "in_progress", "conclusion": null},
            {"name": "a", "status": "completed", "conclusion": "failure"},
        ]});
        let checks = forge(ForgeKind::GitHub).checked(&answer);
        assert_eq!(checks.len(), 2);
        assert_eq!(overall(&checks), Some(Verdict::Pending));
        let answer = json!({"statuses": [{"context": "c", "status": "error", "target_url": ""}]});
        let checks = forge(ForgeKind::Forgejo).checked(&answer);
        assert_eq!(
            (overall(&checks), checks[0].url.as_deref()),
            (Some(Verdict::Failure), None)
        );
        assert_eq!(overall(&[]), None);
    }

    #[test]
    fn a_project_is_the_path_of_its_remote() {
        for remote in ["https://h/a/b.git", "git@h:a/b", "ssh://git@h/a/b.git/"] {
            assert_eq!(project_of(remote).as_deref(), Some("a/b"), "{remote}");
        }
        assert_eq!(project_of("file:///srv/a/b.git"), None);
        assert_eq!(project_of("/srv/a/b.git"), None);
    }
}
