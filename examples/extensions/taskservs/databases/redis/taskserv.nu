#!/usr/bin/env nu
# Redis on one server. Answers what would be written and run; the core does it.

# The plan for the server in the context on stdin.
def "main plan" []: string -> string {
    let context = $in | from json
    let server = $context.server
    let config = { port: 6379, persistent: true } | merge ($context.config | default {})
    let values = {
        address: $server.address
        port: $config.port
        max_memory_mib: ($server.memory_gib * 1024 * 3 // 4)
        # A cache may forget; a database may not.
        policy: (if $config.persistent { "noeviction" } else { "allkeys-lru" })
        append_only: (if $config.persistent { "yes" } else { "no" })
    }
    {
        files: [{ path: "redis.conf", template: "redis.conf", values: $values }]
        commands: ["install -o redis -m 0640 redis.conf /etc/redis/redis.conf" "systemctl enable --now redis-server"]
    } | to json --raw
}

def main [] { print --stderr "usage: nu --stdin taskserv.nu plan < context.json"; exit 2 }
