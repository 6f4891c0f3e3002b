# The core: its tree, with the version in version.toml and in the KCL module.

use ../tree.nu [copy-tree stamp-file]

# Answers the target that the package is for.
export def stage-core [source: path, version: string, folder: path]: nothing -> string {
    copy-tree $source $folder
    $"version = \"($version)\"\n" | save --force ($folder | path join version.toml)
    stamp-file ($folder | path join kcl kcl.mod) $version
    "any"
}
