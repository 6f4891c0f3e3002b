//! What a workspace was made from: `[workspace]` of `provisioning.toml`, for people and for
//! the core, and `.provisioning-template.toml` beside it, which `workspace update` reads.
//!
//! They are two files because the first is people's to edit and is merged like every other
//! file, and the second must be whole whatever a merge left in the first.

use std::fs;
use std::io;
use std::path::Path;

use provisioning_installers::{Answer, Answers, Node, Tree};
use provisioning_package::{Digest, Version};
use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Table, value};

use super::WORKSPACE_FILE;
use crate::failure::{Failure, Outcome};

/// The file that only this command writes.
pub(super) const RECORD_FILE: &str = ".provisioning-template.toml";
/// The form of it that we write.
const RECORD_SCHEMA: u32 = 1;
/// What it begins with.
const RECORD_HEAD: &str =
    "# What this workspace was made from: `provisioning workspace update` reads and writes it.\n";

/// What a workspace was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    schema: u32,
    /// The template.
    pub(super) template: String,
    /// The version of the package that it is in.
    pub(super) version: Version,
    /// That package's archive; `None` where it was a linked working copy, or an older
    /// client made the workspace.
    pub(super) digest: Option<Digest>,
    /// What was answered, the workspace's name included.
    pub(super) answers: Answers,
}

impl Record {
    /// What is to be recorded of a workspace that is made now.
    pub(super) fn new(
        template: &str,
        version: &Version,
        digest: Option<Digest>,
        answers: Answers,
    ) -> Self {
        Self {
            schema: RECORD_SCHEMA,
            template: template.to_owned(),
            version: version.clone(),
            digest,
            answers,
        }
    }

    /// Reads what the workspace `root` was made from.
    pub(super) fn read(root: &Path) -> Outcome<Self> {
        let path = root.join(RECORD_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
                return Self::of_older(root);
            }
            Err(problem) => return Err(Failure::io("read", &path, &problem)),
        };
        let record: Self = toml::from_str(&text).map_err(|problem| {
            Failure::new("damaged-state", format!("`{}` is damaged", path.display()))
                .with_cause(problem.message())
                .with_hint("bring it back from your version control; nothing was changed")
        })?;
        if record.schema > RECORD_SCHEMA {
            return Err(Failure::new(
                "newer-client",
                format!("`{}` was written by a newer client", path.display()),
            )
            .with_hint("update this client: `provisioning self update`"));
        }
        Ok(record)
    }

    /// What older clients wrote into `provisioning.toml`.
    fn of_older(root: &Path) -> Outcome<Self> {
        let path = root.join(WORKSPACE_FILE);
        let text = fs::read_to_string(&path).map_err(|it| Failure::io("read", &path, &it))?;
        let table: toml::Table = toml::from_str(&text).unwrap_or_default();
        let text = |key: &str| {
            let it = table.get("workspace")?.get(key)?.as_str()?;
            Some(it.to_owned())
        };
        let version = text("template-version").and_then(|it| it.parse().ok());
        let found = text("template").zip(version);
        let (template, version) = found.ok_or_else(|| no_template(root))?;
        let name = text("name").unwrap_or_default();
        Ok(Self {
            schema: RECORD_SCHEMA,
            template,
            version,
            digest: None,
            answers: [("name".to_owned(), Answer::Text(name))].into(),
        })
    }

    /// Everything that the template is rendered with.
    pub(super) fn variables(&self) -> Answers {
        let mut all = self.answers.clone();
        all.insert("template".to_owned(), Answer::Text(self.template.clone()));
        all.insert("version".to_owned(), Answer::Text(self.version.to_string()));
        all
    }

    /// The file that holds it.
    pub(super) fn to_node(&self) -> Node {
        let text = toml::to_string(self).expect("texts, numbers and flags are TOML");
        Node::text(format!("{RECORD_HEAD}{text}"))
    }

    /// Puts what a workspace was made from into the `provisioning.toml` of what a template
    /// gave, where the template did not write it itself. Always the same way, so that the
    /// old and the new tree differ in what the template changed alone.
    pub(super) fn complete(&self, tree: &mut Tree) -> Outcome<()> {
        let refused = |reason: String| {
            Failure::new(
                "template-refused",
                format!("the template's `{WORKSPACE_FILE}` cannot be read"),
            )
            .with_cause(reason)
        };
        let text = match tree.get(WORKSPACE_FILE) {
            None => "",
            Some(Node::File { bytes, .. }) => {
                std::str::from_utf8(bytes).map_err(|_| refused("it is no UTF-8 text".to_owned()))?
            }
            Some(Node::Link { .. } | Node::Folder) => {
                return Err(refused("it is no regular file".to_owned()));
            }
        };
        let name = self.answers.get("name").map(ToString::to_string);
        let facts = [
            ("name", name.unwrap_or_default()),
            ("template", self.template.clone()),
            ("template-version", self.version.to_string()),
        ];
        let completed = complete(text, &facts).map_err(refused)?;
        tree.insert(WORKSPACE_FILE.to_owned(), Node::text(completed));
        Ok(())
    }
}

/// `provisioning.toml` of a folder that was there before.
pub(super) fn without_template(name: &str) -> Node {
    let text = complete("", &[("name", name.to_owned())]);
    Node::text(text.expect("an empty document takes a table"))
}

fn complete(text: &str, facts: &[(&str, String)]) -> Result<String, String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|it: toml_edit::TomlError| it.to_string())?;
    let workspace = document
        .entry("workspace")
        .or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = workspace.as_table_like_mut() else {
        return Err("`workspace` is no table".to_owned());
    };
    for (key, text) in facts {
        if !table.contains_key(key) {
            table.insert(key, value(text.as_str()));
        }
    }
    Ok(document.to_string())
}

fn no_template(root: &Path) -> Failure {
    Failure::new(
        "no-template",
        format!(
            "the workspace `{}` was made from no template",
            root.display()
        ),
    )
    .with_hint("`provisioning workspace create DIR --template T` makes one that can be updated")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_template_wrote_stays_and_what_is_missing_is_added() {
        let facts = [
            ("name", "a"),
            ("template", "minimal"),
            ("template-version", "1.4.0"),
        ];
        let facts = facts.map(|(key, text)| (key, text.to_owned()));
        let text = "# mine\n[workspace]\nname = \"b\"\n\n[servers]\nplan = 1\n";
        let completed = complete(text, &facts).unwrap();
        assert!(
            completed.starts_with("# mine\n[workspace]\nname = \"b\"\n"),
            "{completed}"
        );
        assert!(completed.contains("template = \"minimal\"\ntemplate-version = \"1.4.0\"\n"));
        assert!(completed.ends_with("[servers]\nplan = 1\n"));
        assert_eq!(complete(&completed, &facts).unwrap(), completed);
    }

    #[test]
    fn a_record_reads_as_it_was_written_and_a_newer_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let answers: Answers = [
            ("name".to_owned(), Answer::Text("shop".to_owned())),
            ("nodes".to_owned(), Answer::Number(3)),
            ("public".to_owned(), Answer::Flag(false)),
        ]
        .into();
        let version = "1.4.0".parse().unwrap();
        let record = Record::new("minimal", &version, Some(Digest::of(b"x")), answers);
        let Node::File { bytes, .. } = record.to_node() else {
            panic!("a record is a file")
        };
        let path = folder.path().join(RECORD_FILE);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(Record::read(folder.path()).unwrap(), record);
        let newer = String::from_utf8(bytes)
            .unwrap()
            .replace("schema = 1", "schema = 2");
        fs::write(&path, newer).unwrap();
        let refused = Record::read(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("newer client"), "{refused}");
    }
}
