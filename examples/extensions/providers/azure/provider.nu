#!/usr/bin/env nu
# Azure virtual machines. Renders an ARM template for a server; `az` deploys it.

# Sizes by what a server needs, smallest first.
const SIZES = [
    [size cpus memory_gib];
    ["Standard_B1ms" 1 2]
    ["Standard_B2s" 2 4]
    ["Standard_D4s_v5" 4 16]
    ["Standard_D8s_v5" 8 32]
]

# The plan for the server in the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    let server = $context.server
    let config = { location: "westeurope", resource_group: $context.workspace } | merge ($context.config | default {})
    let fits = $SIZES | where cpus >= $server.cpus and memory_gib >= $server.memory_gib
    if ($fits | is-empty) { error make --unspanned { msg: $"no size has ($server.cpus) cpus and ($server.memory_gib) GiB" } }
    {
        files: [{
            path: "template.json"
            template: "virtual-machine.json"
            values: {
                name: $server.name
                location: $config.location
                size: ($fits | first | get size)
                disk_gib: $server.disk_gib
                address: $server.address
            }
        }]
        commands: [$"az deployment group create --resource-group ($config.resource_group) --template-file template.json"]
    } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin provider.nu plan < context.json"; exit 2 }
