#!/usr/bin/env nu
# Runs the integration tests against an installed core and platform.

use installed.nu product
use checks.nu *

def main [
    --prefix: path          # what to test; $PROVISIONING_PREFIX or ~/.provisioning where absent
    --core: string          # the version that the core must tell
    --platform: string      # the version that the orchestrator must tell
] {
    let prefix = $prefix | default ($env.PROVISIONING_PREFIX? | default "~/.provisioning") | path expand
    if $core != null { expect "core" $core (product $prefix core -- --version | get stdout) }
    if $platform != null { expect "platform" $platform (^($prefix | path join bin provisioning-orchestrator) --version) }
    let checks = {
        "a server is created by the installed core": {|p| check a server is created by the installed core $p }
        "a workflow goes from the core through every service": {|p| check a workflow goes from the core through every service $p }
        "a workflow in the queue folder is run": {|p| check a workflow in the queue folder is run $p }
        "the mcp server answers with the servers of the core": {|p| check the mcp server answers with the servers of the core $p }
    }
    mut failed = 0
    for it in ($checks | transpose name run) {
        let problem = try { do $it.run $prefix; null } catch {|err| $err.rendered? | default $err.msg }
        if $problem == null { print $"ok      ($it.name)" } else {
            $failed += 1
            print $"FAILED  ($it.name)" $problem
        }
    }
    print $"(($checks | columns | length) - $failed) passed, ($failed) failed"
    if $failed > 0 { exit 1 }
}

def expect [what: string, version: string, told: string] {
    if $version not-in ($told | split row --regex '\s+') {
        error make --unspanned { msg: $"the installed ($what) tells `($told | str trim)`, not ($version)" }
    }
}
