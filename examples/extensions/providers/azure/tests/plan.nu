use std/assert

const SCRIPT = path self ../provider.nu

def ask [cpus: int, memory: int, config: record]: nothing -> record {
    let server = { name: "web-1", address: "10.20.0.10", cpus: $cpus, memory_gib: $memory, disk_gib: 40 }
    { workspace: "shop", server: $server, config: $config }
    | to json | ^$nu.current-exe --no-config-file --stdin $SCRIPT plan | complete
}

def "test the smallest size that fits is chosen" [] {
    assert equal (ask 2 4 {} | get stdout | from json | get files.0.values.size) "Standard_B2s"
    assert equal (ask 2 5 {} | get stdout | from json | get files.0.values.size) "Standard_D4s_v5"
}

def "test the resource group is the workspace unless it is set" [] {
    assert str contains (ask 1 1 {} | get stdout) "--resource-group shop "
    assert str contains (ask 1 1 { resource_group: "rg" } | get stdout) "--resource-group rg "
}

def "test a server that no size fits is refused" [] {
    let answer = ask 64 4 {}
    assert not equal $answer.exit_code 0
    assert str contains $answer.stderr "no size has 64 cpus"
}
