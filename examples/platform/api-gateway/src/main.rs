//! `provisioning-api-gateway`

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioning_api_gateway::run(platform_version::VERSION)
}
