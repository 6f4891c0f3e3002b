#!/usr/bin/env python3
"""Reads every target of a registry with python-tuf's client, given its base URL and root.

    read_everything.py BASE_URL ROOT_FILE [--now 2026-01-01T00:00:00Z]

Refreshes, loads every delegated role (all bins too), asks for every target by its path as a
client would, downloads it and lets python-tuf verify it. Prints one line of JSON and exits 0,
or says what failed and exits 1. Needs the Python package `tuf` (7.0.1 was tried).
"""

import argparse
import datetime
import json
import pathlib
import sys
import tempfile

from tuf.ngclient import Updater


def roles_of(updater):
    """Every role with its targets metadata, verified, from `targets` down."""
    waiting = [("targets", "root")]
    seen = set()
    while waiting:
        name, parent = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        # The public interface loads a role only on the way to a path; empty bins have none.
        signed = updater._load_targets(name, parent)
        yield name, signed
        if signed.delegations is not None:
            waiting += [(role.name, name) for role in signed.delegations.roles.values()]


def read(base, root, now, folder):
    updater = Updater(
        metadata_dir=str(folder / "metadata"),
        metadata_base_url=base + "metadata/",
        target_dir=str(folder / "targets"),
        target_base_url=base + "targets/",
        bootstrap=root,
    )
    if now is not None:
        updater._trusted_set.reference_time = now
    updater.refresh()
    roles = dict(roles_of(updater))
    listed = {}
    for name, signed in roles.items():
        for path in signed.targets:
            listed.setdefault(path, name)
    for number, (path, role) in enumerate(sorted(listed.items())):
        info = updater.get_targetinfo(path)
        if info is None:
            raise SystemExit(f"role `{role}` lists `{path}`, but no delegation leads there")
        updater.download_target(info, str(folder / "targets" / str(number)))
    return {"roles": len(roles), "targets": len(listed), "paths": sorted(listed)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", help="the registry's base URL")
    parser.add_argument("root", type=pathlib.Path, help="the pinned root's file")
    parser.add_argument("--now", help="judge expiry at this time")
    arguments = parser.parse_args()
    base = arguments.base.rstrip("/") + "/"
    now = None
    if arguments.now is not None:
        now = datetime.datetime.strptime(arguments.now, "%Y-%m-%dT%H:%M:%SZ")
        now = now.replace(tzinfo=datetime.timezone.utc)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "metadata").mkdir()
        (folder / "targets").mkdir()
        print(json.dumps(read(base, arguments.root.read_bytes(), now, folder)))


if __name__ == "__main__":
    sys.exit(main())
