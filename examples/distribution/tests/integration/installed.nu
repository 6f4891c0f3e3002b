# What the integration tests share: the installed command, a workspace, and the installed services on free ports.

# Run the installed product's command; answers stdout, stderr and exit_code.
export def --wrapped product [prefix: path, ...words: string]: nothing -> record {
    with-env (product-environment $prefix) { ^(command) ...$words | complete }
}

# Run it and read the JSON that it answers; a failure is an error.
export def --wrapped product-json [prefix: path, ...words: string]: nothing -> any {
    let answer = product $prefix ...$words --json
    if $answer.exit_code != 0 { error make --unspanned { msg: $"($words | str join ' '): ($answer.stderr)" } }
    $answer.stdout | from json
}

# An empty workspace in a temporary folder.
export def fresh-workspace []: nothing -> path {
    let folder = mktemp --directory
    "[workspace]\nname = \"integration\"\n" | save ($folder | path join provisioning.toml)
    $folder
}

# Run `action` with the address of a service that was started from the prefix.
export def with-service [prefix: path, service: string, arguments: list<string>, action: closure]: nothing -> any {
    let log = mktemp
    let program = $prefix | path join bin $"provisioning-($service)"
    let environment = product-environment $prefix
    let job = job spawn { with-env $environment { ^$program --listen "127.0.0.1:0" ...$arguments out+err> $log } }
    let outcome = try { { value: (do $action (address $log)) } } catch {|err| { failed: $err.msg } }
    job kill $job
    rm --force $log
    if $outcome.failed? != null { error make --unspanned { msg: $outcome.failed } }
    $outcome.value
}

# The arguments of an orchestrator that calls the installed core and keeps everything in a temporary folder.
export def orchestrator-arguments [folder: path]: nothing -> list<string> {
    mkdir ($folder | path join queue)
    [--cli (command) --state ($folder | path join state) --queue ($folder | path join queue)]
}

# Wait until `question` answers true.
export def wait-for [what: string, question: closure] {
    for _ in 1..100 {
        if (do $question) { return }
        sleep 100ms
    }
    error make --unspanned { msg: $"waited in vain for ($what)" }
}

def address [log: path]: nothing -> string {
    wait-for $"a service; it said: (open --raw $log)" { (open --raw $log) =~ 'listening on http://' }
    open --raw $log | parse --regex 'listening on (?<url>http://\S+)' | get 0.url
}

# The client, which hands the core's words to the core in the prefix.
def command []: nothing -> string {
    $env.PROVISIONING? | default provisioning
}

def product-environment [prefix: path]: nothing -> record {
    {
        PROVISIONING_PREFIX: $prefix
        PROVISIONING_WORKSPACE: ""
        PATH: ($env.PATH | prepend ($nu.current-exe | path dirname) | prepend ($prefix | path join bin))
    }
}
