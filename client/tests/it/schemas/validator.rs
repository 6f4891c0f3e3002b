//! Checks a document against one of our schemas: the part of JSON Schema 2020-12 that they
//! use, and nothing else. A keyword that is not known here fails, so none goes unchecked.

use serde_json::Value;

/// Keywords that say nothing about a document.
const ANNOTATIONS: [&str; 6] = ["$schema", "$id", "$defs", "title", "description", "comment"];

/// A schema whose objects let no field in that they do not name.
pub(super) struct Validator {
    root: Value,
}

impl Validator {
    /// The validator of a whole schema.
    pub(super) fn new(root: Value) -> Self {
        assert_eq!(
            root["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{root}"
        );
        Self { root }
    }

    /// Everything that is wrong with a document.
    pub(super) fn errors(&self, document: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        self.check(&self.root, document, "", &mut errors);
        errors
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
        let schema = schema.as_object().expect("a schema is an object");
        for (keyword, wanted) in schema {
            let keyword = keyword.as_str();
            let problem = match keyword {
                _ if ANNOTATIONS.contains(&keyword) => None,
                "$ref" => {
                    let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                    let found = self.root.pointer(path).expect(path);
                    self.check(found, value, at, errors);
                    None
                }
                "anyOf" => self.none_of(wanted, value, at),
                "type" => (!is_of_type(wanted, value)).then(|| format!("is no {wanted}")),
                "const" => (wanted != value).then(|| format!("is not {wanted}")),
                "enum" => (!wanted.as_array().unwrap().contains(value))
                    .then(|| format!("is none of {wanted}")),
                "minimum" => value
                    .as_f64()
                    .is_some_and(|it| it < wanted.as_f64().unwrap())
                    .then(|| format!("is below {wanted}")),
                "maxLength" => value
                    .as_str()
                    .is_some_and(|it| it.chars().count() as u64 > wanted.as_u64().unwrap())
                    .then(|| format!("is longer than {wanted}")),
                "pattern" => value
                    .as_str()
                    .is_some_and(|it| !matches(wanted.as_str().unwrap(), it))
                    .then(|| format!("does not match {wanted}")),
                "required" => missing(wanted, value),
                "properties" => {
                    self.check_fields(schema, value, at, errors);
                    None
                }
                "additionalProperties" => {
                    for (name, field) in value.as_object().into_iter().flatten() {
                        self.check(wanted, field, &format!("{at}/{name}"), errors);
                    }
                    None
                }
                "items" => {
                    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, item, &format!("{at}/{place}"), errors);
                    }
                    None
                }
                other => panic!("the keyword `{other}` is checked by nobody"),
            };
            errors.extend(problem.map(|it| format!("{at}: {value} {it}")));
        }
    }

    fn check_fields(
        &self,
        schema: &serde_json::Map<String, Value>,
        value: &Value,
        at: &str,
        errors: &mut Vec<String>,
    ) {
        let known = schema["properties"].as_object().unwrap();
        for (name, field) in value.as_object().into_iter().flatten() {
            match known.get(name) {
                Some(schema) => self.check(schema, field, &format!("{at}/{name}"), errors),
                None => errors.push(format!("{at}: nobody described the field `{name}`")),
            }
        }
    }

    fn none_of(&self, choices: &Value, value: &Value, at: &str) -> Option<String> {
        let mut all = Vec::new();
        for choice in choices.as_array().unwrap() {
            let mut errors = Vec::new();
            self.check(choice, value, at, &mut errors);
            if errors.is_empty() {
                return None;
            }
            all.extend(errors);
        }
        Some(format!("is none of the choices: {}", all.join("; ")))
    }
}

fn missing(wanted: &Value, value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    let names = wanted.as_array().unwrap().iter();
    let absent: Vec<&str> = names
        .map(|it| it.as_str().unwrap())
        .filter(|it| !fields.contains_key(*it))
        .collect();
    (!absent.is_empty()).then(|| format!("has no {}", absent.join(", ")))
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    if let Some(several) = wanted.as_array() {
        return several.iter().any(|it| is_of_type(it, value));
    }
    match wanted.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: `{other}`"),
    }
}

/// Whether a text matches one of the patterns that our schemas use.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^sha256:[0-9a-f]{64}$" => text.strip_prefix("sha256:").is_some_and(|it| {
            it.len() == 64 && it.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        }),
        "^[a-z0-9](-?[a-z0-9])*$" | "^[a-z0-9]+(-[a-z0-9]+)*$" => text.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'z'))
        }),
        "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$" => {
            let is_plain = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'z');
            let ends = [text.bytes().next(), text.bytes().last()];
            ends.into_iter().all(|it| it.is_some_and(is_plain))
                && text
                    .bytes()
                    .all(|it| is_plain(it) || matches!(it, b'.' | b'-'))
        }
        "^[0-9]+\\.[0-9]+\\.[0-9]+" => text.parse::<semver::Version>().is_ok(),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z$" => text.parse::<jiff::Timestamp>().is_ok(),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => text.parse::<jiff::civil::Date>().is_ok(),
        other => panic!("the pattern `{other}` is checked by nobody"),
    }
}
