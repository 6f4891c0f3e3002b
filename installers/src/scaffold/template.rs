//! A folder and its `template.toml` become a tree.

use std::fs;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::tree::{self, Node, Tree};
use super::variable::{Answer, Answers, Variable, is_computed};
use super::{ScaffoldError, failed};

/// What a template says about itself; it is not copied.
const SETTINGS: &str = "template.toml";
/// The endings of files that are rendered.
const RENDERED: [&str; 2] = [".j2", ".jinja"];
/// Variables that every template has.
const GIVEN: [&str; 3] = ["name", "template", "version"];
/// Instructions that rendering one file may take: a loop that never ends is cut off.
const FUEL: u64 = 2_000_000;
/// Most variables of one template.
const VARIABLES_MAX: usize = 200;

/// Largest file that is rendered or comes out, in bytes; nobody writes a larger one by hand.
pub const SCAFFOLD_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A template that was read.
#[derive(Debug)]
pub struct Template {
    folder: PathBuf,
    description: Option<String>,
    variables: Vec<Variable>,
    unknown: Vec<String>,
}

impl Template {
    /// Reads the template in `folder`. One without a `template.toml` asks nothing.
    pub fn read(folder: &Path) -> Result<Self, ScaffoldError> {
        let mut template = Self {
            folder: folder.to_owned(),
            description: None,
            variables: Vec::new(),
            unknown: Vec::new(),
        };
        let path = folder.join(SETTINGS);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(template),
            Err(problem) => return Err(failed("read", &path)(problem)),
        };
        template.parse(&text).map_err(ScaffoldError::Settings)?;
        Ok(template)
    }

    /// One line for people.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What it asks, in its order.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Keys of `template.toml` that no client knows, to warn about.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// The answer to `variable` where nobody answers; `answers` are those known so far.
    pub fn default_of(
        &self,
        variable: &Variable,
        answers: &Answers,
    ) -> Result<Option<Answer>, ScaffoldError> {
        let Some(default) = variable.default() else {
            return Ok(None);
        };
        let Answer::Text(text) = default else {
            return Ok(Some(default.clone()));
        };
        if !is_computed(default) {
            return Ok(Some(default.clone()));
        }
        let wrong = |reason: String| {
            ScaffoldError::Settings(format!(
                "the default of variable `{}`: {reason}",
                variable.name()
            ))
        };
        let text = render(&engine(), text, &context(answers)).map_err(&wrong)?;
        variable.read(&text).map(Some).map_err(&wrong)
    }

    /// Every file that the template makes of `answers`. Nothing is written.
    pub fn render(&self, answers: &Answers) -> Result<Tree, ScaffoldError> {
        let engine = engine();
        let context = context(answers);
        let mut made = Tree::new();
        tree::walk(&self.folder, &[SETTINGS], &mut |path, node| {
            let wrong = |reason: String| ScaffoldError::Render {
                file: path.clone(),
                reason,
            };
            let (bare, is_rendered) = match (&node, suffix(&path)) {
                (Node::File { .. }, Some(ending)) => (&path[..path.len() - ending.len()], true),
                (Node::File { .. } | Node::Link { .. } | Node::Folder, _) => (path.as_str(), false),
            };
            let Some(place) = place(&engine, bare, &context).map_err(wrong)? else {
                return Ok(());
            };
            let node = match node {
                Node::File { bytes, executable } if is_rendered => Node::File {
                    bytes: rendered(&engine, bytes, &context).map_err(wrong)?,
                    executable,
                },
                other @ (Node::File { .. } | Node::Link { .. } | Node::Folder) => other,
            };
            tree::insert(&mut made, &place, node)
        })?;
        Ok(made)
    }

    fn parse(&mut self, text: &str) -> Result<(), String> {
        let table: toml::Table = text.parse().map_err(|it: toml::de::Error| {
            let line = it
                .span()
                .map_or(1, |it| text[..it.start].matches('\n').count() + 1);
            format!("line {line}: {}", it.message())
        })?;
        for (key, value) in &table {
            match (key.as_str(), value) {
                ("description", toml::Value::String(text)) => self.description = Some(text.clone()),
                ("variables", toml::Value::Array(items)) if items.len() <= VARIABLES_MAX => {
                    for item in items {
                        let table = item.as_table().ok_or("`variables` is no list of tables")?;
                        self.variables
                            .push(Variable::parse(table, &mut self.unknown)?);
                    }
                }
                ("variables", toml::Value::Array(_)) => {
                    return Err(format!("it has more than {VARIABLES_MAX} variables"));
                }
                ("variables", _) => {
                    return Err("`variables` is no list: write `[[variables]]`".to_owned());
                }
                ("description", _) => return Err("`description` is no text".to_owned()),
                (other, _) => self.unknown.push(other.to_owned()),
            }
        }
        for (index, it) in self.variables.iter().enumerate() {
            if self.variables[..index]
                .iter()
                .any(|other| other.name() == it.name())
            {
                return Err(format!("variable `{}` is there twice", it.name()));
            }
        }
        Ok(())
    }
}

/// The ending that has a file rendered.
fn suffix(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    RENDERED
        .into_iter()
        .find(|it| name.ends_with(it) && name.len() > it.len())
}

/// A text engine without a loader: there is nothing that a template could include, and no
/// function that reads anything.
fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    engine.set_syntax(syntax.expect("the default delimiters do not clash"));
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    engine
}

fn context(answers: &Answers) -> Value {
    let pairs = answers
        .iter()
        .map(|(name, answer)| (name.clone(), answer.value()));
    Value::from_pairs(pairs)
}

fn render(engine: &Environment<'_>, text: &str, context: &Value) -> Result<String, String> {
    let rendered = engine.render_str(text, context).map_err(|it| said(&it))?;
    if rendered.len() as u64 > SCAFFOLD_FILE_BYTES_MAX {
        return Err(format!(
            "more than {SCAFFOLD_FILE_BYTES_MAX} bytes come out"
        ));
    }
    Ok(rendered)
}

fn rendered(engine: &Environment<'_>, bytes: Vec<u8>, context: &Value) -> Result<Vec<u8>, String> {
    if bytes.len() as u64 > SCAFFOLD_FILE_BYTES_MAX {
        return Err(format!("it is larger than {SCAFFOLD_FILE_BYTES_MAX} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
    render(engine, &text, context).map(String::into_bytes)
}

/// Where a file goes; `None` where a part of its path is rendered to nothing, which is how
/// a template leaves a file out.
fn place(engine: &Environment<'_>, path: &str, context: &Value) -> Result<Option<String>, String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        if !part.contains("{{") && !part.contains("{%") {
            parts.push(part.to_owned());
            continue;
        }
        let part = render(engine, part, context)?;
        if part.trim().is_empty() {
            return Ok(None);
        }
        if part.contains('/') {
            return Err(format!(
                "its name is rendered to `{part}`, which holds a `/`"
            ));
        }
        parts.push(part);
    }
    Ok(Some(parts.join("/")))
}

/// What the engine says, in one line, with what it does not know named.
fn said(problem: &minijinja::Error) -> String {
    let known = GIVEN.join("`, `");
    if problem.kind() == minijinja::ErrorKind::OutOfFuel {
        return format!("it takes more than {FUEL} steps");
    }
    if problem.kind() == minijinja::ErrorKind::UndefinedError {
        return format!("{problem}; a template knows `{known}` and what its `{SETTINGS}` declares");
    }
    problem.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(files: &[(&str, &str)]) -> (tempfile::TempDir, Template) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        let read = Template::read(folder.path()).unwrap();
        (folder, read)
    }

    fn answers(list: &[(&str, &str)]) -> Answers {
        let text = |it: &str| Answer::Text(it.to_owned());
        list.iter()
            .map(|(name, it)| ((*name).to_owned(), text(it)))
            .collect()
    }

    #[test]
    fn marked_files_and_names_are_rendered_and_everything_else_is_copied() {
        let (_folder, template) = template(&[
            ("template.toml", "description = \"x\""),
            ("README.md.j2", "# {{ name }}\n"),
            ("page.html.jinja", "<p>{{ name }}</p>"),
            ("infra/raw.toml", "x = \"{{ name }}\""),
            ("infra/{{ name }}.toml.j2", "y"),
            ("{% if name == 'other' %}other{% endif %}/left-out.txt", "z"),
        ]);
        let tree = template.render(&answers(&[("name", "a<b")])).unwrap();
        let expected: Tree = [
            ("README.md", "# a<b\n"),
            ("page.html", "<p>a<b</p>"),
            ("infra/raw.toml", "x = \"{{ name }}\""),
            ("infra/a<b.toml", "y"),
        ]
        .map(|(path, text)| (path.to_owned(), Node::text(text)))
        .into();
        assert_eq!(tree, expected);
    }

    #[test]
    fn a_template_cannot_read_run_forever_or_leave_the_workspace() {
        let refused = |path: &str, text: &str| {
            let (_folder, template) = template(&[(path, text)]);
            let refused = template.render(&answers(&[("name", "../../x")]));
            refused.unwrap_err().to_string()
        };
        for text in [
            "{% include '/etc/passwd' %}",
            "{{ env('HOME') }}",
            "{% import 'x' as y %}",
            "{{ unknown }}",
        ] {
            refused("a.j2", text);
        }
        let endless =
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        assert!(refused("a.j2", endless).contains("steps"));
        assert!(refused("{{ name }}", "x").contains('/'));
        assert!(refused("{{ '..' }}/x", "x").contains("refused"));
        assert!(refused("{{ '.git' }}/hooks/post-checkout", "x").contains("git"));
    }

    #[test]
    fn variables_have_types_choices_patterns_and_computed_defaults() {
        let (_folder, template) = template(&[(
            "template.toml",
            r#"
            [[variables]]
            name = "region"
            choices = ["eu", "us"]
            default = "eu"
            [[variables]]
            name = "domain"
            default = "{{ name }}.{{ region }}.example.org"
            pattern = "[a-z.-]+"
            [[variables]]
            name = "nodes"
            type = "number"
            default = 3
            hint = "typo"
            "#,
        )]);
        let [region, domain, nodes] = template.variables() else {
            panic!("three are declared")
        };
        assert!(region.read("asia").unwrap_err().contains("`eu`, `us`"));
        assert!(domain.read("no blanks").unwrap_err().contains("[a-z.-]+"));
        assert!(nodes.read("many").is_err());
        assert_eq!(nodes.read(" 5 ").unwrap(), Answer::Number(5));
        let known = answers(&[("name", "shop"), ("region", "us")]);
        let default = template.default_of(domain, &known).unwrap().unwrap();
        assert_eq!(default.to_string(), "shop.us.example.org");
        assert_eq!(template.unknown(), ["hint` of variable `nodes"]);
    }

    #[test]
    fn settings_that_contradict_themselves_are_refused_with_the_variables_name() {
        let check = |text: &str, part: &str| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(SETTINGS), text).unwrap();
            let refused = Template::read(folder.path()).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        };
        check(
            "[[variables]]\nname = \"a\"\nchoices = [\"x\"]\ndefault = \"y\"",
            "`y` is none of",
        );
        check("[[variables]]\nname = \"template\"", "has it already");
        check(
            "[[variables]]\nname = \"a\"\n[[variables]]\nname = \"a\"",
            "twice",
        );
        check("[[variables]]\nname = \"a-b\"", "no name of a variable");
        check(
            "[[variables]]\nname = \"a\"\npattern = \"(\"",
            "variable `a`",
        );
        check("x = [", "line 1");
    }
}
