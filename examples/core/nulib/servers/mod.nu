# Servers: one file for each under the workspace's `state/servers`, and what their provider plans for them.

use ../lib_provisioning *

# Every server of a workspace, sorted by name.
export def list-servers [workspace: record]: nothing -> list<record> {
    let folder = state-folder $workspace
    if not ($folder | path exists) { return [] }
    ls $folder | get name | where {|file| ($file | str ends-with ".toml") } | sort | each {|file| open $file }
}

# One server by name.
export def find-server [workspace: record, name: string]: nothing -> record {
    let file = state-file $workspace $name
    if not ($file | path exists) {
        fail $"no server `($name)` in workspace `($workspace.name)`" --hint "provisioning server list"
    }
    open $file
}

# Record a server and render what its provider needs. `wanted`: infra, plan, provider, each null for the default.
export def create-server [workspace: record, name: string, wanted: record]: nothing -> record {
    check-name server $name
    with-lock $workspace {
        if (state-file $workspace $name | path exists) {
            fail $"server `($name)` exists already" --hint $"provisioning server delete ($name)"
        }
        let server = decide $workspace $name $wanted
        provider-files $workspace $server | write-files
        save-server $workspace $server
        $server
    }
}

# Forget a server and remove what was rendered for it.
export def delete-server [workspace: record, name: string]: nothing -> record {
    with-lock $workspace {
        let server = find-server $workspace $name
        rm (state-file $workspace $name)
        rm --recursive --force (rendered-folder $workspace $name)
        $server
    }
}

# Write a server's record. The caller holds the workspace's lock.
export def save-server [workspace: record, server: record]: nothing -> nothing {
    $server | to toml | save-whole (state-file $workspace $server.name)
}

# Where everything that is rendered for a server goes.
export def rendered-folder [workspace: record, name: string]: nothing -> path {
    $workspace.path | path join rendered $name
}

# The provider that comes with the core and those that extensions bring.
export def providers []: nothing -> list<record> {
    let local = { name: local, version: (core-version), description: "Machines that exist already: renders their cloud-init" }
    installed-extensions provider | select name version description | prepend $local
}

def decide [workspace: record, name: string, wanted: record]: nothing -> record {
    let settings = load-settings $workspace
    let infra_name = $wanted.infra? | default $settings.servers.default-infra
    let infra = infra $workspace $infra_name
    let plan_name = $wanted.plan? | default ($infra.plan? | default $settings.servers.default-plan)
    let plans = $settings.servers.plans
    if $plan_name not-in ($plans | columns) {
        fail $"no plan `($plan_name)`; there are ($plans | columns | quoted)" --hint $"provisioning server create ($name) --plan ($settings.servers.default-plan)"
    }
    let plan = $plans | get $plan_name
    {
        name: $name
        infra: $infra_name
        provider: ($wanted.provider? | default ($infra.provider? | default $settings.servers.default-provider))
        plan: $plan_name
        cpus: $plan.cpus
        memory_gib: $plan.memory-gib
        disk_gib: $plan.disk-gib
        address: (free-address $workspace ($infra.pool? | default $settings.network.pool))
        created_at: (date now | date to-timezone UTC | format date "%Y-%m-%dT%H:%M:%SZ")
        taskservs: []
    }
}

# A workspace that declares infrastructures in `infra/*.toml` has these and no others.
def infra [workspace: record, name: string]: nothing -> record {
    check-name infra $name
    let declared = glob ($workspace.path | path join infra *.toml) | each {|file| $file | path parse | get stem } | sort
    if ($declared | is-empty) { return {} }
    if $name not-in $declared {
        fail $"workspace `($workspace.name)` has no infra `($name)`; it has ($declared | quoted)" --hint $"provisioning server create NAME --infra ($declared | first)"
    }
    open ($workspace.path | path join infra $"($name).toml")
}

def free-address [workspace: record, pool: string]: nothing -> string {
    let taken = list-servers $workspace | get --optional address | compact
    let free = 10..254 | each {|host| $"($pool).($host)" } | where {|address| $address not-in $taken }
    if ($free | is-empty) { fail $"no free address in ($pool).10 to .254" --hint "set another `pool` in [network] of provisioning.toml" }
    $free | first
}

def provider-files [workspace: record, server: record]: nothing -> list<record> {
    let folder = rendered-folder $workspace $server.name
    if $server.provider == "local" {
        let template = core-root | path join templates cloud-init.yaml
        return [{ path: ($folder | path join cloud-init.yaml), text: (open --raw $template | fill $server) }]
    }
    let provider = find-extension provider $server.provider
    let plan = ask $provider { workspace: $workspace.name, server: $server, config: ($workspace.settings | get --optional $provider.name | default {}) }
    planned-files $provider $plan ($folder | path join $provider.name)
}

def state-folder [workspace: record]: nothing -> path {
    $workspace.path | path join state servers
}

def state-file [workspace: record, name: string]: nothing -> path {
    check-name server $name
    state-folder $workspace | path join $"($name).toml"
}
