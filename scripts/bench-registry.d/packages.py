"""Small packages, and what a publisher sends of them, over one connection."""

import gzip
import hashlib
import io
import json
import random
import socket
import tarfile


class Package:
    """One extension with one archive of about `size` bytes that do not compress."""

    def __init__(self, name, size):
        self.name = name
        manifest = f'[extension]\nname = "{name}"\nversion = "1.0.0"\ntype = "taskserv"\ndescription = "a package"\n'
        content = random.Random(name).randbytes(size)
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as out:
            for path, data in (("content", content), ("manifest.toml", manifest.encode())):
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(data), 0o644
                out.addfile(entry, io.BytesIO(data))
        self.bytes = gzip.compress(tar.getvalue(), 6, mtime=0)
        self.hex = hashlib.sha256(self.bytes).hexdigest()

    def declaration(self):
        archive = {"target": "any", "digest": f"sha256:{self.hex}", "size": len(self.bytes)}
        version = {"kind": "extension", "name": self.name, "version": "1.0.0", "archives": [archive]}
        return json.dumps({"versions": [version]}).encode()


class Connection:
    """HTTP/1.1 as little as it takes, so that the client costs little beside the server."""

    def __init__(self, port, token=None):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.token = f"Authorization: Bearer {token}\r\n" if token else ""

    def send(self, method, path, body=b"", content_type="application/json"):
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\n{self.token}Content-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)
        status = int(self.file.readline().split()[1])
        headers = {}
        for line in iter(self.file.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        answer = self.file.read(int(headers.get("content-length", 0)))
        return status, headers, answer

    def publish(self, package):
        status, _, answer = self.send("POST", "/api/v1/sessions", package.declaration())
        expect(status, answer, 201)
        session = json.loads(answer)["session"]
        path = f"/api/v1/sessions/{session}"
        put = self.send("PUT", f"{path}/archives/{package.hex}", package.bytes, "application/octet-stream")
        expect(put[0], put[2], 200)
        status, _, answer = self.send("POST", f"{path}/finalize")
        expect(status, answer, 201)
        assert json.loads(answer)["state"] == "visible", answer


def expect(status, answer, wanted):
    if status != wanted:
        raise SystemExit(f"{status} instead of {wanted}: {answer.decode(errors='replace')}")
