//! Canonical JSON: one spelling for a value, and the value back.

use proptest::prelude::*;
use provisioning_trust::canonical_json;
use serde_json::{Value, json};

/// JSON values without fractions, which is what TUF metadata is made of. Strings hold no
/// control characters: canonical JSON writes those raw, so that it is not always JSON.
fn values() -> impl Strategy<Value = Value> {
    let text = "[^\\p{Cc}]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(text, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Puts members in the opposite order, which must make no difference.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members = map.iter().rev().map(|(key, value)| {
                format!(" {} :\n{}", Value::from(key.as_str()), reversed(value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(reversed).collect();
            format!("[ {} ]", items.join(" , "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

proptest! {
    #[test]
    fn canonical_bytes_read_back_as_the_same_value(value in values()) {
        let bytes = canonical_json(&value).unwrap();
        let back: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(back, value);
    }

    #[test]
    fn order_and_blanks_make_no_difference(value in values()) {
        let shuffled: Value = serde_json::from_str(&reversed(&value)).unwrap();
        prop_assert_eq!(canonical_json(&shuffled).unwrap(), canonical_json(&value).unwrap());
    }
}

#[test]
fn fractions_have_no_canonical_form() {
    assert!(canonical_json(&json!({"x": 1.5})).is_err());
}
