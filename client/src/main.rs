//! The `provisioning` command: hands the process to the library and its answer to the shell.

use std::process::ExitCode;

use provisioning_client::{Env, run};

fn main() -> ExitCode {
    ExitCode::from(run(&Env::of_process()))
}
