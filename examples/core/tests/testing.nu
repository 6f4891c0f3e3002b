# What the tests share: a workspace of their own, and the command as people run it.

export const CLI = path self ../cli/provisioning

# An empty workspace in a temporary folder.
export def fresh-workspace []: nothing -> path {
    let folder = mktemp --directory
    "[workspace]\nname = \"test\"\n" | save ($folder | path join provisioning.toml)
    $folder
}

# Run the core's command in a workspace; answers stdout, stderr and exit_code.
# The prefix is the workspace, which holds nothing: what the caller has installed is not what is tested.
export def --wrapped core [workspace: path, ...words: string]: nothing -> record {
    with-env { PROVISIONING_PREFIX: $workspace } {
        ^$nu.current-exe $CLI ...($words | take until {|it| $it == "--" }) --workspace $workspace ...($words | skip until {|it| $it == "--" } | skip 1) | complete
    }
}

# The servers of a workspace as records.
export def listed [workspace: path]: nothing -> list<record> {
    core $workspace server list --json | get stdout | from json | get servers
}
