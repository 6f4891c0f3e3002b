use std/assert

const SCRIPT = path self ../taskserv.nu

def values [config: record]: nothing -> record {
    { server: { name: "cache-1", address: "10.20.0.10", memory_gib: 4 }, config: $config }
    | to json | ^$nu.current-exe --no-config-file --stdin $SCRIPT plan | from json | get files.0.values
}

def "test redis gets three quarters of the memory" [] {
    assert equal (values {} | get max_memory_mib) 3072
}

def "test a persistent redis never evicts" [] {
    assert equal (values {} | select policy append_only) { policy: "noeviction", append_only: "yes" }
}

def "test a cache evicts and keeps no log" [] {
    assert equal (values { persistent: false } | select policy append_only) { policy: "allkeys-lru", append_only: "no" }
}
