# What every recipe does: copy a repository's tree without what was built in it, and write a version into it.

const BUILT = [.git target dist stage node_modules]

# Copy a tree into a folder that does not exist yet.
export def copy-tree [source: path, folder: path] {
    mkdir $folder
    for entry in (ls --all $source | get name) {
        if ($entry | path basename) not-in $BUILT { cp --recursive $entry $folder }
    }
}

# Replace one text by another; a text that is not there is an error, since the release would not be what it says.
export def replace-text [file: path, from: string, to: string] {
    let text = open --raw $file
    if $from not-in $text { error make --unspanned { msg: $"`($file)` does not contain `($from)`" } }
    $text | str replace $from $to | save --force --raw $file
}

# Write the version into a manifest that states one.
export def stamp-manifest [folder: path, version: string] {
    stamp-file ($folder | path join manifest.toml) $version
}

# Write the version into a TOML file that states one on a line of its own.
export def stamp-file [file: path, version: string] {
    open --raw $file | str replace --regex '(?m)^version = ".*"$' $'version = "($version)"' | save --force --raw $file
}
