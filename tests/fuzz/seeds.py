"""What the fuzz targets begin with: the project's own rules, policies and captures, and a few inputs written here
for formats that lie nowhere in the tree. A target that begins at nothing seldom gets past the first check of its
format in a minute."""

import glob
import os
import re
import shutil
import struct
import subprocess


# ---------------------------------------------------------------- written here

ENTRY = (b'{"id":7,"step":2,"state":"pending","made":"2026-11-22T12:00:00.000000Z","site":"s","site-file":"/s.yaml",'
         b'"digest":"0123456789abcdef","changes":3,"generation":41,"by":"root","session":"tty","network":1,"boot":"b",'
         b'"deadline-us":9,"keeper":1,"ended":"","why":"w"}\n')
PLAN = (b'{"gatehouse-plan":1,"made":"2026-11-22T12:00:00.000000Z","generation":41,"digest":"0123456789abcdef",'
        b'"tables":{"inet gatehouse":"00000000000000aa"},"site-file":"/s.yaml","site":"site: x\\nzones: {}\\n"}\n')
EVENT = (b'{"timestamp":"2026-11-21T20:30:00.250000+0000","flow_id":7,"event_type":"alert","src_ip":"198.51.100.66",'
         b'"dest_ip":"10.66.1.10","payload":"YWJj","alert":{"signature_id":1000123,"signature":"Shellshock"}}')


def image():
    """Behind it the target puts the sum: version, generation, one message that makes a table."""
    message = struct.pack("=IHHII", 28, 10 << 8, 0, 0, 0) + b"\x01\x00\x00\x00" + b"\x06\x00\x01\x00x\x00\x00\x00"
    return b"gatehouse image\n" + struct.pack(">IIII", 1, 5, 1, len(message)) + message


WRITTEN = {
    "core_ban_fuzz": [
        b'{"address":"2001:db8::7","seconds":600,"reason":"bruteforce.ssh \\"x\\"\\n","event":"12"}',
        b'{"address":"192.0.2.7","seconds":1,"reason":"r"}', b'{"ok":true}', b'{"ok":false,"error":"no"}'],
    "fwctl_control_plan_file_fuzz": [PLAN],
    "fwctl_journal_entry_fuzz": [ENTRY, ENTRY.replace(b"pending", b"rolled back")],
    "fwctl_netlink_image_fuzz": [image()],
    "fwctl_prove_packet_fuzz": [
        b"in wan0 out srv0 tcp 198.51.100.7:40000 > 10.66.1.10:22 SYN new hop-limit 64",
        b"in wan0 udp [2001:db8::7]:53 > [2001:db8::1]:5353 established",
        b"out wan0 icmp 10.0.0.1 > 192.0.2.1 type 8 user 33 no-route-back",
        b"in a out b icmpv6 fe80::1 > ff02::1 type 135 hop-limit 255 extension hop-by-hop",
        b"in a out b protocol 47 10.0.0.1 > 10.0.0.2 fragment later option router-alert meta:3:0=0x5 cgroup 1:4711",
        b"in a out b tcp 10.0.0.1:1 > 10.0.0.2:2 SYN ACK invalid fragment first"],
    "ids_keywords_threshold_fuzz": [
        b"# comment\nsuppress gen_id 1, sig_id 7, track by_src, ip [10.0.0.1, $HOME]\nsuppress gen_id 1, sig_id 8\n",
        b"threshold gen_id 1, sig_id 0, type limit, track by_rule, count 3, seconds 60\n",
        b"event_filter gen_id 1, sig_id 2, type both, track by_dst, count 3, seconds 60\n",
        b"rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 1, new_action drop, timeout 9\n",
        b"suppress gen_id 1, sig_id 7, track by_dst, ip $LOOP\n"],
    # The first byte chooses the type of the set, or the kind of file.
    "ids_state_lists_fuzz": [
        b"\x00YWJj\nZGVm\n", b"\x019e107d9d372bb6826bd81d3542a419d6\n", b"\x02" + b"0123456789abcdef" * 4 + b"\n",
        b"\x0310.0.0.1\n192.0.2.7\n", b"\x042001:db8::1\n10.0.0.1\n", b"\x20YWJj,7\n", b"\x2310.0.0.1,100\n",
        b'\x40{"a":{"b":[{"a.b":"x"}]}}', b'\x60{"a":{"b":"x"},"n":[1,null]}\r\n\n', b'\x50{"c":[{"a":{"b":"x"}}]}',
        b'\x54{"c":[{"a":{"b":"10.0.0.1"},"y":1},{"a":{"b":"::1"}}]}', b'\x6c{"a":{"b":"::1"}}\n{"w":"b"}\n',
        b"\x81# all\n1,Bad,hosts that attack\n2,CnC,servers\n",
        b"\x8010.0.0.0/8,1,10\n10.1.2.3,1,30\r\n# x\n2001:db8::1/32,2,127\n"],
    "site_drill_events_fuzz": [
        EVENT, b"2026-11-21T20:30:00.750000+00:00\t5f-7\talert\t" + EVENT,
        b'<nmaprun><host><ports><extraports state="filtered" count="65531"/><port protocol="tcp" portid="443">'
        b'<state state="open" reason="syn-ack"/></port></ports></host><runstats><finished exit="success"/></runstats>'
        b"</nmaprun>"],
    "site_load_read_blocklist_fuzz": [
        b"# comment\r\n\r\n 192.0.2.7 ; why\r\n198.51.100.9/24\n203.0.113.5 - 203.0.113.9\n2001:db8:bad::/48\n"],
    # With the heading, and with what the target seals itself.
    "soc_spool_cursor_fuzz": [b"gatehouse-cursor 1 3 4f0 5f 7 9 0 0 1"],
    "soc_spool_format_fuzz": [
        b"\x00\x40\xff" + struct.pack(">BQQQB", 5, 95, 7, 9, 12) + b'"event":"a"',
        b"\x00\x07\x01" + struct.pack(">BQQQB", 3, 95, 8, 9, 0) + struct.pack(">BQQQB", 2, 95, 9, 9, 6) + b'"a":12'],
}


# ---------------------------------------------------------------- from captures

def read_pcap(path):
    """The frames of a little-endian microsecond capture, as the project writes them."""
    with open(path, "rb") as data:
        content = data.read()
    at = 24
    while at + 16 <= len(content):
        length = struct.unpack_from("<I", content, at + 8)[0]
        yield content[at + 16:at + 16 + length]
        at += 16 + length


def payload(frame):
    """(IP protocol, source port, destination port, payload) of an Ethernet frame with TCP or UDP."""
    kind = frame[12:14]
    if kind == b"\x08\x00":
        protocol, start = frame[23], 14 + (frame[14] & 15) * 4
        end = 14 + struct.unpack_from(">H", frame, 16)[0]
    elif kind == b"\x86\xdd":
        protocol, start, end = frame[20], 54, len(frame)
    else:
        return None
    if protocol == 6:
        body = start + (frame[start + 12] >> 4) * 4
    elif protocol == 17:
        body = start + 8
    else:
        return None
    source, destination = struct.unpack_from(">HH", frame, start)
    return protocol, source, destination, frame[body:end]


def pieces(frames):
    """A conversation as session targets read it: control byte, length byte, bytes."""
    out = b""
    server = None
    for frame in frames:
        found = payload(frame)
        if found is None:
            continue
        server = found[2] if server is None else server
        direction = 1 if found[1] == server else 0
        for at in range(0, len(found[3]), 250):
            part = found[3][at:at + 250]
            out += bytes([direction | (8 if found[0] == 17 else 0), len(part)]) + part
    return out


# ---------------------------------------------------------------- all of them

KINDS = ((r"^ids_capture", "captures"), (r"^ids_decode", "frames"), (r"^ids_parsers_mime", "messages"),
         (r"^ids_parsers", "sessions"), (r"^ids_match", "payloads"), (r"^ids_lang|^ids_keywords_check", "rules"),
         (r"^hardening", "profiles"), (r"yaml|site_load_load", "yaml"), (r"eve_line|drill", "events"))


class Seeds:
    """Folders of inputs below `folder`. `ids` is the built program, `root` the project."""

    def __init__(self, folder, root, ids):
        self.folder, self.root = folder, root
        for kind in {kind for _, kind in KINDS} | {"none"}:
            os.makedirs(os.path.join(folder, kind))
        captures = os.path.join(folder, "made")
        os.makedirs(captures)
        subprocess.run([ids, "test", "--write-pcap", captures, os.path.join(root, "rules/ids/cases")], check=True,
                       stdout=subprocess.DEVNULL)
        for path in sorted(glob.glob(captures + "/*.pcap")):
            self._capture(path, ids)
        for path in self._files("rules/ids/**/*.rules"):
            for i, line in enumerate(open(path, "rb")):
                self._write("rules", "%s-%d" % (os.path.basename(path), i), line)
        for path in self._files("rules/**/*.yaml") + self._files("site/**/*.yaml"):
            self._write("yaml", path.replace("/", "-")[-80:], open(path, "rb").read())
        for path in self._files("rules/hardening/*.yaml"):
            self._write("profiles", os.path.basename(path), open(path, "rb").read())
        for target, inputs in WRITTEN.items():
            os.makedirs(os.path.join(folder, target))
            for i, content in enumerate(inputs):
                self._write(target, str(i), content)

    def of(self, target):
        """The folders that `target` begins with; at least one, which may be empty."""
        found = [kind for pattern, kind in KINDS if re.search(pattern, target)][:1]
        if target in WRITTEN:
            found.append(target)
        return [os.path.join(self.folder, name) for name in found or ["none"]]

    def _files(self, pattern):
        return [p for p in glob.glob(os.path.join(self.root, pattern), recursive=True) if os.path.isfile(p)]

    def _write(self, kind, name, content):
        with open(os.path.join(self.folder, kind, name), "wb") as out:
            out.write(content)

    def _capture(self, path, ids):
        name = os.path.basename(path)
        frames = list(read_pcap(path))
        shutil.copy(path, os.path.join(self.folder, "captures"))
        self._write("sessions", name, pieces(frames))
        bodies = [found for found in map(payload, frames) if found is not None and found[3]]
        for i, frame in enumerate(frames[:20]):
            self._write("frames", "%s-%d" % (name, i), b"\x00" + frame)  # the link type: Ethernet
        for i, found in enumerate(bodies[:5]):
            self._write("payloads", "%s-%d" % (name, i), found[3])
        mail = b"".join(found[3] for found in bodies if found[2] == 25)
        if mail:
            self._write("messages", name, b"\x20" + mail[mail.find(b"DATA\r\n") + 6:])  # in pieces of 33 bytes
        told = subprocess.run([ids, "run", "--pcap", path, "--log-dir", "-"], check=True, capture_output=True)
        for i, line in enumerate(told.stdout.splitlines()[:10]):
            self._write("events", "%s-%d" % (name, i), line)
