# Installed extensions, and the one question that the core asks them: what would you do?
#
# Extension API 1.0.0: the core runs `nu <script> plan` with a JSON context on stdin and reads a JSON plan from stdout.
# A script decides and never acts; only the core writes, and only inside the workspace.

use failure.nu [fail quoted]
use prefix.nu [core-version extensions-folder]
use templates.nu fill
use workspace.nu save-whole

const API = "1.0.0"
const SCRIPTS = { provider: "provider.nu", taskserv: "taskserv.nu", cluster: "cluster.nu", workflow: "workflow.nu" }

# Every installed extension of a type, sorted by name.
export def installed-extensions [type: string]: nothing -> list<record> {
    let folder = extensions-folder
    if $folder == null or not ($folder | path exists) { return [] }
    mut found = []
    for entry in (ls $folder | get name) {
        if ($entry | path join manifest.toml | path exists) { $found ++= [(read-extension $entry)] }
    }
    $found | where type == $type | sort-by name
}

# One installed extension by name.
export def find-extension [type: string, name: string]: nothing -> record {
    let all = installed-extensions $type
    let found = $all | where name == $name
    if ($found | is-empty) {
        fail $"no ($type) `($name)` is installed; installed: ($all | get name | quoted)" --hint $"provisioning extension install ($name)"
    }
    $found | first
}

# Ask an extension for its plan.
export def ask [extension: record, context: record]: nothing -> record {
    let script = $extension.path | path join ($SCRIPTS | get $extension.type)
    if not ($script | path exists) { fail $"extension `($extension.name)` lacks `($script | path basename)`" }
    let question = $context | insert api $API | insert core (core-version) | to json --raw
    let answer = $question | ^$nu.current-exe --no-config-file --stdin $script plan | complete
    if $answer.exit_code != 0 {
        fail $"extension `($extension.name)` failed: ($answer.stderr | str trim)"
    }
    try { $answer.stdout | from json } catch { fail $"extension `($extension.name)` answered no JSON" }
}

# The files of a plan with their text, each path checked to stay inside `folder`.
export def planned-files [extension: record, plan: record, folder: path]: nothing -> list<record> {
    # A loop, not `each`: that would wrap the errors.
    mut files = []
    for file in ($plan.files? | default []) {
        if ($file.path | str starts-with "/") or (".." in ($file.path | path split)) {
            fail $"extension `($extension.name)` may not write `($file.path)`"
        }
        let template = $extension.path | path join templates $file.template
        $files ++= [{ path: ($folder | path join $file.path), text: (open --raw $template | fill $file.values) }]
    }
    $files
}

# Write what `planned-files` answered.
export def write-files []: list<record> -> nothing {
    for file in $in { $file.text | save-whole $file.path }
}

def read-extension [folder: path]: nothing -> record {
    let file = $folder | path join manifest.toml
    let manifest = try { open $file | get extension } catch {|err| fail $"`($file)` is no extension's manifest: ($err.msg)" }
    {
        name: $manifest.name
        version: $manifest.version
        type: $manifest.type
        description: ($manifest.description? | default "")
        path: $folder
    }
}
