# What the core does with installed extensions. The extension is written here, as an author would.

use std/assert
use testing.nu *

# A folder with the extensions `motd` (taskserv) and `pair` (cluster), as an install leaves them.
def extensions-folder []: nothing -> path {
    let folder = mktemp --directory
    mkdir ($folder | path join motd templates) ($folder | path join pair)
    '[extension]
name = "motd"
version = "1.0.0"
type = "taskserv"
description = "Message of the day"
' | save ($folder | path join motd manifest.toml)
    "Welcome to {{ name }}\n" | save ($folder | path join motd templates motd)
    'def "main plan" []: string -> string {
    let it = $in | from json
    let path = $it.config.path? | default "motd"
    { files: [{ path: $path, template: "motd", values: { name: $it.server.name } }], commands: ["cp motd /etc/motd"] } | to json
}
def main [] {}' | save ($folder | path join motd taskserv.nu)
    '[extension]
name = "pair"
version = "2.0.0"
type = "cluster"
' | save ($folder | path join pair manifest.toml)
    'def "main plan" []: string -> string {
    { servers: [{ name: "one", plan: "small", taskservs: ["motd"] } { name: "two", plan: "small", taskservs: [] }] } | to json
}
def main [] {}' | save ($folder | path join pair cluster.nu)
    $folder
}

def "test installed task services are listed and removed ones are not" [] {
    let folder = extensions-folder
    with-env { PROVISIONING_EXTENSIONS: $folder } {
        let names = { ^$nu.current-exe $CLI taskserv list --json | from json | get taskservs | get name }
        assert equal (do $names) [motd]
        rm --recursive ($folder | path join motd)
        assert equal (do $names) []
    }
}

def "test a plan shows what apply then writes" [] {
    let workspace = fresh-workspace
    with-env { PROVISIONING_EXTENSIONS: (extensions-folder) } {
        core $workspace server create web-1 | ignore
        let file = $workspace | path join rendered web-1 motd motd
        let plan = core $workspace taskserv plan motd --server web-1
        assert str contains $plan.stdout $"would write ($file)"
        assert not ($file | path exists)
        core $workspace taskserv apply motd --server web-1 | ignore
        assert equal (open --raw $file) "Welcome to web-1\n"
        assert equal (listed $workspace | first | get taskservs) ["motd@1.0.0"]
    }
}

def "test an extension cannot write outside the workspace" [] {
    for path in ["../../../x" "/tmp/x"] {
        let workspace = fresh-workspace
        $"\n[motd]\npath = ($path | to json)\n" | save --append ($workspace | path join provisioning.toml)
        with-env { PROVISIONING_EXTENSIONS: (extensions-folder) } {
            core $workspace server create web-1 | ignore
            let applied = core $workspace taskserv apply motd --server web-1
            assert equal $applied.exit_code 1
            assert str contains $applied.stderr "may not write"
        }
    }
}

def "test a cluster is made once and completed when run again" [] {
    let workspace = fresh-workspace
    with-env { PROVISIONING_EXTENSIONS: (extensions-folder) } {
        assert equal (core $workspace cluster create pair | get exit_code) 0
        core $workspace server delete two | ignore
        assert equal (core $workspace cluster create pair | get exit_code) 0
        assert equal (listed $workspace | select name taskservs) [{ name: one, taskservs: ["motd@1.0.0"] } { name: two, taskservs: [] }]
    }
}

def "test an extension that is not installed is named with the way to get it" [] {
    let answer = core (fresh-workspace) taskserv plan mongodb --server web-1
    assert str contains $answer.stderr "hint: provisioning extension install mongodb"
}
