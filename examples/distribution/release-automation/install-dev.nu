#!/usr/bin/env nu
# Installs the working trees: their newest releases are built as they are now, published to a throw-away registry on
# loopback, and installed from it. The registry is gone afterwards; the prefix stays.

use automation.nu [client distribution-root]

const BUILD = path self build-all.nu

def main [
    --prefix: path = "./dev-prefix"     # where
    --only: string = "core,platform,workspace"
] {
    let scratch = mktemp --directory
    let out = $scratch | path join archives
    ^$nu.current-exe $BUILD --out $out --only (newest $only)
    let data = $scratch | path join registry
    let log = $scratch | path join log
    let server = $env.PROVISIONING_REGISTRY_BIN? | default provisioning-registry
    let job = job spawn { ^$server serve --data $data --listen "127.0.0.1:0" out+err> $log }
    let problem = try {
        let environment = {
            PROVISIONING_REGISTRY: (address $log)
            PROVISIONING_TOKEN: (open --raw ($data | path join admin-token) | str trim)
            XDG_STATE_HOME: ($scratch | path join state)
        }
        with-env $environment {
            client publish ...(glob ($out | path join "*"))
            client install ...($only | split row ",") --prefix ($prefix | path expand)
        }
        null
    } catch {|err| $err.msg }
    job kill $job
    rm --recursive --force $scratch
    if $problem != null { error make --unspanned { msg: $problem } }
    print $"installed into ($prefix | path expand)"
}

# The newest release of each package: `core,workspace` -> `core@3.2.1,workspace@1.4.0`.
def newest [names: string]: nothing -> string {
    let releases = open (distribution-root | path join version-management releases.toml) | get release
    $names | split row "," | each {|name| $"($name)@($releases | where package == $name | last | get version)" } | str join ","
}

def address [log: path]: nothing -> string {
    mut found = []
    mut tries = 0
    while ($found | is-empty) {
        if $tries == 100 { error make --unspanned { msg: $"the registry did not start: (open --raw $log)" } }
        $tries += 1
        sleep 100ms
        $found = try { open --raw $log | parse --regex 'listening on (?<url>http://\S+)' } catch { [] }
    }
    $found | get 0.url
}
