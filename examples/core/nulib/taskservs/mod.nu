# Task services: what installed extensions put on a server.

use ../lib_provisioning *
use ../servers [rendered-folder save-server find-server]

# Every installed task service.
export def list-taskservs []: nothing -> list<record> {
    installed-extensions taskserv
}

# What a task service would write for a server and the commands to run there. Writes nothing.
export def plan-taskserv [workspace: record, name: string, on: string]: nothing -> record {
    let taskserv = find-extension taskserv $name
    let server = find-server $workspace $on
    let plan = ask $taskserv { workspace: $workspace.name, server: $server, config: ($workspace.settings | get --optional $name | default {}) }
    {
        taskserv: $"($taskserv.name)@($taskserv.version)"
        server: $on
        files: (planned-files $taskserv $plan (rendered-folder $workspace $on | path join $name))
        commands: ($plan.commands? | default [])
    }
}

# Write a task service's files for a server and record that the server has it.
export def apply-taskserv [workspace: record, name: string, on: string]: nothing -> record {
    with-lock $workspace {
        let plan = plan-taskserv $workspace $name $on
        $plan.files | write-files
        let server = find-server $workspace $on
        let others = $server.taskservs | where {|entry| ($entry | split row "@" | first) != $name }
        save-server $workspace ($server | update taskservs ($others | append $plan.taskserv | sort))
        $plan
    }
}
