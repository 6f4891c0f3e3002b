#!/usr/bin/env nu
# Runs every `def "test …"` of the given files, or of all `tests/*.nu` here.
#
# Each test runs in a process of its own. The last line counts; the exit code is 1 when one failed.

const ROOT = path self ..

def main [...files: path] {
    let files = if ($files | is-empty) { glob ($ROOT | path join "tests/*.nu") --exclude ["**/run.nu" "**/testing.nu"] | sort } else { $files | path expand }
    mut passed = 0
    mut failed = 0
    for file in $files {
        let names = ^$nu.current-exe -n -c $"source ($file | to nuon); scope commands | where type == custom | get name | to json" | from json
        for name in ($names | where {|name| $name | str starts-with "test " }) {
            let outcome = ^$nu.current-exe -n -c $"source ($file | to nuon); ($name)" | complete
            if $outcome.exit_code == 0 {
                $passed += 1
            } else {
                $failed += 1
                print $"FAILED ($file | path relative-to ($ROOT | path expand)): ($name)" $outcome.stderr
            }
        }
    }
    print $"($passed) passed, ($failed) failed"
    if $failed > 0 or $passed == 0 { exit 1 }
}
