# The integration tests: each takes the prefix of an installed core and platform and fails with an error.

use std/assert
use installed.nu *

# A server that the installed core creates is in the workspace.
export def "check a server is created by the installed core" [prefix: path] {
    let workspace = fresh-workspace
    let made = product $prefix server create web-1 --workspace $workspace
    assert equal $made.exit_code 0 $made.stderr
    assert equal (product-json $prefix server list --workspace $workspace | get servers.name) [web-1]
}

# The core submits, the orchestrator calls the core, the control centre and the gateway show it.
export def "check a workflow goes from the core through every service" [prefix: path] {
    let workspace = fresh-workspace
    let folder = mktemp --directory
    with-service $prefix orchestrator (orchestrator-arguments $folder) {|orchestrator|
        let workflow = { name: "two servers", steps: [{ run: [server create web-1] } { run: [server create web-2] }] }
        $workflow | to toml | save ($folder | path join workflow.toml)
        let done = with-env { PROVISIONING_ORCHESTRATOR_URL: $orchestrator } {
            product-json $prefix workflow submit ($folder | path join workflow.toml) --wait --workspace $workspace
        }
        assert equal $done.state succeeded
        with-service $prefix control-center [--orchestrator $orchestrator] {|center|
            assert str contains (http get $center) "two servers"
        }
        with-service $prefix api-gateway [--orchestrator $orchestrator] {|gateway|
            assert equal (http get $"($gateway)/api/v1/workflows/($done.id)" | get state) succeeded
        }
    }
    assert equal (product-json $prefix server list --workspace $workspace | get servers.name) [web-1 web-2]
}

# A file in the queue folder becomes a server.
export def "check a workflow in the queue folder is run" [prefix: path] {
    let workspace = fresh-workspace
    let folder = mktemp --directory
    with-service $prefix orchestrator (orchestrator-arguments $folder) {|orchestrator|
        { name: queued, workspace: $workspace, steps: [{ run: [server create queued-1] }] } | to json | save ($folder | path join new.json)
        mv ($folder | path join new.json) ($folder | path join queue new.json)
        wait-for "the queued workflow" { http get $"($orchestrator)/workflows" | get workflows | any {|it| $it.state == succeeded } }
    }
    assert equal (product-json $prefix server list --workspace $workspace | get servers.name) [queued-1]
}

# An assistant that asks the MCP server gets the core's answer.
export def "check the mcp server answers with the servers of the core" [prefix: path] {
    let workspace = fresh-workspace
    product $prefix server create web-1 --workspace $workspace | ignore
    let call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: server_list, arguments: { workspace: $workspace } } }
    let program = $prefix | path join bin provisioning-mcp-server
    let path = $env.PATH | prepend ($nu.current-exe | path dirname)
    let answer = with-env { PROVISIONING_PREFIX: $prefix, PATH: $path } {
        $call | to json --raw | ^$program --cli ($env.PROVISIONING? | default provisioning) | from json
    }
    assert equal ($answer.result.content.0.text | from json | get servers.name) [web-1]
}
