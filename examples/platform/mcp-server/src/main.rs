//! `provisioning-mcp-server`

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioning_mcp_server::run(platform_version::VERSION)
}
