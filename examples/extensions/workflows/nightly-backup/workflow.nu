#!/usr/bin/env nu
# Looks at every server before a backup: one that is gone fails the workflow before anything is copied.

# The workflow for the servers in the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    let skipped = $context.config.skip? | default []
    let servers = $context.servers | where {|name| $name not-in $skipped }
    if ($servers | is-empty) { error make --unspanned { msg: "no server to back up" } }
    {
        name: "nightly-backup"
        steps: ($servers | each {|name| { name: $"check ($name)", run: ["server" "show" $name] } })
    } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin workflow.nu plan < context.json"; exit 2 }
