# What every script here uses: the client, the repositories, and scratch prefixes.

const ROOT = path self ..

# The folder of this repository.
export def distribution-root []: nothing -> path { $ROOT | path expand }

# Where the other repositories are checked out: beside this one, unless $PROVISIONING_REPOSITORIES says otherwise.
export def repositories []: nothing -> path {
    $env.PROVISIONING_REPOSITORIES? | default (distribution-root | path dirname) | path expand
}

# The matrix with the drafts of bundles.
export def versions-file []: nothing -> path { distribution-root | path join version-management versions.toml }

# Run the client (`$PROVISIONING`, else `provisioning` on PATH) and show what it prints. A failure ends the script.
export def --wrapped client [...words: string]: nothing -> nothing {
    let command = $env.PROVISIONING? | default provisioning
    try { ^$command ...$words } catch { error make --unspanned { msg: $"provisioning ($words | first) failed; see above" } }
}

# Run the client and read the JSON that it answers.
export def --wrapped client-json [...words: string]: nothing -> any {
    let command = $env.PROVISIONING? | default provisioning
    let answer = ^$command ...$words --json | complete
    if $answer.exit_code != 0 {
        error make --unspanned { msg: $"provisioning ($words | str join ' ') failed with ($answer.exit_code)\n($answer.stderr)" }
    }
    $answer.stdout | from json
}

# Run `action` with an empty prefix that is removed afterwards.
export def with-scratch-prefix [action: closure]: nothing -> nothing {
    let prefix = mktemp --directory
    try { do $action $prefix } catch {|err|
        rm --recursive --force $prefix
        error make --unspanned { msg: ($err.msg) }
    }
    rm --recursive --force $prefix
}

# Every draft of versions.toml with its name. `[bundles.stable-3.2]` is written without quotes, so TOML reads a table
# `2` inside a table `stable-3`; the name is put together again.
export def drafts []: nothing -> table<name: string, draft: record> {
    mut found = []
    mut open_tables = open (versions-file) | get --optional bundles | default {} | transpose name draft
    while ($open_tables | is-not-empty) {
        let complete = $open_tables | where {|it| $it.draft.core? != null or $it.draft.name? != null }
        $found ++= $complete
        let names = $complete | get name
        $open_tables = $open_tables | where name not-in $names | each {|it|
            $it.draft | transpose name draft | update name {|part| $"($it.name).($part.name)" }
        } | flatten
    }
    $found | sort-by name
}

# The draft of a bundle.
export def draft [name: string]: nothing -> record {
    let all = drafts
    if $name not-in ($all | get name) {
        error make --unspanned { msg: $"no bundle `($name)` in versions.toml; there are ($all | get name | str join ', ')" }
    }
    $all | where name == $name | get 0.draft
}

# The members of a draft as specs: `core@3.2.1`, …
export def draft-specs [draft: record]: nothing -> list<string> {
    let named = $draft | select --optional core platform workspace | transpose name version | where version != null
    $named | each {|it| $"($it.name)@($it.version)" } | append ($draft.extensions? | default [])
}
