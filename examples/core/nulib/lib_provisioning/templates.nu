# Templates: text with `{{ name }}` in it, filled from a record.

use failure.nu [fail quoted]

# Fill a template; a placeholder that has no value is an error, not an empty string.
export def fill [values: record]: string -> string {
    let text = $in
    let scalars = $values | transpose key value | where {|it| ($it.value | describe) in [string int float bool] }
    let filled = $scalars | reduce --fold $text {|it, text|
        $text | str replace --all --regex $'\{\{ *($it.key) *\}\}' ($it.value | into string | str replace --all '$' '$$')
    }
    let open = $filled | parse --regex '\{\{ *(?<name>[a-z_]+) *\}\}' | get name | uniq
    if ($open | is-not-empty) { fail $"the template has no value for ($open | quoted)" }
    $filled
}
