# Errors for people: one sentence that names the cause, then a hint with a command.

# Raise an error whose text is `message`, with what to do about it on the next line.
export def fail [message: string, --hint: string] {
    let text = if $hint == null { $message } else { $"($message)\nhint: ($hint)" }
    error make --unspanned { msg: $text }
}

# Refuse a name that could not be a host name or a file name.
export def check-name [what: string, name: string] {
    if ($name !~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$') {
        fail $"`($name)` is no ($what) name" --hint "use at most 63 of a-z, 0-9 and -, not first or last -"
    }
}

# Quote a list of names for a sentence.
export def quoted []: list<any> -> string {
    if ($in | is-empty) { "none" } else { $in | each {|name| $"`($name)`" } | str join ", " }
}
