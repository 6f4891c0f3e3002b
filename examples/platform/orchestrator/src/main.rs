//! `provisioning-orchestrator`

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioning_orchestrator::run(platform_version::VERSION)
}
