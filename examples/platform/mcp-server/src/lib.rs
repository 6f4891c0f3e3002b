//! Gives the core's commands to assistants over the Model Context Protocol: JSON-RPC 2.0, a message a line, on stdio.
//!
//! `protocol` answers messages, `tools` knows which commands there are. The commands run as a subprocess, without a
//! shell; nothing that changes what is installed is offered.

pub mod protocol;
pub mod tools;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use crate::protocol::Session;

const HELP: &str = "Gives the core's commands to assistants over the Model Context Protocol (stdio).

Usage: provisioning-mcp-server [OPTIONS]

Options:
  --cli COMMAND            the core's command (provisioning)
  --version                print the version
  --help                   print this";

/// The whole program; `version` is what it calls itself.
pub fn run(version: &str) -> ExitCode {
    let mut command = String::from("provisioning");
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), word.strip_prefix("--cli=")) {
            ("-h" | "--help", _) => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            ("-V" | "--version", _) => {
                println!("provisioning-mcp-server {version}");
                return ExitCode::SUCCESS;
            }
            (_, Some(value)) => value.clone_into(&mut command),
            ("--cli", _) => {
                let Some(value) = words.next() else { return usage("`--cli` needs COMMAND") };
                command = value;
            }
            _ => return usage(&format!("unknown argument `{word}`")),
        }
    }
    match converse(&Session::new(&command, version), io::stdin().lock(), io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers every message until the input ends.
pub fn converse(session: &Session, input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    for line in input.lines() {
        if let Some(answer) = session.answer(&line?) {
            writeln!(output, "{answer}")?;
            output.flush()?;
        }
    }
    Ok(())
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("error: {problem}\nhint: provisioning-mcp-server --help");
    ExitCode::from(2)
}
