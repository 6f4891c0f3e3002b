# Workflows: lists of commands that the platform's orchestrator runs, submitted to it over HTTP.

use ../lib_provisioning *

const STEPS_MAX = 100

# Read a workflow from a file, or from an installed workflow extension of that name.
export def read-workflow [workspace: record, source: string]: nothing -> record {
    let workflow = if ($source | path exists) {
        try { open $source } catch {|err| fail $"`($source)` cannot be read: ($err.msg)" }
    } else if ($source =~ '[./]') {
        fail $"no file `($source)`"
    } else {
        let extension = find-extension workflow $source
        let config = $workspace.settings | get --optional $source | default {}
        ask $extension { workspace: $workspace.name, servers: (server-names $workspace), config: $config }
    }
    check $source $workflow
    $workflow
}

# Hand a workflow to the orchestrator; answers its id and state.
export def submit-workflow [workspace: record, workflow: record]: nothing -> record {
    request $workspace POST /workflows/submit ($workflow | upsert workspace $workspace.path)
}

# Every workflow that the orchestrator knows, newest first.
export def list-workflows [workspace: record]: nothing -> list<record> {
    request $workspace GET /workflows | get workflows
}

# One workflow with the output of its steps.
export def find-workflow [workspace: record, id: string]: nothing -> record {
    if $id !~ '^[a-z0-9-]+$' { fail $"`($id)` is no workflow id" --hint "provisioning workflow list" }
    request $workspace GET $"/workflows/($id)"
}

# Wait until a workflow has finished, at most `limit`.
export def await-workflow [workspace: record, id: string, limit: duration]: nothing -> record {
    let until = (date now) + $limit
    mut now = find-workflow $workspace $id
    while $now.state not-in [succeeded failed] {
        if (date now) > $until { fail $"workflow `($id)` is still ($now.state) after ($limit)" --hint $"provisioning workflow status ($id)" }
        sleep 200ms
        $now = find-workflow $workspace $id
    }
    $now
}

def check [source: string, workflow: any] {
    if ($workflow | describe --detailed | get type) != "record" { fail $"`($source)` is no workflow: it is no table of keys" }
    let steps = $workflow.steps? | default []
    if ($workflow.name? | default "") == "" { fail $"`($source)` is no workflow: it has no `name`" }
    if ($steps | is-empty) { fail $"`($source)` is no workflow: it has no `steps`" }
    if ($steps | length) > $STEPS_MAX { fail $"`($source)` has more than ($STEPS_MAX) steps" }
    for step in $steps {
        if ($step.run? | default [] | is-empty) { fail $"a step of `($source)` has no `run`" --hint 'run = ["server", "create", "web-1"]' }
    }
}

def server-names [workspace: record]: nothing -> list<string> {
    glob ($workspace.path | path join state servers *.toml) | each {|file| $file | path parse | get stem } | sort
}

def request [workspace: record, method: string, path: string, body?: record]: nothing -> any {
    let orchestrator = load-settings $workspace | get orchestrator
    let url = ($orchestrator.url | str trim --right --char "/") + $path
    let limit = $orchestrator.timeout-seconds * 1sec
    let answer = try {
        if $method == "POST" {
            http post --full --allow-errors --max-time $limit --content-type application/json $url $body
        } else {
            http get --full --allow-errors --max-time $limit $url
        }
    } catch {
        fail $"no orchestrator answers at ($orchestrator.url)" --hint "start it with `provisioning-orchestrator`, or set PROVISIONING_ORCHESTRATOR_URL"
    }
    if $answer.status >= 400 { fail $"the orchestrator refused: ($answer.body.error? | default $answer.status)" }
    $answer.body
}
