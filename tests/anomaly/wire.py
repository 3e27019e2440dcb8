"""Packets and captures by hand: enough of Ethernet, IPv4, IPv6, TCP, UDP and ICMP for labelled captures."""
import ipaddress
import random
import struct


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(src, dst, protocol, payload, ttl=61, ident=None, frag=0):
    """frag: the 16 bits of flags and fragment offset (IPv4 only)."""
    s, d = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if s.version == 6:
        head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, ttl) + s.packed + d.packed
        return b"\2\0\0\0\0\1\2\0\0\0\0\2\x86\xdd" + head + payload
    ident = random.randrange(65536) if ident is None else ident
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, frag, ttl, protocol, 0) + s.packed + d.packed
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + head + payload


def pseudo(src, dst, protocol, length):
    s, d = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if s.version == 6:
        return s.packed + d.packed + struct.pack(">II", length, protocol)
    return s.packed + d.packed + struct.pack(">BBH", 0, protocol, length)


def tcp(src, sport, dst, dport, flags, seq=0, ack=0, data=b"", window=64240, options=b""):
    options += b"\0" * (-len(options) % 4)
    head = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (5 + len(options) // 4) << 4,
                       flags, window, 0, 0) + options
    total = checksum(pseudo(src, dst, 6, len(head) + len(data)) + head + data)
    return ip(src, dst, 6, head[:16] + struct.pack(">H", total) + head[18:] + data)


def udp_datagram(src, sport, dst, dport, data):
    head = struct.pack(">HHHH", sport, dport, 8 + len(data), 0)
    total = checksum(pseudo(src, dst, 17, len(head) + len(data)) + head + data) or 0xFFFF
    return head[:6] + struct.pack(">H", total) + data


def udp(src, sport, dst, dport, data=b""):
    return ip(src, dst, 17, udp_datagram(src, sport, dst, dport, data))


def icmp(src, dst, kind, code=0, rest=b"\0\0\0\0", data=b""):
    six = ipaddress.ip_address(src).version == 6
    head = struct.pack(">BBH", kind, code, 0) + rest + data
    total = checksum((pseudo(src, dst, 58, len(head)) if six else b"") + head)
    return ip(src, dst, 58 if six else 1, head[:2] + struct.pack(">H", total) + head[4:])


def echo(src, dst, ident, seq, reply=False, data=b"x" * 32):
    six = ipaddress.ip_address(src).version == 6
    kind = (129 if reply else 128) if six else (0 if reply else 8)
    return icmp(src, dst, kind, 0, struct.pack(">HH", ident, seq), data)


def unreachable(router, frame, code=None):
    """The error `router` sends for `frame`."""
    six = frame[12:14] == b"\x86\xdd"
    packet = frame[14:]
    src = str(ipaddress.ip_address(packet[8:24] if six else packet[12:16]))
    kind, usual = (1, 4) if six else (3, 3)
    return icmp(router, src, kind, usual if code is None else code, b"\0\0\0\0", packet[:68 if six else 28])


FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


class Capture:
    def __init__(self, seed):
        self.packets = []
        self.random = random.Random(seed)
        random.seed(seed)

    def add(self, when, frame):
        self.packets.append((when, len(self.packets), frame))

    def write(self, path, start):
        with open(path, "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for when, _, frame in sorted(self.packets):
                micros = round((start + when) * 1e6)
                out.write(struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(frame), len(frame)) + frame)

    # --- contacts; each returns the time it is over -------------------------------------------
    def probe(self, t, src, dst, port, answer="rst", sport=None, flags=SYN, rtt=0.02):
        """One packet and what comes back: rst, open (SYN/ACK, then a raw RST), silent, unreachable."""
        sport = sport or self.random.randrange(1024, 65000)
        seq = self.random.randrange(1 << 32)
        frame = tcp(src, sport, dst, port, flags, seq, 0 if flags == SYN else 77)
        self.add(t, frame)
        if answer == "rst":
            self.add(t + rtt, tcp(dst, port, src, sport, RST | ACK, 0, seq + 1))
        elif answer == "open":
            self.add(t + rtt, tcp(dst, port, src, sport, SYN | ACK, 900, seq + 1))
            self.add(t + rtt * 1.01, tcp(src, sport, dst, port, RST, seq + 1))
        elif answer == "unreachable":
            self.add(t + rtt, unreachable("192.0.2.254", frame, 1))
        return t + rtt

    def syn_repeated(self, t, src, dst, port):
        """A client of a dead host: asks again after 1 and 3 seconds."""
        sport = self.random.randrange(1024, 65000)
        for later in (0, 1.01, 3.03):
            self.add(t + later, tcp(src, sport, dst, port, SYN, 5))

    def connection(self, t, src, dst, port, talk=(), rtt=0.02, end="fin", pace=0.0, client_window=64240):
        """talk: pairs (from_client, bytes). end: fin, rst, none."""
        sport = self.random.randrange(1024, 65000)
        c, s = self.random.randrange(1 << 32), self.random.randrange(1 << 32)
        self.add(t, tcp(src, sport, dst, port, SYN, c))
        self.add(t + rtt / 2, tcp(dst, port, src, sport, SYN | ACK, s, c + 1))
        t += rtt
        c, s = c + 1, s + 1
        self.add(t, tcp(src, sport, dst, port, ACK, c, s, window=client_window))
        for from_client, data in talk:
            t += pace
            for at in range(0, max(len(data), 1), 1400):
                part = data[at:at + 1400]
                t += rtt / 8
                if from_client:
                    self.add(t, tcp(src, sport, dst, port, PSH | ACK, c, s, part, client_window))
                    c += len(part)
                    self.add(t + rtt / 8, tcp(dst, port, src, sport, ACK, s, c))
                else:
                    self.add(t, tcp(dst, port, src, sport, PSH | ACK, s, c, part))
                    s += len(part)
                    self.add(t + rtt / 8, tcp(src, sport, dst, port, ACK, c, s, window=client_window))
            t += rtt / 4
        if end == "fin":
            self.add(t, tcp(src, sport, dst, port, FIN | ACK, c, s))
            self.add(t + rtt / 2, tcp(dst, port, src, sport, FIN | ACK, s, c + 1))
            self.add(t + rtt, tcp(src, sport, dst, port, ACK, c + 1, s + 1))
        elif end == "rst":
            self.add(t, tcp(src, sport, dst, port, RST | ACK, c, s))
        return t

    def page(self, t, src, dst, path, status=200, body=900, host="shop.example", rtt=0.02, method="GET"):
        request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\n\r\n".encode()
        answer = f"HTTP/1.1 {status} X\r\nContent-Length: {body}\r\n\r\n".encode() + b"a" * body
        return self.connection(t, src, dst, 80, ((True, request), (False, answer)), rtt)

    def query(self, t, src, dst, name, rcode=0, answered=True, rtt=0.02, sport=None):
        sport = sport or self.random.randrange(1024, 65000)
        ident = self.random.randrange(65536)
        q = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0\0\1\0\1"
        self.add(t, udp(src, sport, dst, 53, struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 0) + q))
        if answered:
            record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1" if rcode == 0 else b""
            head = struct.pack(">HHHHHH", ident, 0x8180 | rcode, 1, 1 if record else 0, 0, 0)
            self.add(t + rtt, udp(dst, 53, src, sport, head + q + record))

    def datagram(self, t, src, sport, dst, dport, data=b"", answer=None, rtt=0.02):
        """answer: bytes, "refused", or None."""
        frame = udp(src, sport, dst, dport, data)
        self.add(t, frame)
        if answer == "refused":
            self.add(t + rtt, unreachable(dst, frame))
        elif answer is not None:
            self.add(t + rtt, udp(dst, dport, src, sport, answer))
