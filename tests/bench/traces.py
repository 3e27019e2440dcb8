"""Captures for the benches: a sample repeated with other addresses and times, and a flood.

A copy differs from the sample in the third byte of every IPv4 address and the fourth word of every IPv6
address, so that its flows are new ones and private networks stay private; checksums follow (RFC 1624).
"""
import os
import random
import struct

GLOBAL_HEADER = 24
RECORD_HEADER = 16
ETHERNET = 1


class Sample:
    """The records of a capture file, and where in them the addresses and checksums stand."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        magic = self.data[:4]
        if magic not in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"):
            raise SystemExit(f"{path}: not a pcap file with microseconds")
        self.order = "<" if magic[0] == 0xD4 else ">"
        if struct.unpack_from(self.order + "I", self.data, 20)[0] != ETHERNET:
            raise SystemExit(f"{path}: not Ethernet")
        self.times, self.patches = [], []
        first = last = None
        at = GLOBAL_HEADER
        while at + RECORD_HEADER <= len(self.data):
            seconds, _, captured, _ = struct.unpack_from(self.order + "4I", self.data, at)
            first = seconds if first is None else min(first, seconds)
            last = seconds if last is None else max(last, seconds)
            self.times.append((at - GLOBAL_HEADER, seconds))
            self._addresses(at + RECORD_HEADER, at + RECORD_HEADER + captured)
            at += RECORD_HEADER + captured
        self.packets = len(self.times)
        self.span = last - first + 2

    def _addresses(self, start, end):
        type_at = start + 12
        while type_at + 2 <= end and self.data[type_at:type_at + 2] in (b"\x81\x00", b"\x88\xa8"):
            type_at += 4
        kind = self.data[type_at:type_at + 2]
        ip = type_at + 2
        if kind == b"\x08\x00" and ip + 20 <= end:
            header = (self.data[ip] & 15) * 4
            fragment = struct.unpack_from(">H", self.data, ip + 6)[0] & 0x1FFF
            checksums = [ip + 10]
            self._transport(checksums, self.data[ip + 9], ip + header, end, fragment)
            self._patch([ip + 14, ip + 18], checksums)
        elif kind == b"\x86\xdd" and ip + 40 <= end:
            checksums = []
            self._transport(checksums, self.data[ip + 6], ip + 40, end, 0)
            self._patch([ip + 14, ip + 30], checksums)

    def _transport(self, checksums, protocol, at, end, fragment):
        # The checksum of a fragmented datagram stands in its first fragment, and covers all of it.
        place = {6: at + 16, 17: at + 6, 58: at + 2}.get(protocol)
        if place is None or fragment or place + 2 > end:
            return
        if protocol == 17 and self.data[place:place + 2] == b"\0\0":
            return  # UDP without a checksum
        checksums.append(place)

    def _patch(self, words, checksums):
        self.patches.append(([w - GLOBAL_HEADER for w in words], [c - GLOBAL_HEADER for c in checksums]))

    def copy(self, number):
        """All records once more, as flows of their own."""
        out = bytearray(self.data[GLOBAL_HEADER:])
        shift = number * self.span
        for at, seconds in self.times:
            struct.pack_into(self.order + "I", out, at, seconds + shift)
        change = (number & 0xFF) << 8 | (number >> 8)
        for words, checksums in self.patches:
            added = 0
            for at in words:
                old = out[at] << 8 | out[at + 1]
                new = old ^ change
                out[at], out[at + 1] = new >> 8, new & 0xFF
                added += new - old
            for at in checksums:
                total = (0xFFFF - (out[at] << 8 | out[at + 1]) + added) % 0xFFFF
                total = 0xFFFF - total
                out[at], out[at + 1] = total >> 8, total & 0xFF
        return out


def repeat(sample_path, out_path, least_bytes):
    """Writes copies of the sample until there are `least_bytes`. Returns the number of packets."""
    sample = Sample(sample_path)
    copies = max(1, -(-least_bytes // (len(sample.data) - GLOBAL_HEADER)))
    if not os.path.exists(out_path):
        with open(out_path + ".part", "wb") as f:
            f.write(sample.data[:GLOBAL_HEADER])
            for number in range(copies):
                f.write(sample.copy(number))
        os.rename(out_path + ".part", out_path)
    return sample.packets * copies


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - ((total & 0xFFFF) + (total >> 16))


def flood(out_path, packets):
    """Frames of 60 bytes (64 with the frame check), half SYN, half UDP, each of a tuple of its own."""
    if os.path.exists(out_path):
        return packets
    draw = random.Random(1)
    block = []
    with open(out_path + ".part", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, ETHERNET))
        for i in range(packets):
            ports = draw.getrandbits(32)
            addresses = struct.pack(">II", draw.getrandbits(32), 0x0A000000 | draw.getrandbits(16))
            if i % 2 == 0:
                protocol, at = 6, 16
                body = struct.pack(">IIIHHHH", ports, i, 0, 0x5002, 8192, 0, 0)
            else:
                protocol, at = 17, 6
                body = struct.pack(">IHH", ports, 26, 0) + draw.getrandbits(144).to_bytes(18, "big")
            pseudo = addresses + struct.pack(">HH", protocol, len(body))
            body = body[:at] + struct.pack(">H", checksum(pseudo + body) or 0xFFFF) + body[at + 2:]
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), i & 0xFFFF, 0, 64, protocol, 0) + addresses
            ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
            frame = (b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0" + ip + body).ljust(60, b"\0")
            seconds, micros = divmod(i, 1_000_000)
            block.append(struct.pack("<4I", 1_700_000_000 + seconds, micros, 60, 60) + frame)
            if len(block) == 65536:
                f.write(b"".join(block))
                block.clear()
        f.write(b"".join(block))
    os.rename(out_path + ".part", out_path)
    return packets
