# The user's workspace: a folder with `provisioning.toml`, which holds all state that this core keeps.

use failure.nu fail

const MARK = "provisioning.toml"
const LOCK_TRIES = 100
const LOCK_STALE = 60sec

# Find the workspace: the one named, else the nearest one upward, else $PROVISIONING_WORKSPACE, else the user's default one.
export def find-workspace [named?: string]: nothing -> record {
    if ($named | default "") != "" { return (open-workspace ($named | path expand)) }
    let near = nearest (pwd)
    if $near != null { return (open-workspace $near) }
    let variable = $env.PROVISIONING_WORKSPACE? | default ""
    if $variable != "" { return (open-workspace ($variable | path expand)) }
    open-workspace (default-workspace)
}

# Write a file of the workspace so that a reader sees the old or the new text, never half of one.
export def save-whole [file: path]: string -> nothing {
    mkdir ($file | path dirname)
    let staged = $"($file).(random chars --length 8).new"
    $in | save --raw $staged
    mv --force $staged $file
}

# Run `action` while no other command changes the workspace.
export def with-lock [workspace: record, action: closure]: nothing -> any {
    let lock = $workspace.path | path join state .lock
    mkdir ($lock | path dirname)
    take $lock
    let outcome = try { { value: (do $action), failed: null } } catch {|err| { value: null, failed: $err.msg } }
    rm --recursive --force $lock
    if $outcome.failed != null { error make --unspanned { msg: $outcome.failed } }
    $outcome.value
}

# `mkdir` without -p is the one step that only one of two commands can do.
def take [lock: path] {
    for _ in 1..$LOCK_TRIES {
        if (^mkdir $lock | complete).exit_code == 0 { return }
        let held_since = try { ls --directory $lock | get 0.modified } catch { date now }
        if (date now) - $held_since > $LOCK_STALE {
            rm --recursive --force $lock
        } else {
            sleep 100ms
        }
    }
    fail $"another command holds `($lock)`" --hint $"when none runs: rmdir ($lock)"
}

def nearest [from: path]: nothing -> any {
    mut folder = $from
    while ($folder | path join $MARK | path type) != "file" {
        let parent = $folder | path dirname
        if $parent == $folder { return null }
        $folder = $parent
    }
    $folder
}

def open-workspace [folder: path]: nothing -> record {
    let file = $folder | path join $MARK
    if ($file | path type) != "file" {
        fail $"`($folder)` is no workspace: it has no `($MARK)`" --hint $"provisioning workspace create ($folder) --template minimal"
    }
    let settings = try { open $file } catch {|err| fail $"`($file)` is not TOML: ($err.msg)" }
    {
        path: $folder
        name: ($settings.workspace?.name? | default ($folder | path basename))
        settings: $settings
    }
}

def default-workspace []: nothing -> path {
    let folder = state-home | path join provisioning workspace
    if not ($folder | path join $MARK | path exists) {
        "[workspace]\nname = \"default\"\n" | save-whole ($folder | path join $MARK)
        print --stderr $"note: no workspace here; using ($folder)"
    }
    $folder
}

def state-home []: nothing -> path {
    let state = $env.XDG_STATE_HOME? | default ""
    if $state != "" { return $state }
    let home = $env.HOME? | default ""
    if $home == "" { fail "there is no workspace here and no HOME to make one in" --hint "--workspace DIR" }
    $home | path join .local state
}
