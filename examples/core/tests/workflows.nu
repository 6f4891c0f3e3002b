# Workflow files and the orchestrator's absence. With an orchestrator: the distribution's integration tests.

use std/assert
use testing.nu *

def submit [text: string]: nothing -> record {
    let workspace = fresh-workspace
    let file = $workspace | path join workflow.toml
    $text | save $file
    with-env { PROVISIONING_ORCHESTRATOR_URL: "http://127.0.0.1:1" } { core $workspace workflow submit $file }
}

def "test files that are no workflow are refused before anything is sent" [] {
    for it in [
        ["name = 'x'", "it has no `steps`"]
        ["[[steps]]\nrun = ['server']", "it has no `name`"]
        ["name = 'x'\n[[steps]]\nname = 'y'", "has no `run`"]
        ["name = ", "cannot be read"]
    ] {
        let answer = submit $it.0
        assert equal $answer.exit_code 1
        assert str contains $answer.stderr $it.1
    }
}

def "test an orchestrator that is away is named with the way to start it" [] {
    let answer = submit "name = 'x'\n[[steps]]\nrun = ['server', 'list']"
    assert equal $answer.exit_code 1
    assert str contains $answer.stderr "no orchestrator answers at http://127.0.0.1:1"
}

def "test ids that could leave the path are refused" [] {
    let answer = core (fresh-workspace) workflow status "../health"
    assert str contains $answer.stderr "is no workflow id"
}
