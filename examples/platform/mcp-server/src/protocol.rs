//! The protocol: one message in, at most one message out.

use serde_json::{Value, json};

use crate::tools;

/// The protocol versions that are spoken, newest first.
const PROTOCOL_VERSIONS: [&str; 3] = ["2025-06-18", "2025-03-26", "2024-11-05"];

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

/// One conversation.
#[derive(Debug)]
pub struct Session {
    command: String,
    version: String,
}

impl Session {
    /// A conversation that calls `command`.
    pub fn new(command: &str, version: &str) -> Self {
        Self { command: command.to_owned(), version: version.to_owned() }
    }

    /// The answer to one line, where it wants one: notifications do not.
    pub fn answer(&self, line: &str) -> Option<String> {
        if line.trim().is_empty() {
            return None;
        }
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return Some(failure(&Value::Null, PARSE_ERROR, "not JSON"));
        };
        let Some(method) = message["method"].as_str() else {
            return Some(failure(&message["id"], INVALID_REQUEST, "no `method`"));
        };
        let id = message.get("id")?;
        Some(match self.result(method, &message["params"]) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string(),
            Err((code, text)) => failure(id, code, &text),
        })
    }

    fn result(&self, method: &str, params: &Value) -> Result<Value, (i64, String)> {
        match method {
            "initialize" => Ok(self.greeting(params["protocolVersion"].as_str())),
            "ping" => Ok(json!({})),
            "tools/list" => Ok(json!({ "tools": tools::described() })),
            "tools/call" => {
                let name = params["name"].as_str().unwrap_or_default();
                let words = tools::words(name, &params["arguments"]).map_err(|text| (INVALID_PARAMS, text))?;
                Ok(tools::call(&self.command, &words))
            }
            _ => Err((METHOD_NOT_FOUND, format!("no method `{method}`"))),
        }
    }

    fn greeting(&self, asked: Option<&str>) -> Value {
        let spoken = asked.filter(|asked| PROTOCOL_VERSIONS.contains(asked)).unwrap_or(PROTOCOL_VERSIONS[0]);
        json!({
            "protocolVersion": spoken,
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "provisioning-mcp-server", "version": self.version },
        })
    }
}

fn failure(id: &Value, code: i64, message: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(message: &Value) -> Value {
        let answer = Session::new("provisioning", "1.0.0").answer(&message.to_string()).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    #[test]
    fn initialize_speaks_the_asked_version_or_the_newest() {
        for (asked, spoken) in [("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-06-18")] {
            let answer =
                ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": asked}}));
            assert_eq!(answer["result"]["protocolVersion"], spoken);
        }
    }

    #[test]
    fn notifications_are_not_answered() {
        let session = Session::new("provisioning", "1.0.0");
        assert_eq!(session.answer(r#"{"jsonrpc": "2.0", "method": "notifications/initialized"}"#), None);
    }

    #[test]
    fn what_is_not_understood_gets_the_standard_error_codes() {
        let session = Session::new("provisioning", "1.0.0");
        assert!(session.answer("{").unwrap().contains("-32700"));
        assert!(session.answer("{}").unwrap().contains("-32600"));
        assert_eq!(ask(&json!({"id": 1, "method": "nope"}))["error"]["code"], METHOD_NOT_FOUND);
        let call = json!({"id": 1, "method": "tools/call", "params": {"name": "nope"}});
        assert_eq!(ask(&call)["error"]["code"], INVALID_PARAMS);
    }
}
