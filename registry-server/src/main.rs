//! `provisioning-registry`: parses the command line and hands over.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod env;
mod observe;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let environment = env::read();
    // Before the runtime: what sends traces blocks on a thread of its own.
    let _observing = match observe::begin(&cli.observe(), &environment.log) {
        Ok(observing) => observing,
        Err(error) => return failed(&error),
    };
    provisioning_registry_server::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(cli.run(environment)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // Nobody is left to tell where stderr is closed.
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::FAILURE
}
