#!/usr/bin/env nu
# Writes the draft of a bundle into versions.toml.

use automation.nu [drafts versions-file]

def main [
    name: string                # stable-3.3
    --core: string              # the core's version
    --platform: string          # the platform's version
    --workspace: string         # the templates' version
    --extension: string = ""    # extensions, comma-separated: mongodb@1.2.0,redis@1.1.0
    --lts-until: string         # the day until which it is supported
] {
    let file = versions-file
    if $name in (drafts | get name) {
        error make --unspanned { msg: $"versions.toml has a bundle `($name)` already; edit it there" }
    }
    if $name !~ '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$' { error make --unspanned { msg: $"`($name)` is no bundle name" } }
    if $core == null { error make --unspanned { msg: "a bundle needs --core" } }
    let title = $name | split row "-" | each {|word| if $word == "lts" { "LTS" } else { $word | str capitalize } } | append Bundle | str join " "
    let extensions = $extension | split row "," | where {|spec| $spec != "" }
    let lines = [
        (if ($name =~ "[.]") { $"[bundles.($name | to json)]" } else { $"[bundles.($name)]" })
        $"name = ($title | to json)"
        $"release-date = (date now | format date '%Y-%m-%d' | to json)"
        (if $lts_until != null { $"lts-until = ($lts_until | to json)" })
        $"core = ($core | to json)"
        (if $platform != null { $"platform = ($platform | to json)" })
        (if ($extensions | is-not-empty) { $"extensions = ($extensions | to json --raw | str replace --all ',' ', ')" })
        (if $workspace != null { $"workspace = ($workspace | to json)" })
    ] | compact
    (open --raw $file) + ($lines | str join "\n") + "\n" | save --force --raw $file
    print ($lines | str join "\n")
}
