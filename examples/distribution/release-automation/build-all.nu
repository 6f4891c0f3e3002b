#!/usr/bin/env nu
# Builds every release of version-management/releases.toml into archives.

use automation.nu [client-json distribution-root repositories]
use ../packaging/tree.nu replace-text
use ../packaging/core/stage.nu stage-core
use ../packaging/platform/stage.nu stage-platform
use ../packaging/extensions/stage.nu stage-extension
use ../packaging/workspace/stage.nu stage-workspace

def main [
    --out: path = dist      # where the archives go
    --only: string = ""     # a comma-separated choice: `core`, `core@3.2.1`
] {
    let chosen = $only | split row "," | where {|word| $word != "" }
    let releases = open (distribution-root | path join version-management releases.toml) | get release
    | where {|it| ($chosen | is-empty) or $it.package in $chosen or $"($it.package)@($it.version)" in $chosen }
    if ($releases | is-empty) { error make --unspanned { msg: $"no release is called ($only)" } }
    mkdir $out
    for release in $releases {
        let built = build $release ($out | path expand)
        print $"built ($release.package) ($release.version)  ($built.digest | str substring 0..18)  ($built.archive | path basename)"
    }
}

def build [release: record, out: path]: nothing -> record {
    let source = repositories | path join $release.source
    let scratch = mktemp --directory
    let folder = $scratch | path join tree
    let target = match $release.package {
        "core" => (stage-core $source $release.version $folder)
        "platform" => (stage-platform $source $release.version $folder)
        "workspace" => (stage-workspace $source $release.version $folder)
        _ => (stage-extension $source $release.version $folder)
    }
    for change in ($release.replace? | default []) {
        replace-text ($folder | path join $change.file) $change.from $change.to
    }
    let built = client-json package build $folder -o $out --target $target
    rm --recursive --force $scratch
    $built
}
