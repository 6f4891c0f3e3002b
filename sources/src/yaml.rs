//! YAML as Packit's loader (`PyYAML`'s `safe_load`) reads it, with the place of every value.
//!
//! Packit's users have files that work, so the words of YAML 1.1 hold: `yes` and `off` are
//! booleans, `0755` is octal, a later key of the same name wins, and several `<<` in one
//! table are merged in their order. Anchors and aliases are resolved here; what they cost is
//! bounded, since ten lines of aliases can otherwise make a billion values. Nothing here
//! knows what a configuration is.

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

mod scalars;

/// Longest document that is read, in bytes.
pub const YAML_BYTES_MAX: usize = 1024 * 1024;

/// Most values that a document may have once its aliases are resolved.
pub const YAML_VALUES_MAX: usize = 100_000;

/// How deep lists and tables may lie in each other.
pub const YAML_DEPTH_MAX: usize = 64;

/// A place in a file; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where every file begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it begins.
    pub at: Place,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// A date or time, kept as it was written: it is no text to those who ask for text.
    Time(String),
    /// A tag of the author's own and no value, such as an unquoted `!docs`.
    Tag(String),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the file.
    Table(Vec<Entry>),
}

impl Value {
    /// The kind of value in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::Time(_) => "a date",
            Self::Tag(_) => "a tag",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Node {
    /// The text of a value that is text.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// The items of a value that is a list.
    pub fn list(&self) -> Option<&[Self]> {
        if let Value::List(items) = &self.value {
            Some(items)
        } else {
            None
        }
    }

    /// The entries of a value that is a table.
    pub fn table(&self) -> Option<&[Entry]> {
        if let Value::Table(entries) = &self.value {
            Some(entries)
        } else {
            None
        }
    }
}

/// A key of a table and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as text, whatever it was.
    pub key: String,
    /// Whether the key was text; `on:` for one is a boolean.
    pub key_is_text: bool,
    /// Where the key is.
    pub at: Place,
    /// The value.
    pub node: Node,
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct YamlError {
    /// Where reading stopped.
    pub at: Place,
    /// What is wrong, as a lower-case phrase.
    pub message: String,
}

impl YamlError {
    fn new(at: Place, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its one value.
    pub root: Node,
    /// Keys that a table has twice, with the place of the second: the later one counts.
    pub repeated: Vec<(String, Place)>,
}

/// Reads one document.
pub fn read(text: &str) -> Result<Document, YamlError> {
    if text.len() > YAML_BYTES_MAX {
        let message = format!("longer than {YAML_BYTES_MAX} bytes");
        return Err(YamlError::new(Place::START, message));
    }
    // A mark of the byte order is allowed at the start; columns must not count it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        repeated: Vec::new(),
        values: 0,
    };
    let root = reader.document()?;
    Ok(Document {
        root,
        repeated: reader.repeated,
    })
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    repeated: Vec<(String, Place)>,
    values: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(problem)) => Err(YamlError::new(
                problem.marker().into(),
                problem.info().to_owned(),
            )),
            None => Err(YamlError::new(Place::START, "the document ends too early")),
        }
    }

    fn document(&mut self) -> Result<Node, YamlError> {
        let nothing = Node {
            value: Value::Null,
            at: Place::START,
        };
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            let at = Place::from(&span.start);
            if matches!(event, Event::StreamEnd) {
                return Ok(root.unwrap_or(nothing));
            }
            if !matches!(event, Event::DocumentStart(_)) {
                continue;
            }
            if root.is_some() {
                return Err(YamlError::new(at, "a second document begins"));
            }
            let (event, span) = self.next()?;
            root = Some(self.node(event, span, 0)?);
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let at = Place::from(&span.start);
        if depth > YAML_DEPTH_MAX {
            let message = format!("nested deeper than {YAML_DEPTH_MAX} levels");
            return Err(YamlError::new(at, message));
        }
        self.count(1, at)?;
        let (value, anchor) = match event {
            Event::Alias(anchor) => return self.alias(anchor, at),
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref(), at)?, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                expect_tag(tag.as_deref(), "seq", at)?;
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                expect_tag(tag.as_deref(), "map", at)?;
                (self.table(depth)?, anchor)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                return Err(YamlError::new(at, "a value is missing"));
            }
        };
        let node = Node { value, at };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<Node, YamlError> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(YamlError::new(at, "an alias inside of what it means"));
        };
        self.count(size(&node), at)?;
        Ok(node)
    }

    fn count(&mut self, values: usize, at: Place) -> Result<(), YamlError> {
        self.values += values;
        if self.values > YAML_VALUES_MAX {
            let message = format!("more than {YAML_VALUES_MAX} values, aliases included");
            return Err(YamlError::new(at, message));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Value::List(items));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    /// Merged entries come first, so that the table's own win; among several `<<` the later
    /// one wins, and in a list after one `<<` the earlier one.
    fn table(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut merged: Vec<Entry> = Vec::new();
        let mut own: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None)
                if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            if is_merge {
                for entry in merge_entries(node)? {
                    put(&mut merged, entry);
                }
                continue;
            }
            let (text, key_is_text) = key_text(&key)?;
            let entry = Entry {
                key: text,
                key_is_text,
                at: key.at,
                node,
            };
            if own.iter().any(|it| it.key == entry.key) {
                self.repeated.push((entry.key.clone(), entry.at));
            }
            put(&mut own, entry);
        }
        for entry in own {
            put(&mut merged, entry);
        }
        Ok(Value::Table(merged))
    }
}

/// Adds an entry, or replaces the one of the same key where it stands.
fn put(entries: &mut Vec<Entry>, entry: Entry) {
    match entries.iter_mut().find(|it| it.key == entry.key) {
        Some(existing) => *existing = entry,
        None => entries.push(entry),
    }
}

/// What `<<: value` adds, the weakest first.
fn merge_entries(node: Node) -> Result<Vec<Entry>, YamlError> {
    let refused =
        |at: Place| YamlError::new(at, "`<<` merges a table or a list of tables, nothing else");
    match node.value {
        Value::Table(entries) => Ok(entries),
        Value::List(items) => {
            let mut all = Vec::new();
            for item in items.into_iter().rev() {
                let Value::Table(entries) = item.value else {
                    return Err(refused(item.at));
                };
                all.extend(entries);
            }
            Ok(all)
        }
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Time(_)
        | Value::Tag(_) => Err(refused(node.at)),
    }
}

/// A key as text, and whether it was text.
fn key_text(key: &Node) -> Result<(String, bool), YamlError> {
    Ok(match &key.value {
        Value::Text(text) => (text.clone(), true),
        Value::Null => ("null".to_owned(), false),
        Value::Bool(value) => (value.to_string(), false),
        Value::Integer(value) => (value.to_string(), false),
        Value::Float(value) => (value.to_string(), false),
        Value::Time(text) => (text.clone(), false),
        Value::Tag(_) | Value::List(_) | Value::Table(_) => {
            let message = format!("{} cannot be a key", key.value.kind());
            return Err(YamlError::new(key.at, message));
        }
    })
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Place,
) -> Result<Value, YamlError> {
    let Some(tag) = tag else {
        return Ok(if style == ScalarStyle::Plain {
            scalars::plain(text)
        } else {
            Value::Text(text.to_owned())
        });
    };
    if tag.is_yaml_core_schema() {
        return scalars::tagged(text, &tag.suffix).ok_or_else(|| {
            let message = format!("`{}` is no `!!{}`", text.escape_debug(), tag.suffix);
            YamlError::new(at, message)
        });
    }
    if tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty() {
        return Ok(Value::Text(text.to_owned()));
    }
    if text.is_empty() && style == ScalarStyle::Plain {
        return Ok(Value::Tag(format!("{}{}", tag.handle, tag.suffix)));
    }
    Err(unknown_tag(tag, at))
}

fn expect_tag(tag: Option<&Tag>, expected: &str, at: Place) -> Result<(), YamlError> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => {
            Err(unknown_tag(tag, at))
        }
        Some(_) | None => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, at: Place) -> YamlError {
    let message = format!("the tag `{}{}` has no meaning here", tag.handle, tag.suffix);
    YamlError::new(at, message)
}

/// How many values a value is, with all inside it.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Table(entries) => 1 + entries.iter().map(|it| size(&it.node)).sum::<usize>(),
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Time(_)
        | Value::Tag(_) => 1,
    }
}

#[cfg(test)]
mod tests;
