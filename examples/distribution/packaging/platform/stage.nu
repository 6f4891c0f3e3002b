# The platform: its services built for this machine, with their settings and documentation. No sources.

use ../tree.nu stamp-manifest

# Answers the target that the package is for.
export def stage-platform [source: path, version: string, folder: path]: nothing -> string {
    let recipe = $source | path join packaging stage
    ^sh $recipe $folder $version
    stamp-manifest $folder $version
    ^sh $recipe --target | str trim
}
