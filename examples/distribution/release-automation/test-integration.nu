#!/usr/bin/env nu
# Tests one combination of versions: installed into a scratch prefix, then the integration tests run.

use automation.nu [client with-scratch-prefix]

const TESTS = path self ../tests/integration/test-all.nu

def main [
    --core: string          # the core's version
    --platform: string      # the platform's version
] {
    if $core == null or $platform == null { error make --unspanned { msg: "name both: --core V --platform V" } }
    with-scratch-prefix {|prefix|
        client install $"core@($core)" $"platform@($platform)" --prefix $prefix
        ^$nu.current-exe $TESTS --prefix $prefix --core $core --platform $platform
    }
}
