"""The same files in every tool's packing: our folders, npm's tgz and packuments, wheels and a simple index, tar.zst."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
import zipfile

TITLES = {
    "small": "one package of 20,000 small files",
    "many": "200 packages of 50 files",
    "big": "one package of one large incompressible file",
}
WORDS = "registry package archive digest prefix store generation channel bundle matrix serial plan solve entry target".split()
SERVER = "http://127.0.0.1:PORT"


def names(name):
    return [f"p{number:03}" for number in range(200)] if name == "many" else [name]


def make(work, name, big_mib):
    """Makes tree and archives of one case, unless they are there."""
    for index, package in enumerate(names(name)):
        tree = work / "trees" / package
        if not (work / "zst" / f"{package}.tar.zst").exists():
            write_tree(tree, name, index, big_mib)
            write_zst(work, package, tree)
            write_npm(work, package, tree, fast=name == "big")
            write_wheel(work, package, tree, fast=name == "big")


def text(source):
    length = source.randrange(200, 4000)
    words = source.choices(WORDS, k=length // 6)
    return f"{source.getrandbits(256):x} {' '.join(words)}\n".encode()


def write_tree(tree, name, index, big_mib):
    source = random.Random(f"{name} {index}")
    tree.mkdir(parents=True)
    manifest = f'[extension]\nname = "{tree.name}"\nversion = "1.0.0"\ntype = "taskserv"\n'
    (tree / "manifest.toml").write_text(manifest)
    if name == "big":
        with open(tree / "data", "wb") as file:
            for _ in range(big_mib):
                file.write(os.urandom(1 << 20))
        return
    folders, files = (200, 100) if name == "small" else (5, 10)
    for folder in range(folders):
        place = tree / f"folder-{folder:03}"
        place.mkdir()
        for file in range(files):
            (place / f"file-{file:03}.txt").write_bytes(text(source))


def write_zst(work, package, tree):
    place = work / "zst"
    place.mkdir(exist_ok=True)
    tar = ["tar", "--sort=name", "--zstd", "-cf", place / f"{package}.tar.zst", "-C", tree.parent, package]
    subprocess.run(tar, check=True)


def files_of(tree):
    for folder, folders, files in os.walk(tree):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(folder, file)
            yield path, os.path.relpath(path, tree)


def write_npm(work, package, tree, fast):
    place = work / "npm" / package
    place.mkdir(parents=True)
    description = {"name": package, "version": "1.0.0"}
    tgz = place / f"{package}-1.0.0.tgz"
    with gzip.GzipFile(tgz, "wb", compresslevel=0 if fast else 6, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            body = json.dumps(description).encode()
            head = tarfile.TarInfo("package/package.json")
            head.size = len(body)
            archive.addfile(head, io.BytesIO(body))
            for path, inside in files_of(tree):
                archive.add(path, f"package/{inside}")
    sha512, sha1 = hashlib.sha512(), hashlib.sha1()
    with open(tgz, "rb") as file:
        while block := file.read(1 << 20):
            sha512.update(block)
            sha1.update(block)
    description["dist"] = {
        "tarball": f"{SERVER}/npm/{package}/{tgz.name}",
        "integrity": "sha512-" + base64.b64encode(sha512.digest()).decode(),
        "shasum": sha1.hexdigest(),
    }
    packument = {
        "name": package,
        "dist-tags": {"latest": "1.0.0"},
        "time": {"1.0.0": "2020-01-01T00:00:00.000Z", "modified": "2020-01-01T00:00:00.000Z"},
        "modified": "2020-01-01T00:00:00.000Z",
        "versions": {"1.0.0": description},
    }
    (place / "packument.json").write_text(json.dumps(packument))


def write_wheel(work, package, tree, fast):
    place = work / "simple" / package
    place.mkdir(parents=True)
    wheel = place / f"{package}-1.0.0-py3-none-any.whl"
    info = f"{package}-1.0.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n"
    record = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED if fast else zipfile.ZIP_DEFLATED) as archive:
        for path, inside in files_of(tree):
            archive.write(path, f"{package}/{inside}")
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
            shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            record.append(f"{package}/{inside},sha256={shown},{os.path.getsize(path)}")
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        record += [f"{info}/METADATA,,", f"{info}/WHEEL,,", f"{info}/RECORD,,"]
        archive.writestr(f"{info}/RECORD", "\n".join(record) + "\n")
    (place / f"{wheel.name}.metadata").write_text(metadata)
    with open(wheel, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    core = hashlib.sha256(metadata.encode()).hexdigest()
    link = f'<a href="{wheel.name}#sha256={digest}" data-core-metadata="sha256={core}">{wheel.name}</a>'
    (place / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")
