"""uv, pnpm and bun, installed where this benchmark keeps its tools, in versions that stay the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PYTHON = ["uv==0.13.8"]
NPM = ["pnpm@12.21.0", "bun@1.4.5"]
DEBIAN = {"nginx": "nginx-light", "zstd": "zstd", "curl": "curl", "tar": "tar", "npm": "npm", "time": "time"}


def programs():
    """Installs what the machine lacks, where root runs this on a Debian; else names it."""
    absent = [package for program, package in DEBIAN.items() if shutil.which(program) is None]
    if not absent:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit(f"this needs {', '.join(absent)}: install them first")
    print(f"installing {' '.join(absent)}", file=sys.stderr)
    subprocess.run(["apt-get", "update", "-q"], check=False, stdout=subprocess.DEVNULL)
    words = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *absent]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


def install(tools):
    """The path of each peer that can be had; one that cannot is named and left out."""
    wanted = "\n".join(PYTHON + NPM)
    complete = tools / "complete"
    if not complete.exists() or complete.read_text() != wanted:
        shutil.rmtree(tools, ignore_errors=True)
        tools.mkdir(parents=True)
        print(f"installing {' '.join(PYTHON + NPM)} into {tools}", file=sys.stderr)
        has_python = succeeds([sys.executable, "-m", "venv", tools / "python"])
        has_python = has_python and succeeds([tools / "python/bin/pip", "install", "-q", "--disable-pip-version-check", *PYTHON])
        has_npm = succeeds(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", tools / "npm", *NPM])
        if has_python and has_npm:
            complete.write_text(wanted)
    places = {
        "uv": tools / "python/bin/uv",
        "pnpm": tools / "npm/node_modules/.bin/pnpm",
        "bun": tools / "npm/node_modules/.bin/bun",
    }
    found = {name: place for name, place in places.items() if Path(place).exists()}
    for name in places.keys() - found.keys():
        print(f"{name} could not be installed, and is left out", file=sys.stderr)
    return found


def succeeds(words):
    done = subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(done.stderr[-1000:], file=sys.stderr)
    return done.returncode == 0
