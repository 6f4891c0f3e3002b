#!/usr/bin/env nu
# Some web servers and one Redis for their sessions.

# The servers of the cluster for the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    let config = { servers: 2, plan: "small", name: "web" } | merge ($context.config | default {})
    if $config.servers < 1 or $config.servers > 50 { error make --unspanned { msg: $"($config.servers) servers: use 1 to 50" } }
    let web = 1..$config.servers | each {|number| { name: $"($config.name)-($number)", plan: $config.plan, taskservs: [] } }
    { servers: ($web | append { name: $"($config.name)-sessions", plan: "medium", taskservs: ["redis"] }) } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin cluster.nu plan < context.json"; exit 2 }
