"""Compares what Packit makes of configurations with what `provisioning source show` says.

`python3 sources/tests/packit/compare.py PROVISIONING FILE…` prints every value that differs and
exits 1 if one does. Needs what expected.py needs. A configuration that both programs refuse is
the same; one that only one refuses is a difference.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from packit.config.package_config import load_packit_yaml

from expected import DEFAULTS, DEFAULTS_OF_JOB, of

# What Packit takes from its own lists of hosts, and what this project means otherwise.
NOT_COMPARED = {"dist_git_base_url", "dist_git_namespace"}
OURS = {"handle", "manifest", "forge", "build_service"}


def packits(path):
    try:
        return of(path)
    except Exception as problem:  # noqa: BLE001: whatever Packit says of it
        return {"refused": f"{type(problem).__name__}: {problem}"}


def ours(program, path):
    # A bare folder of the name that expected.py gives the repository.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "repository")
        root.mkdir()
        Path(root, ".packit.yaml").write_text(path.read_text())
        words = [program, "--json", "source", "show", "-C", str(root)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"refused": json.loads(done.stderr[done.stderr.index("{\n") :])["error"]}
    return json.loads(done.stdout)


def differing(where, found, computed, in_job):
    expected = DEFAULTS | (DEFAULTS_OF_JOB if in_job else {}) | computed
    keys = (set(expected) | set(found)) - NOT_COMPARED - OURS
    for key in sorted(keys):
        pair = found.get(key), json.loads(json.dumps(expected.get(key), default=str))
        if pair[0] != pair[1]:
            yield f"{where}.{key}: ours {pair[0]!r}, Packit's {pair[1]!r}"


def without_own_name(path):
    """Packages that do not say what they are called downstream: the key here, the repository to Packit."""
    packages = (load_packit_yaml(path).get("packages")) or {}
    return {key for key, it in packages.items() if "downstream_package_name" not in (it or {})}


def packages(where, found, computed, nameless, in_job):
    if list(found) != list(computed):
        yield f"{where}: ours {list(found)}, Packit's {list(computed)}"
        return
    for key in found:
        if key in nameless:
            found[key]["downstream_package_name"] = computed[key].get("downstream_package_name")
        yield from differing(f"{where}.{key}", found[key], computed[key], in_job)


def compare(program, path):
    found, computed = ours(program, path), packits(path)
    if "refused" in found or "refused" in computed:
        if not ("refused" in found and "refused" in computed):
            yield f"refused by one alone: ours {found.get('refused')}, Packit's {computed.get('refused')}"
        return
    nameless = without_own_name(path)
    yield from packages("packages", found["packages"], computed["packages"], nameless, False)
    jobs, theirs = found["jobs"], computed["jobs"]
    if [(it["job"], it["trigger"]) for it in jobs] != [(it["job"], it["trigger"]) for it in theirs]:
        yield f"jobs: ours {len(jobs)}, Packit's {len(theirs)}"
        return
    for at, (job, their) in enumerate(zip(jobs, theirs)):
        yield from packages(f"jobs[{at}].packages", job["packages"], their["packages"], nameless, True)


if __name__ == "__main__":
    count = 0
    for name in sys.argv[2:]:
        for line in compare(sys.argv[1], Path(name)):
            print(f"{name}: {line}")
            count += 1
    print(f"{len(sys.argv) - 2} configurations, {count} differences")
    sys.exit(count > 0)
