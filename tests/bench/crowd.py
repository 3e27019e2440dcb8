"""A capture of a million sources, a spoofed flood and one scanner among them, and what is found in it.

A minute (200 MB, in the directory for temporary files, removed at the end): each source asks one question and gets an
answer, half as many forged SYNs go to one host, and one host asks another for 200 ports, which are refused.
"""
import json
import os
import random
import resource
import struct
import tempfile
from typing import NamedTuple

import program

SECONDS = 60
PROBES = 200
SCANNER, SCANNED, FLOODED = "198.51.100.77", "10.1.0.9", "10.1.0.5"
ETHERNET = bytes.fromhex("020000000001020000000002") + b"\x08\x00"
SYN, RST_ACK = 0x02, 0x14


def number(address):
    return struct.unpack(">I", bytes(map(int, address.split("."))))[0]


def fold(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def halves(value):
    return (value >> 16) + (value & 0xFFFF)


def packet(us, protocol, source, target, transport):
    """A record of the capture; `transport` without its checksum, which is set for TCP."""
    length = 20 + len(transport)
    parties = halves(source) + halves(target)
    if protocol == 6:
        words = sum(struct.unpack(f">{len(transport) // 2}H", transport))
        transport = transport[:16] + struct.pack(">H", fold(words + parties + 6 + len(transport))) + transport[18:]
    total = 0x4500 + length + 0x4000 + 0x4000 + protocol + parties
    ip = struct.pack(">HHIBBHII", 0x4500, length, 0x4000, 64, protocol, fold(total), source, target)
    size = 34 + len(transport)
    return struct.pack("<IIII", 1_700_000_000 + us // 1_000_000, us % 1_000_000, size, size) + ETHERNET + ip + transport


def tcp(source_port, target_port, flags, acknowledged=0):
    return struct.pack(">HHIIBBHHH", source_port, target_port, 1, acknowledged, 0x50, flags, 64240, 0, 0)


def udp(source_port, target_port):
    return struct.pack(">HHHH4s", source_port, target_port, 12, 0, b"ping")


def capture(path, sources):
    dice = random.Random(5)
    servers = [number("10.2.0.0") + n for n in range(1, 201)]
    flooded, scanner, scanned = number(FLOODED), number(SCANNER), number(SCANNED)
    step = SECONDS * 1_000_000 / sources
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        batch, probes = [], 0
        for n in range(sources):
            us = int(n * step)
            # An odd multiplier: each number once, in no order.
            client = 0x14000000 + n * 2654435761 % (1 << 26)
            server, port = servers[n % len(servers)], 1024 + n % 60000
            batch.append(packet(us, 17, client, server, udp(port, 5000)))
            batch.append(packet(us + 5, 17, server, client, udp(5000, port)))
            if n % 2:
                forged = dice.getrandbits(31) | 0x40000000
                batch.append(packet(us + 8, 6, forged, flooded, tcp(1024 + n % 60000, 80, SYN)))
            if n * PROBES // sources >= probes:
                batch.append(packet(us + 10, 6, scanner, scanned, tcp(40000, 2000 + probes, SYN)))
                batch.append(packet(us + 14, 6, scanned, scanner, tcp(2000 + probes, 40000, RST_ACK, 2)))
                probes += 1
            if len(batch) > 4096:
                out.write(b"".join(batch))
                batch = []
        out.write(b"".join(batch))


class Seen(NamedTuple):
    off: float  # peak of memory without detectors, MiB
    on: float
    found: bool  # the scanner
    flooded: bool  # the flood
    strangers: int  # sources of events that are neither


def observe(ids, sources):
    """Runs `ids` over the capture with detectors off and on."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "crowd.pcap")
        capture(path, sources)
        off, on = (program.detect(ids, path, which, directory).memory for which in ("off", "on"))
        # A child begins with the peak of its parent (getrusage), which would hide its own.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if off <= own:
            raise SystemExit(f"crowd: {sources} sources take less than this program's own {own:.0f} MiB: ask for more")
        # Without detectors there are none.
        with open(os.path.join(directory, "eve.json")) as f:
            events = [json.loads(line) for line in f]
    found = flooded = False
    strangers = 0
    for detection in (event["detection"] for event in events if "detection" in event):
        found |= detection["class"].startswith("scan.") and detection["sources"] == [SCANNER]
        flooded |= detection["class"] == "dos.synflood" and FLOODED in detection["targets"]
        strangers += sum(source != SCANNER for source in detection["sources"])
    return Seen(off, on, found, flooded, strangers)
