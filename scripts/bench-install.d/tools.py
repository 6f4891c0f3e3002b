"""The command of each tool, where it may write, and how it is measured."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import trees

PEERS = ("uv", "pnpm", "bun")

# Nobody but our own server may be asked: a peer that overlooks its settings must fail, not look our names up elsewhere.
NO_NETWORK = {it: "http://127.0.0.1:9" for it in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
NO_NETWORK |= {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


@dataclass
class Command:
    words: list
    folder: Path | None = None
    environment: dict = field(default_factory=dict)


@dataclass
class Figure:
    seconds: float
    peak_mib: float | None = None


class Bench:
    def __init__(self, asked, work, base):
        self.client = asked.provisioning
        self.peers = asked.peers
        self.work = work
        self.base = base
        self.out = work / "out"

    def clear(self):
        """Nothing is installed and every cache is empty; what earlier runs wrote is on the disk."""
        if self.out.exists():
            subprocess.run(["chmod", "-R", "u+w", self.out], check=True)
            shutil.rmtree(self.out)
        self.out.mkdir()
        os.sync()

    def drop(self, name):
        subprocess.run(["chmod", "-R", "u+w", self.out / name], check=True)
        shutil.rmtree(self.out / name)
        os.sync()

    def cold(self, name):
        """One command for each tool that installs the whole case."""
        packages = trees.names(name)
        commands = {"curl": self.curl(packages), "provisioning": self.ours("install", *packages)}
        makers = {"uv": self.uv, "pnpm": self.pnpm, "bun": self.bun}
        commands |= {peer: makers[peer](packages) for peer in PEERS if peer in self.peers}
        return commands

    def curl(self, packages):
        script = f'for it; do curl -sf {self.base}/zst/$it.tar.zst | tar --zstd -x; done'
        return Command(["sh", "-ec", script, "sh", *packages], self.out / "curl")

    def ours(self, *words, prefix="prefix"):
        home = self.out / "ours"
        environment = {
            "HOME": home,
            "XDG_CONFIG_HOME": home / "config",
            "XDG_CACHE_HOME": home / "cache",
            "XDG_STATE_HOME": home / "state",
            "PROVISIONING_PREFIX": self.out / prefix,
            "PROVISIONING_REGISTRY": f"{self.base}/registry/",
        }
        return Command([self.client, *words], None, environment)

    def uv(self, packages):
        words = [self.peers["uv"], "pip", "install", "-q", "--python", sys.executable, "--no-config", "--target", self.out / "uv"]
        words += ["--default-index", f"{self.base}/simple/", *packages]
        return Command(words, None, {"UV_CACHE_DIR": self.out / "uv-cache", "HOME": self.out / "uv-home"})

    def pnpm(self, packages):
        home = self.out / "pnpm-home"
        environment = {
            "HOME": home,
            "XDG_CACHE_HOME": home / "cache",
            "XDG_STATE_HOME": home / "state",
            "CI": "1",
        }
        words = ["--no-frozen-lockfile", "--silent", f"--store-dir={self.out}/pnpm-store", f"--registry={self.base}/npm/"]
        return Command(self.project("pnpm", packages) + words, self.out / "pnpm", environment)

    def bun(self, packages):
        environment = {
            "HOME": self.out / "bun-home",
            "BUN_INSTALL_CACHE_DIR": self.out / "bun-cache",
        }
        return Command(self.project("bun", packages) + ["--silent", f"--registry={self.base}/npm/"], self.out / "bun", environment)

    def project(self, peer, packages):
        body = json.dumps({"name": "bench", "version": "1.0.0", "dependencies": {it: "1.0.0" for it in packages}})
        script = 'printf "%s" "$1" >package.json; printf "registry=%s\\n" "$2" >.npmrc; shift 2; exec "$@" --ignore-scripts'
        return ["sh", "-ec", script, "sh", body, f"{self.base}/npm/", self.peers[peer], "install"]

    def hard_links(self):
        return Command(["cp", "-al", self.out / "prefix/lib/provisioning/store", self.out / "links"])

    def drop_links(self):
        self.drop("links")

    def run(self, command):
        """How long it takes. What it says is shown only where it fails."""
        log = self.work / "log"
        with open(log, "wb") as errors:
            started = time.perf_counter()
            process = self.start(command, [], errors)
            status = process.wait()
            seconds = time.perf_counter() - started
        if status != 0:
            shown = " ".join(map(str, command.words[:2]))
            raise SystemExit(f"{shown} … failed with {status}:\n{log.read_text()[-2000:]}")
        return Figure(seconds)

    def peak(self, command):
        """Its most resident memory in MiB, in a run of its own: what a process was before it became the command counts
        too, so a small one has to start it."""
        figure = self.work / "peak"
        if self.start(command, ["time", "-f", "%M", "-o", figure], subprocess.DEVNULL).wait() != 0:
            raise SystemExit(f"{command.words[0]} failed while its memory was measured")
        return int(figure.read_text().split()[-1]) / 1024

    def start(self, command, before, out):
        if command.folder:
            command.folder.mkdir(parents=True, exist_ok=True)
        environment = {"PATH": os.environ["PATH"]} | NO_NETWORK | {name: str(it) for name, it in command.environment.items()}
        words = [*before, *command.words]
        return subprocess.Popen(words, cwd=command.folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def check(self, tool, name):
        """Every tool has written the same files: the last one of the last package stands for them."""
        package = trees.names(name)[-1]
        inside = {"small": "folder-199/file-099.txt", "many": "folder-004/file-009.txt", "big": "data"}[name]
        place = {
            "curl": f"curl/{package}",
            "provisioning": f"prefix/share/provisioning/extensions/{package}",
            "uv": f"uv/{package}",
            "pnpm": f"pnpm/node_modules/{package}",
            "bun": f"bun/node_modules/{package}",
        }[tool]
        found, wanted = self.out / place / inside, self.work / "trees" / package / inside
        if found.stat().st_size != wanted.stat().st_size:
            raise SystemExit(f"{tool} wrote another `{found}`")
