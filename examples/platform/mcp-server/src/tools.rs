//! The tools: which of the core's commands an assistant may call, and with what.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// One tool: a command of the core and the arguments that it takes, all text.
struct Tool {
    name: &'static str,
    description: &'static str,
    words: &'static [&'static str],
    arguments: &'static [Argument],
}

struct Argument {
    name: &'static str,
    description: &'static str,
    /// Given as `--name VALUE`; a bare word and required where false.
    is_flag: bool,
}

const WORKSPACE: Argument = Argument {
    name: "workspace",
    description: "the folder of the workspace; the core's choice where absent",
    is_flag: true,
};
const NAME: Argument = Argument { name: "name", description: "the server's name", is_flag: false };
const PLAN: Argument = Argument { name: "plan", description: "its size: small, medium, large", is_flag: true };

const TOOLS: &[Tool] = &[
    Tool {
        name: "server_list",
        description: "List the workspace's servers",
        words: &["server", "list", "--json"],
        arguments: &[WORKSPACE],
    },
    Tool {
        name: "server_create",
        description: "Create a server in the workspace",
        words: &["server", "create", "--json"],
        arguments: &[NAME, PLAN, WORKSPACE],
    },
    Tool {
        name: "taskserv_list",
        description: "List the installed task services",
        words: &["taskserv", "list", "--json"],
        arguments: &[],
    },
];

/// Every tool as `tools/list` describes it.
pub fn described() -> Vec<Value> {
    let describe = |tool: &Tool| {
        let properties: serde_json::Map<_, _> = tool
            .arguments
            .iter()
            .map(|it| (it.name.to_owned(), json!({ "type": "string", "description": it.description })))
            .collect();
        let required: Vec<_> = tool.arguments.iter().filter(|it| !it.is_flag).map(|it| it.name).collect();
        json!({
            "name": tool.name,
            "description": tool.description,
            "inputSchema": { "type": "object", "properties": properties, "required": required },
        })
    };
    TOOLS.iter().map(describe).collect()
}

/// The words to call for a tool, or what is wrong with the arguments.
pub fn words(name: &str, given: &Value) -> Result<Vec<String>, String> {
    let tool = TOOLS.iter().find(|tool| tool.name == name).ok_or_else(|| format!("no tool `{name}`"))?;
    let mut words: Vec<String> = tool.words.iter().map(|&word| word.to_owned()).collect();
    for argument in tool.arguments {
        match &given[argument.name] {
            Value::Null if argument.is_flag => {}
            Value::Null => return Err(format!("`{}` is missing", argument.name)),
            // A value that looks like a flag would be read as one.
            Value::String(value) if !value.is_empty() && !value.starts_with('-') => {
                if argument.is_flag {
                    words.push(format!("--{}", argument.name));
                }
                words.push(value.clone());
            }
            _ => return Err(format!("`{}` is not right", argument.name)),
        }
    }
    Ok(words)
}

/// Runs the core's command; a failure is a result that says so, as the protocol wants it.
pub fn call(command: &str, words: &[String]) -> Value {
    let output = Command::new(command).args(words).stdin(Stdio::null()).output();
    let (text, is_error) = match output {
        Ok(output) if output.status.success() => (String::from_utf8_lossy(&output.stdout).into_owned(), false),
        Ok(output) => (String::from_utf8_lossy(&output.stderr).into_owned(), true),
        Err(error) => (format!("cannot run `{command}`: {error}"), true),
    };
    json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_words_of_the_core_s_command() {
        let words = words("server_create", &json!({"name": "web-1", "plan": "small"})).unwrap();
        assert_eq!(words, ["server", "create", "--json", "web-1", "--plan", "small"]);
    }

    #[test]
    fn missing_wrong_and_flag_like_values_are_refused() {
        for given in [json!({}), json!({"name": 7}), json!({"name": "--help"}), json!({"name": ""})] {
            assert!(words("server_create", &given).is_err(), "{given}");
        }
    }

    #[test]
    fn every_tool_is_described_with_a_schema() {
        for tool in described() {
            assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        }
    }

    #[test]
    fn a_command_that_is_not_there_is_an_error_result() {
        let result = call("/nonexistent/provisioning", &[]);
        assert_eq!(result["isError"], true);
    }
}
