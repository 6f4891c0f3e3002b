//! The MCP server as a process on pipes. The core's command is `echo` here; the real core is called in the
//! distribution's integration tests.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

#[test]
fn an_assistant_can_greet_list_the_tools_and_call_one() {
    let messages = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18", "capabilities": {}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "server_list", "arguments": {"workspace": "/w"}}}),
    ];
    let answers = converse(&messages);
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "provisioning-mcp-server");
    assert_eq!(answers[1]["result"]["tools"][0]["name"], "server_list");
    assert_eq!(answers[2]["result"]["content"][0]["text"], "server list --json --workspace /w\n");
    assert_eq!(answers[2]["result"]["isError"], false);
}

fn converse(messages: &[Value]) -> Vec<Value> {
    let mut server = Command::new(env!("CARGO_BIN_EXE_provisioning-mcp-server"))
        .args(["--cli", "echo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = server.stdin.take().unwrap();
    for message in messages {
        writeln!(input, "{message}").unwrap();
    }
    drop(input);
    let output = server.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
