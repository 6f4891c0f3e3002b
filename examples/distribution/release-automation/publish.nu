#!/usr/bin/env nu
# Publishes what build-all made: the archives in one session, then the matrix, then the bundles. Running it again is safe.
#
# The registry and the token come from $PROVISIONING_REGISTRY and $PROVISIONING_TOKEN.

use automation.nu [client draft drafts versions-file]

def main [
    folder: path = dist     # the archives
    --archives              # only the archives
    --matrix                # only the matrix
    --bundle: string        # only this bundle
] {
    let all = not $archives and not $matrix and $bundle == null
    if $all or $archives {
        let files = glob ($folder | path expand | path join "*.tar.{zst,gz}") | sort
        if ($files | is-empty) { error make --unspanned { msg: $"no archive in `($folder)`" } }
        client publish ...$files
    }
    if $all or $matrix { client compat push (versions-file) }
    let bundles = if $all { drafts | get name } else { [$bundle] | compact }
    for name in $bundles {
        draft $name | ignore
        client bundle publish $name --file (versions-file)
    }
}
