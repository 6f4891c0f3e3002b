#!/usr/bin/env nu
# The cluster @NAME@. Answers which servers it consists of; the core creates them.

# The servers of the cluster for the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    let config = { servers: 2, plan: "small" } | merge ($context.config? | default {})
    {
        servers: (1..$config.servers | each {|number| { name: $"@NAME@-($number)", plan: $config.plan, taskservs: [] } })
    } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin cluster.nu plan < context.json"; exit 2 }
