# Clusters: several servers and their task services, made together from an installed extension.

use ../lib_provisioning *
use ../servers [create-server list-servers]
use ../taskservs apply-taskserv

# Every installed cluster template.
export def list-clusters []: nothing -> list<record> {
    installed-extensions cluster
}

# The servers that a cluster consists of, with their task services. Writes nothing.
export def plan-cluster [workspace: record, name: string]: nothing -> list<record> {
    let cluster = find-extension cluster $name
    let config = $workspace.settings | get --optional $name | default {}
    ask $cluster { workspace: $workspace.name, config: $config } | get servers
}

# Make what of a cluster is missing; running it again completes it.
export def create-cluster [workspace: record, name: string, infra?: string]: nothing -> list<record> {
    let plan = plan-cluster $workspace $name
    # All needed task services are looked up before the first server is made.
    for taskserv in ($plan | get taskservs | flatten | uniq) { find-extension taskserv $taskserv | ignore }
    let existing = list-servers $workspace | get name
    for wanted in $plan {
        if $wanted.name not-in $existing {
            create-server $workspace $wanted.name { plan: $wanted.plan?, infra: $infra } | ignore
        }
        for taskserv in $wanted.taskservs { apply-taskserv $workspace $taskserv $wanted.name | ignore }
    }
    let names = $plan | get name
    list-servers $workspace | where name in $names
}
