#!/usr/bin/env nu
# The workflow @NAME@. Answers its steps; the core runs them.

# The workflow for the servers in the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    {
        name: "@NAME@"
        steps: ($context.servers | each {|name| { name: $"look at ($name)", run: ["server" "show" $name] } })
    } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin workflow.nu plan < context.json"; exit 2 }
