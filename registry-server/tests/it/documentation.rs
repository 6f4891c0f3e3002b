//! The documentation names what exists.

use std::collections::BTreeSet;

use provisioning_registry_server::{Code, table};
use serde_json::Value;

use crate::registry::{Registry, json};

const DOCUMENTATION: &str = include_str!("../../../docs/http-api.md");

#[test]
fn every_code_is_explained_in_the_documentation() {
    for code in Code::ALL {
        let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
        assert!(DOCUMENTATION.contains(&row), "missing: {row}");
    }
}

#[test]
fn every_route_is_listed_in_the_documentation() {
    for route in table() {
        let path = route.path.replace("{*path}", "{path}");
        let row = format!("| `{} {path}` |", route.method);
        assert!(DOCUMENTATION.contains(&row), "missing: {row}");
    }
}

#[tokio::test]
async fn the_served_description_lists_every_route_of_the_table_and_no_other() {
    let registry = Registry::start();
    let response = registry.get("api/v1/openapi.json").await;
    assert_eq!(response.status(), 200);
    let document: Value = json(response).await;
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routes: BTreeSet<(String, String)> = table()
        .into_iter()
        .map(|it| (it.method.to_string(), it.path.replace("{*", "{")))
        .collect();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn every_reference_of_the_served_description_leads_somewhere() {
    let registry = Registry::start();
    let document: Value = json(registry.get("api/v1/openapi.json").await).await;
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 20, "{}", references.len());
    for reference in references {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(reference) if name == "$ref" => found.push(reference.to_owned()),
                    _ => collect_references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|it| collect_references(it, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
