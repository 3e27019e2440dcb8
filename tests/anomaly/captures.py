#!/usr/bin/env python3
"""Labelled captures of scans, denial of service and benign traffic that looks alike: other shapes, rates and
addresses than anybody tunes to, IPv4 and IPv6, two attacks at once, scans inside floods. Written packet by packet
from a fixed seed, so that every run gives the same captures.

    captures.py DIR        makes DIR/NAME/input.pcap and DIR/NAME/label.json
"""
import json
import os
import struct
import sys
import zlib

from wire import ACK, FIN, PSH, RST, SYN, URG, Capture, echo, icmp, ip, tcp, udp, udp_datagram, unreachable

START = 1_790_000_000.0
HOME = "172.20.8."       # servers
HOME6 = "2001:db8:8::"
CASES = {}


def case(klass, **label):
    def register(make):
        CASES[make.__name__.replace("_", "-")] = (make, dict({"class": klass, "attack": not klass.startswith("benign")}, **label))
        return make
    return register


def background(c, until, begin=0.0):
    """An office and its servers."""
    t, n = begin, 0
    while t < until:
        n += 1
        c.page(t, f"192.0.2.{n % 200 + 1}", HOME + "10", f"/p{n % 37}", body=400 + n % 900, rtt=0.03)
        if n % 3 == 0:
            c.query(t + 0.01, f"172.20.9.{n % 50 + 1}", "203.0.113.53", f"host{n % 90}.example.org")
        if n % 4 == 0:
            c.connection(t, f"172.20.9.{n % 50 + 1}", f"203.0.113.{n % 80 + 1}", 443,
                         ((True, b"\x16\x03\1" + b"h" * 300), (False, b"s" * 2500), (True, b"k" * 120)))
        if n % 11 == 0:
            c.probe(t, f"172.20.9.{n % 50 + 1}", f"203.0.113.{n % 7 + 200}", 443, "rst")
        if n % 13 == 0:
            c.syn_repeated(t, f"172.20.9.{n % 50 + 1}", f"203.0.113.{n % 5 + 220}", 25)
        t += 0.05 + c.random.random() * 0.1


def ports(c, n, low=1, high=65000):
    return c.random.sample(range(low, high), n)


# --- scans ---------------------------------------------------------------------------------------
@case("scan.syn.vertical", attackers=["198.19.0.9"], victims=[HOME + "15"])
def scan_random_ports(c):
    background(c, 12)
    for i, port in enumerate(ports(c, 300)):
        c.probe(3 + i * 0.013, "198.19.0.9", HOME + "15", port, "open" if i % 40 == 39 else "rst", sport=20000 + i)


@case("scan.syn.vertical", attackers=["198.19.0.10"], victims=[HOME + "16"])
def scan_behind_a_filter(c):
    background(c, 14)
    for i, port in enumerate(ports(c, 120)):
        c.probe(3 + i * 0.05, "198.19.0.10", HOME + "16", port, "silent")


@case("scan.syn.vertical", attackers=["2001:db8:66::5"], victims=[HOME6 + "15"])
def scan_ipv6_ports(c):
    background(c, 10)
    for i, port in enumerate(ports(c, 200, 1, 2000)):
        c.probe(2 + i * 0.02, "2001:db8:66::5", HOME6 + "15", port, "rst")


@case("scan.syn.horizontal", attackers=["2001:db8:66::7"], victims=[HOME6 + "/112"])
def scan_ipv6_hosts(c):
    background(c, 10)
    for i in range(150):
        c.probe(2 + i * 0.02, "2001:db8:66::7", HOME6 + f"{i + 256:x}", 22, "rst" if i % 3 == 0 else "unreachable")


@case("scan.syn.horizontal", attackers=["172.20.9.77"], victims=["203.0.113.0/24", "198.51.100.0/24"])
def scan_worm_from_inside(c):
    background(c, 10)
    for i in range(240):
        host = f"203.0.113.{i % 250 + 1}" if i % 2 else f"198.51.100.{i % 250 + 1}"
        if i % 9 == 0:
            c.connection(2 + i * 0.03, "172.20.9.77", host, 445, ((True, b"\0\0\0\x40\xffSMB" + b"x" * 60),), end="rst")
        else:
            c.probe(2 + i * 0.03, "172.20.9.77", host, 445, c.random.choice(["rst", "silent", "silent", "unreachable"]))


@case("scan.syn.block", also=["scan.syn.horizontal", "scan.syn.vertical"], attackers=["198.19.0.14"], victims=[HOME + "0/24"])
def scan_block_of_six_ports(c):
    background(c, 12)
    n = 0
    for host in range(60, 110):
        for port in (21, 23, 3389, 5900, 8081, 9200):
            c.probe(2 + n * 0.015, "198.19.0.14", HOME + str(host), port, "rst")
            n += 1


@case("scan.connect", also=["scan.syn.vertical"], attackers=["198.19.0.15"], victims=[HOME + "17"])
def scan_with_connections(c):
    background(c, 10)
    for i, port in enumerate(ports(c, 200, 1, 3000)):
        if i % 10 == 4:
            c.connection(2 + i * 0.02, "198.19.0.15", HOME + "17", port, end="rst")
        else:
            c.probe(2 + i * 0.02, "198.19.0.15", HOME + "17", port, "rst")


@case("scan.syn.vertical", also=["scan.connect", "scan.syn.block"], attackers=["198.19.0.16"], victims=[HOME + "0/24"])
def scan_washed_with_open_ports(c):
    """Ten whole visits to ports that are known to be open for each port that is asked for."""
    background(c, 14)
    for i, port in enumerate(ports(c, 80, 1024, 9000)):
        for n in range(10):
            t, host = 2 + i * 0.12 + n * 0.01, HOME + ("10" if n % 2 else "25")
            c.connection(t, "198.19.0.16", host, (80, 443, 22)[n % 3], ((True, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (False, b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok")))
        c.probe(2.11 + i * 0.12, "198.19.0.16", HOME + "25", port, "rst")


for flags, klass, name in ((FIN, "scan.fin", "fin"), (0, "scan.null", "null"), (FIN | PSH | URG, "scan.xmas", "xmas"), (ACK, "scan.ack", "ack")):
    address = f"198.19.1.{flags + 1}"
    def make(c, flags=flags, address=address):
        background(c, 10)
        for i, port in enumerate(ports(c, 120)):
            c.probe(2 + i * 0.03, address, HOME + "18", port, "rst" if i % 3 else "silent", flags=flags)
    make.__name__ = f"scan_{name}_slower"
    case(klass, attackers=[address], victims=[HOME + "18"])(make)


@case("scan.udp", attackers=["198.19.0.19"], victims=[HOME + "19"])
def scan_udp_ports(c):
    background(c, 14)
    for i, port in enumerate(ports(c, 150)):
        # Kernels limit their errors to one in a second for each peer, after a first handful.
        c.datagram(2 + i * 0.06, "198.19.0.19", 4000 + i, HOME + "19", port, b"", "refused" if i < 12 or i % 16 == 0 else None)


@case("scan.sweep.icmp", attackers=["2001:db8:66::20"], victims=[HOME6 + "/112"])
def sweep_ipv6(c):
    background(c, 10)
    for i in range(120):
        to = HOME6 + f"{i + 1:x}"
        c.add(2 + i * 0.03, echo("2001:db8:66::20", to, 4, i))
        if i % 6 == 0:
            c.add(2.01 + i * 0.03, echo(to, "2001:db8:66::20", 4, i, True))


@case("scan.slow", also=["scan.syn.vertical"], attackers=["198.19.0.21"], victims=[HOME + "15"])
def scan_two_minutes_a_probe(c):
    background(c, 20)
    background(c, 4100, 4090)
    for i, port in enumerate(ports(c, 30)):
        c.probe(10 + i * 130, "198.19.0.21", HOME + "15", port, "rst")
        c.page(15 + i * 130, f"192.0.2.{i + 1}", HOME + "10", "/")


@case("scan.distributed", attackers=[f"198.19.{i}.{i * 5 + 1}" for i in range(40)], victims=[HOME + "20"], also=["scan.syn.vertical"])
def scan_shared_by_forty(c):
    background(c, 16)
    for i, port in enumerate(ports(c, 360, 1, 20000)):
        c.probe(2 + i * 0.03, f"198.19.{i % 40}.{i % 40 * 5 + 1}", HOME + "20", port, "rst")


@case("scan.decoy", also=["scan.distributed", "scan.syn.vertical"], attackers=["198.19.0.24"], victims=[HOME + "21"],
      decoys=[f"198.19.{i}.77" for i in range(1, 6)])
def scan_with_five_decoys(c):
    background(c, 10)
    for i, port in enumerate(ports(c, 80)):
        for k in range(6):
            src = "198.19.0.24" if k == 2 else f"198.19.{k if k < 2 else k}.77" if k else "198.19.1.77"
            c.probe(2 + i * 0.05 + k * 0.001, src, HOME + "21", port, "rst")


# --- floods --------------------------------------------------------------------------------------
def anywhere(c):
    return f"{c.random.randrange(11, 126)}.{c.random.randrange(256)}.{c.random.randrange(256)}.{c.random.randrange(1, 255)}"


@case("dos.synflood", victims=[HOME + "10"], spoofed=True)
def synflood_hundred_a_second(c):
    background(c, 14)
    for i in range(800):
        src = anywhere(c)
        c.add(4 + i * 0.01, tcp(src, 1024 + i, HOME + "10", 443, SYN, i))
        c.add(4.001 + i * 0.01, tcp(HOME + "10", 443, src, 1024 + i, SYN | ACK, 7, i + 1))


@case("dos.synflood", victims=[HOME6 + "10"], spoofed=True)
def synflood_ipv6(c):
    background(c, 10)
    for i in range(2500):
        src = f"2001:db8:{c.random.randrange(65536):x}:{c.random.randrange(65536):x}::{i + 1:x}"
        c.add(3 + i * 0.002, tcp(src, 1024 + i, HOME6 + "10", 80, SYN, i))


@case("dos.udpflood", victims=[HOME + "22"], spoofed=True)
def udpflood_forged(c):
    background(c, 10)
    for i in range(2500):
        c.datagram(3 + i * 0.002, anywhere(c), 1024 + i, HOME + "22", 27016, b"z" * 300)


@case("dos.ssdp_amplification", also=["dos.amplification", "dos.udpflood"], reflectors=["198.51.100.0/24"], victims=[HOME + "10"], spoofed=True,
      attackers=[f"198.51.100.{i + 1}" for i in range(50)])
def ssdp_answers(c):
    background(c, 10)
    for i in range(2000):
        c.datagram(3 + i * 0.002, f"198.51.100.{i % 50 + 1}", 1900, HOME + "10", 7777, b"HTTP/1.1 200 OK\r\n" * 15)


@case("dos.amplification", also=["dos.udpflood"], reflectors=["198.51.100.0/24"], victims=[HOME + "23"], spoofed=True,
      attackers=[f"198.51.100.{i + 1}" for i in range(8)])
def cldap_answers(c):
    background(c, 10)
    for i in range(1500):
        c.datagram(3 + i * 0.003, f"198.51.100.{i % 8 + 1}", 389, HOME + "23", 3000 + i % 900, b"l" * 1200)


@case("dos.icmpflood", attackers=["2001:db8:66::31"], victims=[HOME6 + "10"])
def icmpflood_ipv6(c):
    background(c, 10)
    for i in range(2000):
        c.add(3 + i * 0.0025, echo("2001:db8:66::31", HOME6 + "10", 9, i))
        c.add(3.0005 + i * 0.0025, echo(HOME6 + "10", "2001:db8:66::31", 9, i, True))


@case("dos.fragment", victims=[HOME + "10"], spoofed=True, also=["dos.udpflood"])
def fragments_without_an_end(c):
    background(c, 10)
    for i in range(1500):
        src = anywhere(c)
        c.add(3 + i * 0.003, ip(src, HOME + "10", 17, udp_datagram(src, 5, HOME + "10", 9, b"f" * 792), ident=i, frag=0x2000))


@case("dos.carpet", victims=[HOME + "0/24"], spoofed=True, also=["dos.udpflood"])
def carpet_of_datagrams(c):
    background(c, 10)
    for i in range(2500):
        c.datagram(3 + i * 0.002, anywhere(c), 1024 + i, HOME + str(i * 37 % 254 + 1), 443, b"q" * 500)


@case("dos.ackflood", victims=[HOME + "10"], spoofed=True)
def ackflood_with_data(c):
    background(c, 10)
    for i in range(2500):
        src = anywhere(c)
        c.add(3 + i * 0.002, tcp(src, 1024 + i, HOME + "10", 80, ACK | PSH, i, 5, b"d" * 64))
        c.add(3.0005 + i * 0.002, tcp(HOME + "10", 80, src, 1024 + i, RST, 5))


@case("dos.httpflood", attackers=[f"198.19.9.{i + 1}" for i in range(12)], victims=[HOME + "10"])
def httpflood_with_random_queries(c):
    background(c, 10)
    for i in range(3000):
        c.page(3 + i * 0.0015, f"198.19.9.{i % 12 + 1}", HOME + "10", f"/search?q={c.random.randrange(1 << 30):x}", body=200, rtt=0.01)


@case("dos.slowloris", also=["dos.connection_exhaustion"], attackers=["2001:db8:66::26"], victims=[HOME6 + "10"])
def slow_headers_ipv6(c):
    background(c, 20)
    for i in range(90):
        c.connection(3 + i * 0.1, "2001:db8:66::26", HOME6 + "10", 80,
                     ((True, b"GET / HTTP/1.1\r\nHost: a\r\n"),) + tuple((True, b"X-a: b\r\n") for _ in range(3)), end="none", pace=2.0)


@case("dos.slowpost", also=["dos.slowloris", "dos.connection_exhaustion"], attackers=["198.19.0.27"], victims=[HOME + "10"])
def slow_bodies(c):
    background(c, 20)
    for i in range(70):
        c.connection(3 + i * 0.1, "198.19.0.27", HOME + "10", 80,
                     ((True, b"POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"),) + tuple((True, b"ab") for _ in range(4)), end="none", pace=2.5)


@case("dos.slowread", also=["dos.connection_exhaustion"], attackers=["198.19.0.28"], victims=[HOME + "10"])
def slow_readers(c):
    background(c, 20)
    head = b"HTTP/1.1 200 X\r\nContent-Length: 900000\r\n\r\n"
    for i in range(70):
        c.connection(3 + i * 0.1, "198.19.0.28", HOME + "10", 80,
                     ((True, b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"), (False, head + b"r" * 200)) + tuple((False, b"r" * 200) for _ in range(4)),
                     end="none", pace=1.0, client_window=300)


@case("dos.connection_exhaustion", also=["dos.slowloris"], attackers=[f"198.19.8.{i + 1}" for i in range(6)], victims=[HOME + "11"])
def silent_connections(c):
    background(c, 20)
    for i in range(500):
        c.connection(3 + i * 0.02, f"198.19.8.{i % 6 + 1}", HOME + "11", 25, end="none")


@case("dos.dnsflood", also=["dos.udpflood"], victims=[HOME + "12"], attackers=[f"198.18.2.{i + 1}" for i in range(200)])
def water_torture_through_many(c):
    background(c, 12)
    for i in range(2500):
        c.query(3 + i * 0.003, f"198.18.2.{i * 7 % 200 + 1}", HOME + "12", f"{c.random.randrange(1 << 40):x}.victim.example", rcode=3)


@case("bruteforce.ssh", attackers=["2001:db8:66::36"], victims=[HOME6 + "13"])
def ssh_guesses_ipv6(c):
    background(c, 20)
    for i in range(60):
        c.connection(2 + i * 0.25, "2001:db8:66::36", HOME6 + "13", 22,
                     ((False, b"SSH-2.0-OpenSSH_9.6\r\n"), (True, b"SSH-2.0-libssh2_1.11\r\n"), (True, b"\0\0\3\x04\x0a\x14" + b"k" * 700),
                      (False, b"\0\0\3\x04\x0a\x14" + b"K" * 1000), (True, b"e" * 400), (False, b"e" * 500)))


@case("bruteforce.http_login", attackers=["198.19.0.37"], victims=[HOME + "10"])
def http_guesses(c):
    background(c, 12)
    for i in range(120):
        c.page(3 + i * 0.07, "198.19.0.37", HOME + "10", "/login", status=401, body=60, method="POST")


@case("dos.rstflood", victims=[HOME + "10"], spoofed=True)
def rstflood_forged(c):
    background(c, 10)
    for i in range(4000):
        c.add(3 + i * 0.001, tcp(anywhere(c), 1024 + i, HOME + "10", 80, RST, i))


@case("dos.amplification", victims=[HOME + "24"], spoofed=True, reflectors=["198.51.100.0/24"],
      attackers=[f"198.51.100.{i + 1}" for i in range(120)])
def syn_acks_of_reflectors(c):
    background(c, 10)
    for i in range(3000):
        c.add(3 + i * 0.002, tcp(f"198.51.100.{i * 7 % 120 + 1}", (80, 443, 22, 179)[i % 4], HOME + "24", 1024 + i % 60000, SYN | ACK, i, 9))


# --- two at once -----------------------------------------------------------------------------------
@case("scan.syn.vertical", attackers=["198.19.0.40"], victims=[HOME + "10"], others=[{"class": "dos.synflood", "victims": [HOME + "10"]}])
def scan_inside_a_synflood(c):
    background(c, 12)
    for i in range(4000):
        src = anywhere(c)
        c.add(3 + i * 0.0015, tcp(src, 1024 + i, HOME + "10", 443, SYN, i))
    for i, port in enumerate(ports(c, 60, 1, 1000)):
        c.probe(4 + i * 0.06, "198.19.0.40", HOME + "10", port, "rst")


@case("dos.icmpflood", attackers=["198.19.0.42"], victims=[HOME + "12"], others=[{"class": "scan.udp", "attackers": ["198.19.0.43"], "victims": [HOME + "14"]}])
def icmpflood_and_udp_scan(c):
    background(c, 12)
    for i in range(2000):
        c.add(3 + i * 0.003, echo("198.19.0.42", HOME + "12", 9, i))
    for i, port in enumerate(ports(c, 60)):
        c.datagram(4 + i * 0.05, "198.19.0.43", 5353, HOME + "14", port, b"", "refused")


# --- benign ----------------------------------------------------------------------------------------
@case("benign.office")
def benign_office_minutes(c):
    background(c, 90)


@case("benign.crowd")
def benign_crowd_from_far_away(c):
    background(c, 14)
    for i in range(2500):
        c.page(3 + i * 0.003, f"100.{i % 100 + 1}.{i // 100}.9", HOME + "10", f"/sale{i % 23}", rtt=0.35, body=300)


@case("benign.uplink", informs=["info.lost_uplink"])
def benign_uplink_lost(c):
    background(c, 6)
    for i in range(300):
        c.syn_repeated(6 + i * 0.02, f"172.20.9.{i % 80 + 1}", f"203.0.{i % 200}.{i % 250 + 1}", 443)


@case("benign.restart")
def benign_directory_server_restarts(c):
    for i in range(600):
        c.connection(i * 0.02, f"172.20.9.{i % 60 + 1}", HOME + "30", (53, 88, 135, 389, 445, 464, 593, 636, 3268, 3269, 5985, 9389, 49152, 49664)[i % 14],
                     ((True, b"q" * 80), (False, b"a" * 200)))
    for i in range(400):
        c.probe(14 + i * 0.03, f"172.20.9.{i % 60 + 1}", HOME + "30", (53, 88, 135, 389, 445, 464, 593, 636, 3268, 3269, 5985, 9389, 49152, 49664)[i % 14], "rst")


@case("benign.backup")
def benign_configuration_management(c):
    """One host opens a working SSH session to each of many hosts, and again."""
    background(c, 20)
    for i in range(180):
        c.connection(2 + i * 0.09, "172.20.9.5", HOME + str(i % 60 + 40), 22,
                     ((False, b"SSH-2.0-OpenSSH_9.6\r\n"), (True, b"SSH-2.0-OpenSSH_9.6\r\n"), (True, b"\0\0\3\x04\x0a\x14" + b"k" * 700),
                      (False, b"\0\0\3\x04\x0a\x14" + b"K" * 1000), (True, b"e" * 400), (False, b"e" * 4000)))


@case("benign.stream")
def benign_one_way_media_and_logs(c):
    background(c, 12)
    for i in range(3000):
        c.add(1 + i * 0.003, udp("172.20.9.60", 5004, HOME + "40", 5004, b"m" * 900))
        if i % 4 == 0:
            c.add(1 + i * 0.003, udp(f"172.20.9.{i % 50 + 1}", 514, HOME + "41", 514, b"<13>x"))


@case("benign.resolver")
def benign_resolver_with_dead_servers(c):
    background(c, 20)
    for i in range(1500):
        c.query(1 + i * 0.012, HOME + "53", f"198.{51 + i % 9}.{i % 200}.{i % 250 + 1}", f"n{i}.example{i % 77}.net", rcode=3 if i % 9 == 0 else 0,
                answered=i % 7 != 0, rtt=0.08)


@case("benign.nat")
def benign_office_behind_one_address(c):
    for i in range(2000):
        c.page(1 + i * 0.008, "203.0.113.200", HOME + "10", f"/a{i % 61}", rtt=0.04, body=300)
        if i % 9 == 0:  # opened ahead of need
            c.connection(1 + i * 0.008, "203.0.113.200", HOME + "10", 80, end="fin", pace=0, talk=((True, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),))


@case("benign.backscatter")
def benign_backscatter_at_rates(c):
    background(c, 12)
    for i in range(1500):
        c.add(2 + i * 0.006, tcp("198.51.100.80", 443, HOME + str(i * 7 % 250 + 1), 1024 + i, SYN | ACK if i % 3 else RST | ACK, i, 1))


@case("benign.backscatter")
def benign_answers_to_forged_packets(c):
    """Somebody uses our addresses: what comes back is of every kind, and its senders are victims."""
    background(c, 16)
    for i in range(2400):
        t, victim, ours, port = 2 + i * 0.005, f"198.51.100.{i % 3 + 80}", HOME + str(i * 7 % 250 + 1), 1024 + i * 13 % 60000
        kind = i % 6
        if kind == 0:
            c.add(t, tcp(victim, 443, ours, port, SYN | ACK, i, 1))
        elif kind == 1:
            c.add(t, tcp(victim, (443, 81, 8443)[i % 3], ours, port, RST | ACK, 0, 1))
        elif kind == 2:
            c.add(t, unreachable(victim, udp(ours, port, victim, 27015, b"x" * 30)))
        elif kind == 3:
            c.add(t, echo(victim, ours, i, 1, True))
        elif kind == 4:
            c.add(t, icmp(victim, ours, 11, 0, b"\0\0\0\0", tcp(ours, port, "203.0.113.9", 80, SYN, i)[14:14 + 28]))
        elif i % 36 == 5:
            c.add(t, udp(victim, 53, ours, port, b"\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"))


@case("benign.forged_resets")
def benign_forged_resets_before_answers(c):
    """A censor or a prankster resets connections in the server's name; the clients are no scanners."""
    background(c, 14)
    for i in range(400):
        t, src, dst, sport = 2 + i * 0.025, f"172.20.9.{i % 3 + 1}", f"203.0.113.{i % 90 + 1}", 20000 + i
        c.add(t, tcp(src, sport, dst, 443, SYN, i))
        c.add(t + 0.002, tcp(dst, 443, src, sport, RST | ACK, 0, i + 1))
        c.add(t + 0.03, tcp(dst, 443, src, sport, SYN | ACK, 9, i + 1))
        if i % 2:
            c.add(t + 0.031, tcp(src, sport, dst, 443, ACK, i + 1, 10))


@case("benign.restart")
def benign_clients_that_restarted(c):
    """Servers go on with connections that a host of ours has forgotten; it resets them."""
    background(c, 14)
    for i in range(40):
        c.connection(i * 0.05, "172.20.9.44", f"203.0.113.{i % 4 + 1}", 443, ((True, b"\x16\x03\1" + b"h" * 300), (False, b"s" * 2500)), end="fin")
    for i in range(120):
        server = f"203.0.113.{i % 4 + 1}"
        c.add(8 + i * 0.03, tcp(server, 443, "172.20.9.44", 30000 + i, ACK | (FIN if i % 2 else PSH), i, 7, b"" if i % 2 else b"k" * 40))
        c.add(8.001 + i * 0.03, tcp("172.20.9.44", 30000 + i, server, 443, RST, 7))


@case("benign.multicast")
def benign_groups_and_routing(c):
    background(c, 12)
    for i in range(400):
        c.add(1 + i * 0.02, ip(f"172.20.9.{i % 20 + 1}", f"239.1.{i % 9}.{i % 200}", 2, b"\x16\0\0\0" + bytes(4), ttl=1))
        c.add(1 + i * 0.02, ip("172.20.8.1", "224.0.0.5", 89, b"\2\1" + bytes(42), ttl=1))
        c.add(1 + i * 0.02, udp(f"172.20.9.{i % 50 + 1}", 40000 + i, "239.255.255.250", 1900, b"M-SEARCH * HTTP/1.1\r\n"))


@case("benign.longpoll")
def benign_long_polls_and_slow_uploads(c):
    background(c, 25)
    for i in range(150):
        c.connection(1 + i * 0.06, f"192.0.2.{i % 70 + 1}", HOME + "10", 80,
                     ((True, b"GET /poll HTTP/1.1\r\nHost: a\r\n\r\n"), (False, b"HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok")), end="none", pace=0.2)
    for i in range(12):
        c.connection(2 + i, f"192.0.2.{i + 100}", HOME + "10", 80,
                     ((True, b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"),) + tuple((True, b"u" * 1400) for _ in range(15)), end="none", pace=0.9)


@case("benign.asymmetric")
def benign_one_direction(c):
    background(c, 14)
    c.packets = [p for p in c.packets if not (p[2][12:14] == b"\x08\0" and p[2][26:29] == bytes([172, 20, 8]))]


# --- guesses over SMTP, many addresses of one network, service probes --------------------------------
def logins(answers):
    """An SMTP dialogue with one AUTH for each of `answers` (reply codes)."""
    talk = [(False, b"220 mail.example ESMTP\r\n"), (True, b"EHLO me\r\n"), (False, b"250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n")]
    for number, code in enumerate(answers):
        if number % 2:
            talk += [(True, b"AUTH LOGIN\r\n"), (False, b"334 VXNlcm5hbWU6\r\n"), (True, b"am9l\r\n"), (False, b"334 UGFzc3dvcmQ6\r\n"), (True, b"c2VjcmV0\r\n")]
        else:
            talk += [(True, b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n")]
        talk += [(False, b"%d 5.7.8 so it is\r\n" % code)]
    return talk


@case("bruteforce.smtp_auth", attackers=["198.19.0.52"], victims=[HOME + "25"])
def smtp_guesses(c):
    background(c, 30)
    for i in range(40):
        c.connection(2 + i * 0.6, "198.19.0.52", HOME + "25", 587, logins([535, 535, 535]) + [(True, b"QUIT\r\n")])


@case("bruteforce.smtp_auth", attackers=["2001:db8:66:9::/64"], victims=[HOME6 + "25"])
def smtp_guesses_of_a_network(c):
    """Each guess from another address of one /64."""
    background(c, 20)
    for i in range(60):
        c.connection(2 + i * 0.25, f"2001:db8:66:9::{c.random.randrange(1, 65535):x}", HOME6 + "25", 587, logins([535]))


@case("scan.syn.vertical", attackers=["2001:db8:66:a::/64"], victims=[HOME6 + "15"])
def scan_ipv6_port_by_port_of_a_network(c):
    background(c, 10)
    for i, port in enumerate(ports(c, 150, 1, 3000)):
        src = f"2001:db8:66:a:{c.random.randrange(65536):x}:{c.random.randrange(65536):x}::{i + 1:x}"
        c.probe(2 + i * 0.04, src, HOME6 + "15", port, "rst")


@case("scan.syn.horizontal", attackers=["2001:db8:66:b::/64"], victims=[HOME6 + "/112"])
def scan_ipv6_hosts_of_a_network(c):
    background(c, 12)
    for i in range(120):
        c.probe(2 + i * 0.06, f"2001:db8:66:b::{i % 30 + 1:x}", HOME6 + f"{i + 512:x}", 22, ("rst", "silent", "unreachable")[i % 3])


@case("bruteforce.ssh", attackers=["2001:db8:66:c::/64"], victims=[HOME6 + "13"])
def ssh_guesses_of_a_network(c):
    background(c, 20)
    for i in range(60):
        c.connection(2 + i * 0.25, f"2001:db8:66:c::{i % 20 + 1:x}", HOME6 + "13", 22,
                     ((False, b"SSH-2.0-OpenSSH_9.6\r\n"), (True, b"SSH-2.0-libssh2_1.11\r\n"), (True, b"\0\0\3\x04\x0a\x14" + b"k" * 700),
                      (False, b"\0\0\3\x04\x0a\x14" + b"K" * 1000), (True, b"e" * 400), (False, b"e" * 500)))


@case("scan.distributed", attackers=[f"198.19.{i + 100}.9" for i in range(30)], victims=[HOME + "0/24"], also=["scan.syn.horizontal"])
def scan_of_a_network_shared_by_thirty(c):
    """Nobody asks for more than five hosts."""
    background(c, 20)
    for i, host in enumerate(c.random.sample(range(60, 250), 150)):
        c.probe(2 + i * 0.08, f"198.19.{i % 30 + 100}.9", HOME + str(host), 5900, "silent" if i % 3 else "rst")


PROBES = (b"\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"OPTIONS / RTSP/1.0\r\n\r\n", b"\x80\0\0\x28\x72\xfe\x1d\x13\0\0\0\0\0\0\0\2", b"\0\x1e\0\6\1\0\0\1\0\0\0\0\0\0",
          b"HELP\r\n", b"\x16\3\0\0S\1\0\0O\3\0?G", b"\0\0\0\xa4\xffSMBr\0\0\0\0", b"l\0\x0b\0\0\0\0\0\0\0\0\0", b"\1default\n", b"\x30\x0c\2\1\1\x60\7\2\1\2")


@case("scan.version", attackers=["198.19.0.60"], victims=[HOME + "26"])
def scan_of_what_listens(c):
    """Three ports, known to be open: what do they say to this, and to that?"""
    background(c, 30)
    t = 2
    for port in (9000, 7070, 6000):
        c.connection(t, "198.19.0.60", HOME + "26", port, pace=0.1)
        for probe in PROBES:
            t += 0.5
            c.connection(t, "198.19.0.60", HOME + "26", port, ((True, probe), (False, b"?\n")), end="fin")


# --- answers to others, TLS and HTTP/2 ---------------------------------------------------------------
def dns_message(ident, name, size, kind=255):
    q = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + bytes([0, kind, 0, 1])
    head = struct.pack(">HHHHHH", ident, 0x8180 if size else 0x0100, 1, 1 if size else 0, 0, 0)
    return head + q + (b"\xc0\x0c\0\x10\0\1\0\0\0\x3c" + struct.pack(">H", size) + b"\xffv" * (size // 2) if size else b"")


@case("dos.amplification.out", attackers=[HOME + "12"], victims=["198.51.100.77"])
def dns_answers_to_a_victim(c):
    background(c, 16)
    for i in range(500):
        t, port = 3 + i * 0.02, c.random.randrange(1024, 65000)
        c.add(t, udp("198.51.100.77", port, HOME + "12", 53, dns_message(i, "big.example", 0)))
        c.add(t + 0.001, udp(HOME + "12", 53, "198.51.100.77", port, dns_message(i, "big.example", 1300)))


@case("dos.amplification.out", attackers=[HOME + "31"], victims=["198.51.100.78"])
def ntp_lists_to_a_victim(c):
    background(c, 16)
    for i in range(60):
        t = 3 + i * 0.15
        c.add(t, udp("198.51.100.78", 80, HOME + "31", 123, b"\x17\0\3\x2a" + bytes(4)))
        for n in range(12):
            answer = udp(HOME + "31", 123, "198.51.100.78", 80, b"\xd7" + bytes([n]) + b"\3\x2a" + b"m" * 436)
            c.add(t + 0.001 + n * 0.0001, answer)
            if n == 0:
                c.add(t + 0.03, unreachable("198.51.100.78", answer))


def client_hello(c):
    body = b"\3\3" + bytes(c.random.randrange(256) for _ in range(32)) + b"\0\0\4\xc0\x2f\x13\1\1\0"
    name = b"shop.example"
    sni = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    body += struct.pack(">H", len(sni)) + sni
    message = b"\1" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack(">H", len(message)) + message


def server_flight(c):
    body = b"\3\3" + bytes(c.random.randrange(256) for _ in range(32)) + b"\0\xc0\x2f\0"
    hello = b"\2" + struct.pack(">I", len(body))[1:] + body
    done = b"\x0e\0\0\0"
    return b"\x16\3\3" + struct.pack(">H", len(hello)) + hello + b"\x16\3\3\0\4" + done


KEYS = b"\x16\3\3\0\x46\x10\0\0\x42\x41" + b"k" * 65 + b"\x14\3\3\0\1\1" + b"\x16\3\3\0\x28" + b"f" * 40
KEYS_BACK = b"\x14\3\3\0\1\1" + b"\x16\3\3\0\x28" + b"F" * 40
REQUEST = b"\x17\3\3\0\xc0" + b"r" * 192
ANSWER = b"\x17\3\3\4\0" + b"a" * 1024


@case("dos.tls_handshakes", also=["dos.connection_exhaustion"], attackers=["198.19.0.62"], victims=[HOME + "10"])
def tls_handshakes_left_undone(c):
    background(c, 12)
    for i in range(900):
        c.connection(3 + i * 0.006, "198.19.0.62", HOME + "10", 443, ((True, client_hello(c)), (False, server_flight(c))), end="rst" if i % 2 else "fin")


@case("dos.tls_handshakes", attackers=[f"198.19.7.{i + 1}" for i in range(60)], victims=[HOME + "10"])
def tls_handshakes_of_many(c):
    background(c, 12)
    for i in range(2400):
        c.connection(3 + i * 0.0025, f"198.19.7.{i % 60 + 1}", HOME + "10", 443, ((True, client_hello(c)), (False, server_flight(c))), end="rst")


@case("dos.tls_renegotiation", attackers=["198.19.0.63"], victims=[HOME + "10"])
def tls_keys_changed_again(c):
    background(c, 12)
    for i in range(3):
        again = [(True, b"\x16\3\3\0\x60" + b"H" * 96), (False, b"\x16\3\3\0\x60" + b"S" * 96), (True, KEYS), (False, KEYS_BACK)] * 40
        c.connection(3 + i, "198.19.0.63", HOME + "10", 443, [(True, client_hello(c)), (False, server_flight(c)), (True, KEYS), (False, KEYS_BACK)] + again)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


HELLO2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
GET2 = b"\x82\x84\x86\x41\x8a\x08\x9d\x5c\x0b\x81\x70\xdc\x78\x0f\x03"


@case("dos.http2_reset", attackers=["198.19.0.64"], victims=[HOME + "10"])
def http2_streams_cancelled(c):
    background(c, 12)
    for i in range(4):
        bursts = [(True, b"".join(frame(1, 5, n * 2 + 1, GET2) + frame(3, 0, n * 2 + 1, b"\0\0\0\x08") for n in range(k, k + 40))) for k in range(0, 1200, 40)]
        c.connection(3 + i * 0.5, "198.19.0.64", HOME + "10", 80, [(True, HELLO2), (False, frame(4, 0, 0) + frame(4, 1, 0))] + bursts, rtt=0.01)


@case("dos.http2_continuation", attackers=["198.19.0.65"], victims=[HOME + "10"])
def http2_headers_without_end(c):
    background(c, 12)
    parts = [(True, b"".join(frame(9, 0, 1, b"\0\1a\1b" * 6) for _ in range(30))) for _ in range(40)]
    c.connection(3, "198.19.0.65", HOME + "10", 80, [(True, HELLO2), (False, frame(4, 0, 0)), (True, frame(1, 1, 1, GET2))] + parts, rtt=0.01)


# --- benign, of the same kinds -----------------------------------------------------------------------
@case("benign.mail")
def benign_mail_with_mistyped_passwords(c):
    background(c, 40)
    for i in range(120):
        said = [535, 235] if i % 9 == 0 else [535, 535, 535, 235] if i % 50 == 1 else [235]
        mail = [(True, b"MAIL FROM:<a@b.example>\r\n"), (False, b"250 ok\r\n"), (True, b"RCPT TO:<c@d.example>\r\n"), (False, b"250 ok\r\n"), (True, b"DATA\r\n"),
                (False, b"354 go\r\n"), (True, b"Subject: x\r\n\r\ntext\r\n.\r\n"), (False, b"250 queued\r\n"), (True, b"QUIT\r\n"), (False, b"221 bye\r\n")]
        c.connection(1 + i * 0.3, f"172.20.9.{i % 40 + 1}" if i % 3 else "203.0.113.200", HOME + "25", 587, logins(said) + mail)


@case("benign.network")
def benign_ipv6_office_of_one_network(c):
    """A /64 full of clients: each has its dead contacts, and many that live."""
    for i in range(900):
        src = f"2001:db8:20::{i % 60 + 1:x}"
        c.connection(i * 0.02, src, f"2001:db8:99::{i % 70 + 1:x}", 443, ((True, client_hello(c)), (False, server_flight(c)), (True, KEYS), (True, REQUEST), (False, ANSWER)))
        if i % 8 == 0:
            c.probe(i * 0.02 + 0.005, src, f"2001:db8:99::{i % 13 + 200:x}", (443, 853, 5223, 993)[i // 8 % 4], "rst")
        if i % 40 == 0:
            c.connection(i * 0.02, src, HOME6 + "13", 22, ((False, b"SSH-2.0-OpenSSH_9.6\r\n"), (True, b"SSH-2.0-x\r\n"), (True, b"k" * 700), (False, b"K" * (1000 if i % 80 else 9000))))


@case("benign.monitoring")
def benign_checks_of_services(c):
    """A monitor visits every service of a host, with and without words, again and again."""
    background(c, 40)
    for turn in range(8):
        for n, port in enumerate((21, 22, 25, 80, 110, 143, 443, 587, 993, 3306, 5432, 8080)):
            t = 1 + turn * 5 + n * 0.1
            c.connection(t, "172.20.9.9", HOME + "26", port)
            words = {80: b"GET /health HTTP/1.0\r\n\r\n", 8080: b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 443: client_hello(c), 993: client_hello(c), 5432: b"\0\0\0\x08\4\xd2\x16\x2f"}
            if port in words:
                c.connection(t + 0.03, "172.20.9.9", HOME + "26", port, ((True, words[port]), (False, b"ok\r\n")))
            else:
                c.connection(t + 0.03, "172.20.9.9", HOME + "26", port, ((False, b"220 here\r\n"), (True, b"QUIT\r\n")))


@case("benign.obfuscated")
def benign_protocols_of_random_bytes(c):
    """Tunnels whose first bytes are random."""
    background(c, 20)
    for i in range(300):
        c.connection(1 + i * 0.06, "172.20.9.31", "203.0.113.90", 8388, ((True, c.random.randbytes(300)), (False, c.random.randbytes(700))))


@case("benign.signed")
def benign_large_answers_to_many_questions(c):
    """A signed zone: resolvers ask for this and that and get ten times as much; a manager walks the tables of a switch."""
    background(c, 20)
    for i in range(900):
        t, port, name = 1 + i * 0.015, c.random.randrange(1024, 65000), f"host{c.random.randrange(5000)}.example"
        c.add(t, udp(f"198.51.100.{i % 4 + 1}", port, HOME + "12", 53, dns_message(i, name, 0, 1)))
        c.add(t + 0.001, udp(HOME + "12", 53, f"198.51.100.{i % 4 + 1}", port, dns_message(i, name, 700 + c.random.randrange(300) * 2, 1)))
    for i in range(400):
        c.add(1 + i * 0.02, udp("172.20.9.9", 40161, HOME + "2", 161, b"\x30" + bytes([i % 256]) + b"w" * 40))
        c.add(1.001 + i * 0.02, udp(HOME + "2", 161, "172.20.9.9", 40161, b"\x30" + b"v" * (700 + c.random.randrange(600))))


@case("benign.tls")
def benign_handshakes_at_rates(c):
    """An office behind one address, a balancer that checks, servers that ask for certificates late."""
    for i in range(900):
        late = [(True, KEYS), (False, KEYS_BACK)] if i % 10 == 0 else []
        c.connection(1 + i * 0.012, "203.0.113.200", HOME + "10", 443,
                     [(True, client_hello(c)), (False, server_flight(c)), (True, KEYS), (False, KEYS_BACK)] + late + [(True, REQUEST), (False, ANSWER)], rtt=0.3)
        if i % 8 == 0:
            c.connection(1 + i * 0.012, f"172.20.9.{i % 3 + 1}", HOME + "10", 443, ((True, client_hello(c)), (False, server_flight(c))), end="rst")


@case("benign.http2")
def benign_http2_pages_left(c):
    """Browsers open many streams, and cancel what is under way when the page is left."""
    background(c, 20)
    for i in range(12):
        talk = [(True, HELLO2), (False, frame(4, 0, 0) + frame(4, 1, 0))]
        for page in range(4):
            streams = range(page * 300 + 1, page * 300 + 241, 2)
            talk += [(True, b"".join(frame(1, 5, n, GET2) for n in streams))]
            gone = list(streams)[30:] if page % 2 else []
            talk += [(False, b"".join(frame(1, 4, n, b"\x88") + frame(0, 1, n, b"x" * 20) for n in streams if n not in gone))]
            talk += [(True, b"".join(frame(3, 0, n, b"\0\0\0\x08") for n in gone))] if gone else []
        c.connection(1 + i * 1.5, f"192.0.2.{i + 1}", HOME + "10", 80, talk, pace=1.2)



# --- hosts that do what they are for, and then something goes wrong ------------------------------------
def outside(n, host=7):
    return f"{100 + n % 40}.{n // 40 % 200}.9.{host}"


@case("benign.role")
def benign_resolver_of_long_standing(c):
    for n in range(13 * 4):
        c.query(n * 15, HOME + "53", outside(n), f"n{n}.example.org")
    for n in range(700):  # a registry is gone: refused over UDP, reset over TCP
        t = 790 + n * 0.03
        if n % 2:
            c.probe(t, HOME + "53", outside(n + 1000), 53, "rst")
        else:
            c.datagram(t, HOME + "53", 2000 + n, outside(n + 1000), 53, b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", "refused")


@case("benign.role")
def benign_relay_of_long_standing(c):
    mail = [(False, b"220 mx.example ESMTP ready for what comes\r\n"), (True, b"EHLO relay.shop.example\r\n"), (False, b"250-mx.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n"),
            (True, b"MAIL FROM:<orders@shop.example>\r\n"), (False, b"250 2.1.0 Ok\r\n"), (True, b"RCPT TO:<someone@else.example>\r\n"), (False, b"250 2.1.5 Ok\r\n"),
            (True, b"DATA\r\n"), (False, b"354 End data with <CR><LF>.<CR><LF>\r\n"), (True, b"Subject: your order\r\n\r\n" + b"it is on its way\r\n" * 20 + b".\r\n"),
            (False, b"250 2.0.0 Ok: queued as 4711\r\n"), (True, b"QUIT\r\n"), (False, b"221 2.0.0 Bye\r\n")]
    for n in range(13 * 6):
        c.connection(n * 10, HOME + "25", outside(n), 25, mail)
    for n in range(500):  # a campaign to stale addresses
        c.probe(790 + n * 0.05, HOME + "25", outside(n + 1000), 25, "rst")


@case("benign.role")
def benign_peer_of_long_standing(c):
    for n in range(13 * 6):
        c.datagram(n * 10, "172.20.9.70", 6881, outside(n), 20000 + n * 37, b"d1:ad2:id20:" + b"x" * 40, b"d1:rd2:id20:" + b"y" * 60)
    for n in range(500):  # it was switched off overnight, and its peers are gone
        c.probe(790 + n * 0.04, "172.20.9.70", outside(n + 1000), 20000 + n * 53 % 40000, ("rst", "unreachable")[n % 2])


@case("benign.role")
def benign_time_server_that_stalls(c):
    for n in range(13 * 8):
        c.datagram(n * 7.5, outside(n), 123, HOME + "31", 123, b"\x23\0\x0a" + bytes(45), b"\x24\1\x0a" + bytes(45))
    for n in range(2400):
        c.datagram(790 + n * 0.0035, outside(n % 900 + 1000), 40000 + n % 9000, HOME + "31", 123, b"\x23\0\x0a" + bytes(45))


@case("benign.role")
def benign_monitor_of_a_site_that_fails(c):
    """It asks so rarely that no flow of its lives until the next time."""
    for turn in range(4):
        for n in range(60):
            t, host = 1 + turn * 700 + n * 0.2, HOME + str(n + 60)
            c.add(t, echo("172.20.9.9", host, 500 + turn, 1))
            if turn < 3:
                c.add(t + 0.01, echo(host, "172.20.9.9", 500 + turn, 1, True))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name, (make, label) in sorted(CASES.items()):
        number = zlib.crc32(name.encode())  # what others are there changes nothing
        capture = Capture(number)
        make(capture)
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        base = START + number % 1000 * 100_000
        capture.write(os.path.join(folder, "input.pcap"), base)
        mine = set(label.get("attackers", []))
        label = dict({"name": name, "attackers": [], "decoys": [], "reflectors": [], "victims": [], "spoofed": False}, **label)
        times = attack_times(capture, label, mine)
        label["start"], label["end"] = (base + times[0], base + times[-1]) if times else (None, None)
        label["probe_times"] = [t - times[0] for t in times[:600]]
        label["probes"] = len(times)
        with open(os.path.join(folder, "label.json"), "w") as out:
            json.dump(label, out)


def attack_times(capture, label, attackers):
    """When packets of the attack were sent: by its sources, or by forged ones to its victim."""
    import ipaddress
    if not label["attack"]:
        return []
    attackers = [ipaddress.ip_network(a) for a in list(attackers) + label["decoys"]]
    times = []
    for when, _, frame in sorted(capture.packets):
        p = frame[14:]
        src = ipaddress.ip_address(p[8:24] if frame[12:14] == b"\x86\xdd" else p[12:16])
        dst = ipaddress.ip_address(p[24:40] if frame[12:14] == b"\x86\xdd" else p[16:20])
        mine = any(src in a for a in attackers)
        if not attackers:
            office = src in ipaddress.ip_network("192.0.2.0/24") or src in ipaddress.ip_network("172.20.0.0/16")
            mine = not office and any(dst in ipaddress.ip_network(v, False) for v in label["victims"]) and src not in ipaddress.ip_network("203.0.113.0/24")
        if mine and when >= 2:
            times.append(when)
    return times


if __name__ == "__main__":
    main()
