"""The static files of a real registry, and one nginx that serves them and the peers' files."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

import trees

CONFIGURATION = """
daemon off;
worker_processes 2;
pid {work}/nginx.pid;
error_log {work}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    types {{ text/html html; application/json json; }}
    default_type application/octet-stream;
    client_body_temp_path {work}/nginx; proxy_temp_path {work}/nginx; fastcgi_temp_path {work}/nginx;
    uwsgi_temp_path {work}/nginx; scgi_temp_path {work}/nginx;
    server {{
        listen 127.0.0.1:{port};
        root {work};
        location /npm/ {{ try_files $uri $uri/packument.json =404; }}
        location /simple/ {{ index index.html; }}
    }}
}}
"""


def publish(client, registry, work, cases):
    """Builds our archives, publishes them to a registry of their own, and takes its static side."""
    packages = [it for case in cases for it in trees.names(case)]
    if all((work / "published" / it).exists() for it in packages):
        return
    for it in ("registry", "published", "data", "archives", "home"):
        shutil.rmtree(work / it, ignore_errors=True)
    (work / "archives").mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(work / "home")}

    def ours(*words):
        subprocess.run([client, *words], check=True, env=environment, stdout=subprocess.DEVNULL)

    for it in packages:
        ours("package", "build", work / "trees" / it, "-o", work / "archives")
    serve = [registry, "serve", "--data", work / "data", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        address = next(line for line in process.stdout if "listening on" in line).split()[-1]
        environment["PROVISIONING_REGISTRY"] = address
        environment["PROVISIONING_TOKEN"] = (work / "data/admin-token").read_text().strip()
        archives = sorted((work / "archives").iterdir())
        for start in range(0, len(archives), 50):
            ours("publish", *archives[start : start + 50])
        with urllib.request.urlopen(f"{address}/.well-known/provisioning-registry.json") as answer:
            discovery = json.load(answer)
    finally:
        process.kill()
        process.wait()
    shutil.copytree(work / "data/public", work / "registry")
    (work / "registry/.well-known").mkdir(exist_ok=True)
    (work / "registry/.well-known/provisioning-registry.json").write_text(json.dumps(discovery | {"api": None}))
    # nginx's workers are somebody else where root started them.
    subprocess.run(["chmod", "-R", "a+rX", work], check=True)
    (work / "published").mkdir()
    for it in packages:
        (work / "published" / it).touch()


class Nginx:
    def __init__(self, work):
        self.work = work

    def __enter__(self):
        port_file = self.work / "port"
        # The port stands in npm's documents, so a kept folder is served under the same one.
        if port_file.exists():
            port = int(port_file.read_text())
        else:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            port_file.write_text(str(port))
        for packument in (self.work / "npm").glob("*/packument.json"):
            written = packument.read_text()
            if ":PORT" in written:
                packument.write_text(written.replace(":PORT", f":{port}"))
        (self.work / "nginx").mkdir(exist_ok=True)
        configuration = self.work / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(work=self.work, port=port))
        self.process = subprocess.Popen(["nginx", "-p", self.work, "-c", configuration], stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return f"http://127.0.0.1:{port}"
            except OSError:
                time.sleep(0.05)
        raise SystemExit((self.work / "nginx.log").read_text())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
