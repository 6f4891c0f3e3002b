# Settings: the defaults, the prefix's own copy of them, then what the workspace says. The later wins.

use prefix.nu [core-root install-prefix]

const FILE = "config.defaults.toml"

# All settings for a workspace as one record.
export def load-settings [workspace: record]: nothing -> record {
    let shipped = open (core-root | path join config $FILE)
    let edited = edited-file
    let ours = if $edited == null { {} } else { open $edited }
    let theirs = $workspace.settings | reject --optional workspace
    $shipped | merge deep $ours | merge deep $theirs | merge deep (from-environment)
}

# The user's copy of the defaults, which the client made when it installed the core.
def edited-file []: nothing -> any {
    let prefix = install-prefix
    if $prefix == null { return null }
    let folder = $prefix | path join etc provisioning core
    [($folder | path join config $FILE) ($folder | path join $FILE)]
    | where {|file| $file | path exists }
    | get --optional 0
}

def from-environment []: nothing -> record {
    let url = $env.PROVISIONING_ORCHESTRATOR_URL? | default ""
    if $url == "" { {} } else { { orchestrator: { url: $url } } }
}
