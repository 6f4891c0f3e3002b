//! Runs workflows: lists of calls of the core's command, one workflow after the other.
//!
//! They arrive by REST (`routes`) and as files in a queue folder (`queue`); the `engine` keeps and runs them; `store`
//! keeps them on disk, `runner` calls the core. Nothing here links to the core: its command is the only way in.

pub mod engine;
pub mod queue;
pub mod routes;
pub mod runner;
pub mod settings;
pub mod store;

use std::process::ExitCode;
use std::sync::Arc;

use platform_service::{Arguments, Outcome, block_on, listen};

use crate::engine::Engine;
use crate::settings::{FLAGS, Settings};
use crate::store::Store;

/// The whole program; `version` is what it calls itself.
pub fn run(version: &'static str) -> ExitCode {
    let about = "Runs provisioning workflows from REST and from a queue folder.";
    let words = std::env::args().skip(1);
    let arguments = match Arguments::read("provisioning-orchestrator", about, version, FLAGS, words) {
        Outcome::Run(arguments) => arguments,
        Outcome::Print(text) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Outcome::Usage(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    match serve(&arguments, version) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("error: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments, version: &'static str) -> Result<(), String> {
    let settings = Settings::read(arguments, |name| std::env::var(name).ok())?;
    let store = Store::open(&settings.state).map_err(|error| error.to_string())?;
    let outcome = block_on(async {
        let engine = Arc::new(Engine::start(store, settings.runner.clone()));
        if let Some(folder) = settings.queue {
            tokio::spawn(queue::watch(folder, settings.queue_poll, Arc::clone(&engine)));
        }
        listen(&settings.listen, routes::router(engine, version)).await
    });
    outcome.and_then(|served| served).map_err(|error| error.to_string())
}
