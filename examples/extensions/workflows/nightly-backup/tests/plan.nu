use std/assert

const SCRIPT = path self ../workflow.nu

def ask [servers: list<string>, config: record]: nothing -> record {
    { workspace: "shop", servers: $servers, config: $config } | to json | ^$nu.current-exe --no-config-file --stdin $SCRIPT plan | complete
}

def "test every server is checked but the skipped ones" [] {
    let workflow = ask [a b c] { skip: [b] } | get stdout | from json
    assert equal ($workflow.steps | get run) [[server show a] [server show c]]
}

def "test a workspace without servers has nothing to back up" [] {
    assert str contains (ask [] {} | get stderr) "no server to back up"
}
