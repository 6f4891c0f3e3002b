"""Requests per second and bytes per second, beside nginx and other registries."""

import contextlib
import re
import shutil
import statistics
import subprocess

import packages
import servers

SMALL_BYTES = 4096
PACKAGES = 200
CONNECTIONS = 64
CONNECTIONS_LARGE = 8


def compare(asked, work, only):
    data = work / "data"
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(servers.registry(asked.registry, data))
        token = (data / "admin-token").read_text(encoding="utf-8").strip()
        connection = packages.Connection(ours.port, token)
        small = [packages.Package(f"small-{number}", SMALL_BYTES) for number in range(PACKAGES)]
        for package in small:
            connection.publish(package)
        large = packages.Package("large", asked.large_mib * 1024 * 1024)
        connection.publish(large)
        public = data / "public"
        entries = sorted(it.relative_to(public) for it in (public / "targets/index/extension").iterdir())
        entries = [it for it in entries if ".small-" in it.name]
        archives = [f"archives/sha256/{it.hex}" for it in small]
        if "read" in only:
            readable_by_all(data)
            peer = stack.enter_context(servers.nginx(work / "nginx", public))
            print(f"\nreading ({asked.rounds} rounds of {asked.seconds} s, medians)")
            table(asked, work, "index entries", ours, ("nginx", peer, entries), entries, CONNECTIONS)
            table(asked, work, "archives of 4 KiB", ours, ("nginx", peer, archives), archives, CONNECTIONS)
            path = [f"archives/sha256/{large.hex}"]
            table(asked, work, f"archive of {asked.large_mib} MiB", ours, ("nginx", peer, path), path, CONNECTIONS_LARGE)
        if "peers" in only:
            others(asked, work, ours, small, archives, stack)
        print(f"memory of the registry over all of it: {ours.peak_mib():.0f} MiB at most")


def others(asked, work, ours, small, archives, stack):
    print("\nbeside other registries: one archive of 4 KiB")
    if shutil.which(asked.pypiserver):
        folder = work / "pypi"
        folder.mkdir()
        (folder / "small_0-1.0.0.tar.gz").write_bytes(small[0].bytes)
        peer = stack.enter_context(servers.pypiserver(asked.pypiserver, folder))
        path = ["packages/small_0-1.0.0.tar.gz"]
        table(asked, work, "a file", ours, ("pypiserver", peer, path), archives[:1], CONNECTIONS)
    if shutil.which(asked.docker_registry):
        peer = stack.enter_context(servers.docker_registry(asked.docker_registry, work / "oci"))
        path = [push_blob(peer.port, small[0])]
        table(asked, work, "a blob", ours, ("docker-registry", peer, path), archives[:1], CONNECTIONS)


def push_blob(port, package):
    connection = packages.Connection(port)
    status, headers, answer = connection.send("POST", "/v2/bench/blobs/uploads/")
    packages.expect(status, answer, 202)
    place = re.sub(r"^https?://[^/]*", "", headers["location"])
    place += ("&" if "?" in place else "?") + f"digest=sha256:{package.hex}"
    status, _, answer = connection.send("PUT", place, package.bytes, "application/octet-stream")
    packages.expect(status, answer, 201)
    return f"v2/bench/blobs/sha256:{package.hex}"


def table(asked, work, what, ours, other, paths, connections):
    name, peer, their_paths = other
    mine, theirs = [], []
    for _ in range(asked.rounds):
        mine.append(wrk(asked, work, ours.port, paths, connections))
        theirs.append(wrk(asked, work, peer.port, their_paths, connections))
    rates = [(statistics.median(it[0] for it in side), statistics.median(it[1] for it in side)) for side in (mine, theirs)]
    at = 0 if connections == CONNECTIONS else 1
    unit = ("requests/s", "MiB/s")[at]
    print(f"  {what}: ours {rates[0][at]:.0f}, {name} {rates[1][at]:.0f} {unit}: {rates[0][at] / rates[1][at]:.2f} times")


def wrk(asked, work, port, paths, connections):
    """Requests per second, and MiB per second."""
    script = work / "paths.lua"
    listed = ", ".join(f'"/{it}"' for it in paths)
    script.write_text(
        f"local paths = {{{listed}}}\nlocal at = 0\n"
        "request = function()\n  at = at % #paths + 1\n  return wrk.format(nil, paths[at])\nend\n"
        "done = function(summary)\n"
        '  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.bytes, summary.duration,\n'
        "    summary.errors.status + summary.errors.read + summary.errors.connect))\nend\n",
        encoding="utf-8",
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{asked.seconds}s", "-s", script, f"http://127.0.0.1:{port}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    requests, size, micros, errors = map(int, re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", text).groups())
    if errors:
        raise SystemExit(f"{errors} errors of wrk at port {port}: {text}")
    return requests / micros * 1e6, size / micros * 1e6 / 1024 / 1024


def readable_by_all(data):
    """nginx's workers are another user where this runs as root; a data folder is its owner's alone."""
    data.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rX", data / "public"], check=True)
