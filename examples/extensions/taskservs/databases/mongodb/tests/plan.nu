use std/assert

const SCRIPT = path self ../taskserv.nu

def plan [memory: int, config: record]: nothing -> record {
    { server: { name: "db-1", address: "10.20.0.10", memory_gib: $memory }, config: $config }
    | to json | ^$nu.current-exe --no-config-file --stdin $SCRIPT plan | from json
}

def "test the cache is half of what memory is left" [] {
    assert equal (plan 9 {} | get files.0.values.cache_gib) 4.0
}

def "test a small server gets the least cache that mongod takes" [] {
    assert equal (plan 1 {} | get files.0.values.cache_gib) 0.25
}

def "test settings of the workspace win over the defaults" [] {
    let plan = plan 4 { port: 27100, replica_set: "main" }
    assert equal ($plan.files.0.values | select port replica_set) { port: 27100, replica_set: "main" }
    assert ("mongosh --port 27100 initiate.js" in $plan.commands)
}
