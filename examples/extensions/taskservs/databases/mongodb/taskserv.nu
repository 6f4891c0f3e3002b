#!/usr/bin/env nu
# MongoDB on one server. Answers what would be written and run; the core does it.

# The plan for the server in the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    let server = $context.server
    let config = { replica_set: "rs0", port: 27017, cache_share: 0.5 } | merge ($context.config | default {})
    if ($config.port < 1 or $config.port > 65535) { error make --unspanned { msg: $"port ($config.port) is no port" } }
    # WiredTiger's own rule: a share of what is left beside 1 GiB, never under 256 MiB.
    let cache = [(($server.memory_gib - 1) * $config.cache_share) 0.25] | math max
    {
        files: [
            {
                path: "mongod.conf"
                template: "mongod.conf"
                values: { address: $server.address, port: $config.port, replica_set: $config.replica_set, cache_gib: $cache }
            }
            {
                path: "initiate.js"
                template: "initiate.js"
                values: { address: $server.address, port: $config.port, replica_set: $config.replica_set }
            }
        ]
        commands: [
            "install -m 0644 mongod.conf /etc/mongod.conf"
            "systemctl enable --now mongod"
            $"mongosh --port ($config.port) initiate.js"
        ]
    } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin taskserv.nu plan < context.json"; exit 2 }
