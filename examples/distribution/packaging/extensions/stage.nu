# An extension: its folder as it is, with the version in its manifest.

use ../tree.nu [copy-tree stamp-manifest]

# Answers the target that the package is for.
export def stage-extension [source: path, version: string, folder: path]: nothing -> string {
    copy-tree $source $folder
    stamp-manifest $folder $version
    "any"
}
