# The workspace templates: the tree as it is, with the version in its manifest.

use ../tree.nu [copy-tree stamp-manifest]

# Answers the target that the package is for.
export def stage-workspace [source: path, version: string, folder: path]: nothing -> string {
    copy-tree $source $folder
    stamp-manifest $folder $version
    "any"
}
