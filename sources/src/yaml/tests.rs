use std::fmt::Write as _;

use super::*;

fn root(text: &str) -> Value {
    read(text).unwrap().root.value
}

fn table(text: &str) -> Vec<(String, Value)> {
    let Value::Table(entries) = root(text) else {
        panic!("no table: {text}");
    };
    let pair = |it: Entry| (it.key, it.node.value);
    entries.into_iter().map(pair).collect()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn plain_words_mean_what_yaml_1_1_says() {
    let cases = [
        ("yes", Value::Bool(true)),
        ("Off", Value::Bool(false)),
        ("y", text("y")),
        ("~", Value::Null),
        ("12", Value::Integer(12)),
        ("-1_000", Value::Integer(-1000)),
        ("0755", Value::Integer(493)),
        ("0x1f", Value::Integer(31)),
        ("0b101", Value::Integer(5)),
        ("1:30", Value::Integer(90)),
        ("089", text("089")),
        ("1.5", Value::Float(1.5)),
        ("-.5", text("-.5")),
        (".5", Value::Float(0.5)),
        ("1e3", text("1e3")),
        ("1.0e+3", Value::Float(1000.0)),
        ("1.2.3", text("1.2.3")),
        ("2026-01-31", Value::Time("2026-01-31".to_owned())),
        ("2026-01-31x", text("2026-01-31x")),
        ("'yes'", text("yes")),
        ("!!str 12", text("12")),
        ("!!int '12'", Value::Integer(12)),
        ("! 12", text("12")),
    ];
    for (written, value) in cases {
        assert_eq!(root(written), value, "{written}");
    }
}

#[test]
fn several_merge_keys_in_one_table_all_count_and_its_own_keys_win() {
    let merged = table(
        "{a: &a {x: 1, y: 1, z: 1}, b: &b {y: 2, z: 2}}\n"
            .replace('{', "{ ")
            .as_str(),
    );
    assert_eq!(merged.len(), 2);
    let found = table(
        "_:\n  - &a {x: 1, y: 1, z: 1}\n  - &b {y: 2, z: 2}\n  - &c\n    <<: *a\n    z: 3\n    <<: *b\nall: *c\n",
    );
    let Value::Table(entries) = &found[1].1 else {
        panic!("no table");
    };
    let values: Vec<_> = entries
        .iter()
        .map(|it| (it.key.as_str(), it.node.value.clone()))
        .collect();
    let number = Value::Integer;
    assert_eq!(
        values,
        [("x", number(1)), ("y", number(2)), ("z", number(3))]
    );
}

#[test]
fn in_a_list_after_one_merge_key_the_earlier_table_wins() {
    let found = table("_: [&a {x: 1}, &b {x: 2, y: 2}]\nall:\n  <<: [*a, *b]\n");
    let Value::Table(entries) = &found[1].1 else {
        panic!("no table");
    };
    let x = entries.iter().find(|it| it.key == "x").unwrap();
    assert_eq!(x.node.value, Value::Integer(1));
}

#[test]
fn a_repeated_key_counts_last_and_is_reported_with_its_place() {
    let document = read("a: 1\nb: 2\na: 3\n").unwrap();
    let at = Place { line: 3, column: 1 };
    assert_eq!(document.repeated, [("a".to_owned(), at)]);
    assert_eq!(table("a: 1\na: 3\n"), [("a".to_owned(), Value::Integer(3))]);
}

#[test]
fn places_count_lines_and_characters_from_one() {
    let Value::Table(entries) = root("a: 1\nä: [x,\n   y]\n") else {
        panic!("no table");
    };
    assert_eq!(entries[1].at, Place { line: 2, column: 1 });
    let Value::List(items) = &entries[1].node.value else {
        panic!("no list");
    };
    assert_eq!(items[0].at, Place { line: 2, column: 5 });
    assert_eq!(items[1].at, Place { line: 3, column: 4 });
}

#[test]
fn an_unquoted_exclamation_mark_is_kept_as_a_tag() {
    let value = root("[!docs/old, docs]");
    let Value::List(items) = value else {
        panic!("no list");
    };
    assert_eq!(items[0].value, Value::Tag("!docs/old".to_owned()));
}

#[test]
fn hostile_documents_are_refused_with_a_place() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        let list = [before.as_str(); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{list}]").unwrap();
    }
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (document, words) in [
        (bomb.as_str(), "aliases included"),
        (deep.as_str(), "nested deeper"),
        ("a: &a [*a]\n", "an alias inside of what it means"),
        ("a: 1\n---\nb: 2\n", "a second document begins"),
        ("a: !lua x\n", "the tag `!lua` has no meaning here"),
        ("[a]: 1\n", "a list cannot be a key"),
        ("<<: 3\n", "`<<` merges a table"),
        ("a: 'b\n", ""),
        ("a: *b\n", ""),
    ] {
        let problem = read(document).unwrap_err();
        assert!(problem.message.contains(words), "{problem}");
    }
    assert!(read(&" ".repeat(YAML_BYTES_MAX + 1)).is_err());
}

#[test]
fn an_empty_document_is_nothing() {
    assert_eq!(root(""), Value::Null);
    assert_eq!(root("# only a comment\n"), Value::Null);
}
