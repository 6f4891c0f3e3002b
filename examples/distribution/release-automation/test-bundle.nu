#!/usr/bin/env nu
# Tests a bundle before it is published: its members are installed together into a scratch prefix, each answers its
# version, and the integration tests run.

use automation.nu [client draft draft-specs with-scratch-prefix]

const TESTS = path self ../tests/integration/test-all.nu

def main [name: string] {
    let specs = draft-specs (draft $name)
    print $"bundle ($name): ($specs | str join ' ')"
    with-scratch-prefix {|prefix|
        client install ...$specs --prefix $prefix
        ^$nu.current-exe $TESTS --prefix $prefix
    }
    print $"bundle ($name) passed"
}
