use std/assert

const SCRIPT = path self ../cluster.nu

def servers [config: record]: nothing -> table {
    { workspace: "shop", config: $config } | to json | ^$nu.current-exe --no-config-file --stdin $SCRIPT plan | from json | get servers
}

def "test redis runs on a server of its own" [] {
    assert equal (servers {} | where taskservs == ["redis"] | get name) ["web-sessions"]
}

def "test the workspace says how many web servers there are" [] {
    assert equal (servers { servers: 3, name: "shop" } | get name) ["shop-1" "shop-2" "shop-3" "shop-sessions"]
}
