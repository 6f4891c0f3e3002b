//! `provisioning-control-center`

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioning_control_center::run(platform_version::VERSION)
}
