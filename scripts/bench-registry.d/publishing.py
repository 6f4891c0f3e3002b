"""Publishes per second, durable and signed."""

import multiprocessing
import os
import statistics
import time

import packages
import servers

SMALL_BYTES = 2048
CLIENTS = 8


def measure(asked, work):
    print(f"\npublishing ({asked.rounds} rounds of {asked.publishes} packages a client, medians)")
    engines = {"SQLite": []}
    postgres = os.environ.get("PROVISIONING_TEST_POSTGRES")
    if postgres:
        engines["PostgreSQL"] = ["--database", f"{postgres}/postgres"]
    started, rates = {}, {}
    try:
        for name, more in engines.items():
            started[name] = servers.registry(asked.registry, work / f"publish-{name}", *more).__enter__()
        for turn in range(asked.rounds):
            for name in engines:
                token = (work / f"publish-{name}" / "admin-token").read_text(encoding="utf-8").strip()
                for clients in (1, CLIENTS):
                    rate = publish(started[name].port, token, f"{turn}-{clients}", clients, asked.publishes)
                    rates.setdefault((name, clients), []).append(rate)
        for (name, clients), found in rates.items():
            print(f"  {name}, {clients} at once: {statistics.median(found):.0f} packages/s (rounds: {[round(it) for it in found]})")
        for name, server in started.items():
            print(f"  memory with {name}: {server.peak_mib():.0f} MiB at most")
    finally:
        for server in started.values():
            server.__exit__()


def publish(port, token, turn, clients, count):
    """How many packages a second `clients` publish together."""
    barrier = multiprocessing.Barrier(clients + 1)
    running = [
        multiprocessing.Process(target=client, args=(port, token, f"p-{turn}-{number}", count, barrier)) for number in range(clients)
    ]
    for it in running:
        it.start()
    barrier.wait()
    started = time.perf_counter()
    for it in running:
        it.join()
    took = time.perf_counter() - started
    if any(it.exitcode for it in running):
        raise SystemExit("a publisher failed")
    return clients * count / took


def client(port, token, name, count, barrier):
    made = [packages.Package(f"{name}-{number}", SMALL_BYTES) for number in range(count)]
    connection = packages.Connection(port, token)
    barrier.wait()
    for package in made:
        connection.publish(package)
