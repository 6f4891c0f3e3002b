#!/usr/bin/env nu
# @NAME@ as a place to create servers in. Answers what would be written and run; the core does it.

# The plan for the server in the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    let server = $context.server
    let config = { enabled: true } | merge ($context.config? | default {})
    {
        files: [{
            path: "@NAME@.conf"
            template: "@NAME@.conf"
            values: { server: $server.name, address: $server.address, enabled: $config.enabled }
        }]
        commands: [$"echo \"@NAME@ is ready on ($server.name)\""]
    } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin provider.nu plan < context.json"; exit 2 }
