"""Starting and ending the servers that are compared."""

import os
import re
import socket
import statistics
import subprocess
import time


def sync_ms(folder):
    """How long this disk takes to make a small write durable."""
    path = folder / "sync"
    took = []
    handle = os.open(path, os.O_CREAT | os.O_WRONLY)
    for _ in range(50):
        os.write(handle, b"x" * 4096)
        started = time.perf_counter()
        os.fdatasync(handle)
        took.append((time.perf_counter() - started) * 1000)
    os.close(handle)
    path.unlink()
    return statistics.median(took)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server that is ended, by its process, at the end of a `with`."""

    def __init__(self, command, port=None, **options):
        self.port = port
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)

    def __enter__(self):
        if self.port is None:
            line = self.process.stdout.readline()
            found = re.match(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if not found:
                raise SystemExit(f"the registry said: {line!r}")
            self.port = int(found.group(1))
        wait_for(self.port, self.process)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def peak_mib(self):
        """The most memory that it ever had, in MiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0


def wait_for(port, process):
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{process.args[0]} does not answer")


def registry(program, data, *more):
    return Process([program, "serve", "--data", data, "--listen", "127.0.0.1:0", *more])


def nginx(folder, root):
    """nginx with one worker for each processor, no log, and the file cache that its manual advises."""
    folder.mkdir()
    port = free_port()
    (folder / "conf").write_text(
        f"""
daemon off; worker_processes auto; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=10000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
""",
        encoding="utf-8",
    )
    return Process(["nginx", "-c", folder / "conf", "-p", folder], port)


def pypiserver(program, folder):
    port = free_port()
    return Process([program, "run", "-p", str(port), "-i", "127.0.0.1", "--disable-fallback", folder], port)


def docker_registry(program, folder):
    port = free_port()
    folder.mkdir()
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
        encoding="utf-8",
    )
    return Process([program, "serve", folder / "config.yml"], port)
