#!/usr/bin/env nu
# Tests an upgrade and the way back, in a scratch prefix: what the user made and edited survives both.
# usage: test-upgrade.nu 3.1.0 3.2.1   (versions of the core)   |   test-upgrade.nu lts-3.1 stable-3.2   (bundles)

use std/assert
use ../../release-automation/automation.nu [client with-scratch-prefix]
use installed.nu *

def main [from: string, to: string] {
    with-scratch-prefix {|prefix|
        let workspace = fresh-workspace
        client install (spec $from) --prefix $prefix
        let before = told-version $prefix
        product $prefix server create kept-1 --workspace $workspace | ignore
        let settings = $prefix | path join etc provisioning core config config.defaults.toml
        open --raw $settings | str replace 'pool = "10.20.0"' 'pool = "10.99.0"' | save --force --raw $settings

        client install (spec $to) --prefix $prefix
        assert not equal (told-version $prefix) $before "the version did not change"
        product $prefix server create new-1 --workspace $workspace | ignore
        let servers = product-json $prefix server list --workspace $workspace | get servers
        assert equal ($servers | get name) [kept-1 new-1]
        assert equal ($servers | where name == new-1 | get 0.address) "10.99.0.10" "the edited setting was lost"

        client rollback --prefix $prefix
        assert equal (told-version $prefix) $before "the rollback did not bring the old version back"
        assert equal (product-json $prefix server list --workspace $workspace | get servers.name) [kept-1 new-1]
        print $"upgrade from ($from) to ($to) and back: ok"
    }
}

def spec [it: string]: nothing -> string {
    if $it =~ '^\d' { $"core@($it)" } else { $it }
}

def told-version [prefix: path]: nothing -> string {
    product $prefix core -- --version | get stdout | str trim
}
