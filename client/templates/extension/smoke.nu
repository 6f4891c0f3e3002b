# Calls the script as the core does, and looks at the answer.
const SCRIPT = path self ../@TYPE@.nu

let context = {
    api: "1.0.0"
    core: "3.0.0"
    workspace: "smoke"
    server: { name: "smoke-1", infra: "default", provider: "local", plan: "small", cpus: 1, memory_gib: 1, disk_gib: 10, address: "10.0.0.1" }
    servers: ["smoke-1"]
    config: {}
}
let plan = $context | to json | ^$nu.current-exe --no-config-file --stdin $SCRIPT plan | from json
if ($plan.@ANSWER@ | is-empty) { error make --unspanned { msg: "the plan has no @ANSWER@" } }
print "@NAME@: ok"
