//! The documentation names what exists.

use provisioning_registry_server::{Code, table};

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
