#!/usr/bin/env nu
# Checks everything that can be checked without a registry: scripts parse, versions are versions, drafts name releases,
# and every release has a source with a manifest.

use automation.nu [distribution-root draft-specs drafts repositories]

const VERSION = '^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$'

def main [] {
    let problems = (scripts) ++ (releases) ++ (members)
    for problem in $problems { print --stderr $"error: ($problem)" }
    if ($problems | is-not-empty) { exit 1 }
    print "scripts, releases and drafts are right"
}

def scripts []: nothing -> list<string> {
    glob (distribution-root | path join "**/*.nu") | where {|file| not (nu-check $file) } | each {|file| $"`($file)` does not parse" }
}

def all-releases []: nothing -> table {
    open (distribution-root | path join version-management releases.toml) | get release
}

def releases []: nothing -> list<string> {
    let all = all-releases
    let numbers = $all | where {|it| $it.version !~ $VERSION } | each {|it| $"($it.package): `($it.version)` is no version" }
    let sources = $all | where {|it| not (repositories | path join $it.source manifest.toml | path exists) }
    | each {|it| $"($it.package): `($it.source)` has no manifest.toml" }
    let twice = $all | each {|it| $"($it.package)@($it.version)" } | uniq --repeated | each {|it| $"($it) is released twice" }
    $numbers ++ $sources ++ $twice
}

def members []: nothing -> list<string> {
    let known = all-releases | each {|it| $"($it.package)@($it.version)" }
    mut problems = []
    for bundle in (drafts) {
        let unknown = draft-specs $bundle.draft | where {|spec| $spec not-in $known }
        $problems ++= ($unknown | each {|spec| $"bundle ($bundle.name) names ($spec), which is no release" })
    }
    $problems
}
