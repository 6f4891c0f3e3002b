# The server commands, from outside: the command is run as people run it.

use std/assert
use testing.nu *

def "test a created server is listed and rendered" [] {
    let workspace = fresh-workspace
    let made = core $workspace server create web-1 --plan small
    assert equal $made.exit_code 0 $made.stderr
    assert str contains $made.stdout "created server web-1"
    assert equal (listed $workspace | select name plan address) [{ name: web-1, plan: small, address: "10.20.0.10" }]
    assert str contains (open --raw ($workspace | path join rendered web-1 cloud-init.yaml)) "fqdn: web-1.default.internal"
}

def "test every server gets an address of its own" [] {
    let workspace = fresh-workspace
    for name in [a b c] { core $workspace server create $name | ignore }
    assert equal (listed $workspace | get address) ["10.20.0.10" "10.20.0.11" "10.20.0.12"]
}

def "test two creates at once both count" [] {
    let workspace = fresh-workspace
    [a b c d] | par-each {|name| core $workspace server create $name } | ignore
    assert equal (listed $workspace | get address | uniq | length) 4
}

def "test the same name twice is refused with a hint" [] {
    let workspace = fresh-workspace
    core $workspace server create web-1 | ignore
    let again = core $workspace server create web-1
    assert equal $again.exit_code 1
    assert str contains $again.stderr "`web-1` exists already"
    assert str contains $again.stderr "hint: provisioning server delete web-1"
}

def "test names that are no host names are refused" [] {
    let workspace = fresh-workspace
    for name in ["Web" "../evil" "-x-" "a_b" ("a" | fill --width 64 --character a)] {
        let made = core $workspace server create -- $name
        assert not equal $made.exit_code 0 $name
    }
    assert equal (listed $workspace) []
}

def "test a deleted server is gone with its files" [] {
    let workspace = fresh-workspace
    core $workspace server create web-1 | ignore
    assert equal (core $workspace server delete web-1 | get exit_code) 0
    assert equal (listed $workspace) []
    assert not ($workspace | path join rendered web-1 | path exists)
    assert equal (core $workspace server delete web-1 | get exit_code) 1
}

def "test a workspace that declares infrastructures has no others" [] {
    let workspace = fresh-workspace
    mkdir ($workspace | path join infra)
    { plan: large, pool: "10.1.2" } | to toml | save ($workspace | path join infra production.toml)
    assert equal (core $workspace server create web-1 --infra production | get exit_code) 0
    assert equal (listed $workspace | first | select plan address) { plan: large, address: "10.1.2.10" }
    let other = core $workspace server create web-2 --infra staging
    assert str contains $other.stderr "has no infra `staging`; it has `production`"
}

def "test settings of the workspace win over the defaults" [] {
    let workspace = fresh-workspace
    "\n[servers]\ndefault-plan = \"large\"\n" | save --append ($workspace | path join provisioning.toml)
    core $workspace server create web-1 | ignore
    assert equal (listed $workspace | first | get plan) large
}

def "test the nearest workspace upward is used" [] {
    let workspace = fresh-workspace
    mkdir ($workspace | path join a b)
    cd ($workspace | path join a b)
    ^$nu.current-exe $CLI server create web-1 | ignore
    assert equal (listed $workspace | get name) [web-1]
}

def "test a folder that is no workspace is refused" [] {
    let answer = core (mktemp --directory) server list
    assert equal $answer.exit_code 1
    assert str contains $answer.stderr "it has no `provisioning.toml`"
}

def "test without any workspace a workspace of the user is made and named" [] {
    let state = mktemp --directory
    cd $state
    with-env { XDG_STATE_HOME: $state, PROVISIONING_WORKSPACE: "" } {
        let made = ^$nu.current-exe $CLI server create web-1 | complete
        assert equal $made.exit_code 0 $made.stderr
        assert str contains $made.stderr "note: no workspace here"
        assert ($state | path join provisioning workspace state servers web-1.toml | path exists)
    }
}

def "test a missing argument and an unknown command are usage errors" [] {
    let workspace = fresh-workspace
    assert equal (^$nu.current-exe $CLI server create | complete | get exit_code) 2
    let unknown = ^$nu.current-exe $CLI sever list | complete
    assert equal $unknown.exit_code 2
    assert str contains $unknown.stderr "did you mean `server`?"
}
