# Where this core was installed, where its extensions are, and which version it is.

const ROOT = path self ../..

# The folder of this core: the repository's checkout or the unpacked package.
export def core-root []: nothing -> path {
    $ROOT | path expand
}

# This core's version, as `version.toml` states it.
export def core-version []: nothing -> string {
    open (core-root | path join version.toml) | get version
}

# The prefix that the core was installed under; null in a checkout.
# The client names it; without the client it is found from the core's own path.
export def install-prefix []: nothing -> any {
    let named = $env.PROVISIONING_PREFIX? | default ""
    if $named != "" { return ($named | path expand) }
    mut folder = core-root
    while ($folder | path dirname) != $folder {
        $folder = $folder | path dirname
        if ($folder | path join lib provisioning current | path exists) { return $folder }
    }
    null
}

# The folder that holds one folder for each extension; null where there is none.
export def extensions-folder []: nothing -> any {
    let named = $env.PROVISIONING_EXTENSIONS? | default ""
    if $named != "" { return ($named | path expand) }
    let prefix = install-prefix
    if $prefix == null { return null }
    $prefix | path join lib provisioning current share provisioning extensions
}
