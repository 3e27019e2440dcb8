#include "ids/anomaly/classes.h"

#include <iterator>

namespace gatehouse::ids::anomaly {
namespace {

// In the order of Verdict. Not spoofable is what rests on packets after a completed handshake alone. No scan
// of ports is: what is refused could be sent in the name of somebody whose own connections complete.
constexpr AttackClass kClasses[] = {
    {1, "scan.syn.vertical", "GATEHOUSE port scan of one host", "T1046", 2, true},
    {2, "scan.syn.horizontal", "GATEHOUSE scan of many hosts for one port", "T1046", 2, true},
    {3, "scan.syn.block", "GATEHOUSE port scan of several hosts", "T1046", 2, true},
    {4, "scan.slow", "GATEHOUSE slow port scan", "T1046", 2, true},
    {5, "scan.distributed", "GATEHOUSE port scan of one host shared by many sources", "T1046", 2, true},
    {6, "scan.fin", "GATEHOUSE port scan with FIN", "T1046", 2, true},
    {7, "scan.null", "GATEHOUSE port scan with no flags", "T1046", 2, true},
    {8, "scan.xmas", "GATEHOUSE port scan with FIN, PSH and URG", "T1046", 2, true},
    {9, "scan.ack", "GATEHOUSE port scan with ACK", "T1046", 2, true},
    {10, "scan.connect", "GATEHOUSE port scan with whole connections", "T1046", 2, true},
    {11, "scan.udp", "GATEHOUSE UDP port scan", "T1046", 2, true},
    {12, "scan.sweep.icmp", "GATEHOUSE ping sweep", "T1018", 3, true},
    {13, "scan.ipproto", "GATEHOUSE scan for IP protocols", "T1046", 2, true},
    {15, "scan.version", "GATEHOUSE open ports probed for what listens there", "T1046", 2, false},
    {14, "scan.decoy", "GATEHOUSE port scan hidden among decoys", "T1046", 2, true},
    {20, "dos.synflood", "GATEHOUSE SYN flood", "T1499.001", 1, true},
    {21, "dos.udpflood", "GATEHOUSE UDP flood", "T1498.001", 1, true},
    {22, "dos.icmpflood", "GATEHOUSE ICMP flood", "T1498.001", 1, true},
    {23, "dos.ackflood", "GATEHOUSE flood of TCP packets without connection", "T1499.001", 1, true},
    {24, "dos.rstflood", "GATEHOUSE flood of TCP resets", "T1498.001", 2, true},
    {25, "dos.fragment", "GATEHOUSE flood of fragments that never become whole", "T1499.001", 1, true},
    {26, "dos.carpet", "GATEHOUSE flood spread over a network", "T1498.001", 1, true},
    {27, "dos.dns_amplification", "GATEHOUSE flood of DNS answers nobody asked for", "T1498.002", 1, true},
    {28, "dos.ntp_amplification", "GATEHOUSE flood of NTP answers nobody asked for", "T1498.002", 1, true},
    {29, "dos.ssdp_amplification", "GATEHOUSE flood of SSDP answers nobody asked for", "T1498.002", 1, true},
    {30, "dos.memcached_amplification", "GATEHOUSE flood of memcached answers nobody asked for", "T1498.002",
     1, true},
    {31, "dos.amplification", "GATEHOUSE flood of answers nobody asked for", "T1498.002", 1, true},
    {32, "dos.httpflood", "GATEHOUSE HTTP request flood", "T1499.002", 1, false},
    {33, "dos.dnsflood", "GATEHOUSE flood of queries for names that do not exist", "T1499.002", 1, true},
    {34, "dos.slowloris", "GATEHOUSE requests that are never finished", "T1499.002", 1, false},
    {35, "dos.slowpost", "GATEHOUSE request bodies that trickle", "T1499.002", 1, false},
    {36, "dos.slowread", "GATEHOUSE answers that are never read", "T1499.002", 1, false},
    {37, "dos.connection_exhaustion", "GATEHOUSE connections that are held and not used", "T1499.002", 1,
     false},
    {38, "dos.http2_reset", "GATEHOUSE HTTP/2 streams opened to be cancelled", "T1499.002", 1, false},
    {39, "dos.http2_continuation", "GATEHOUSE HTTP/2 headers without end", "T1499.002", 1, false},
    {40, "dos.tls_handshakes", "GATEHOUSE flood of TLS handshakes left undone", "T1499.002", 1, false},
    {41, "dos.tls_renegotiation", "GATEHOUSE TLS keys changed again and again", "T1499.002", 1, false},
    {42, "dos.amplification.out", "GATEHOUSE server misused to flood others with its answers", "T1498.002", 1,
     true},
    {50, "bruteforce.ssh", "GATEHOUSE password guessing over SSH", "T1110.001", 2, false},
    {51, "bruteforce.http_login", "GATEHOUSE password guessing over HTTP", "T1110.001", 2, false},
    {52, "bruteforce.smtp_auth", "GATEHOUSE password guessing over SMTP", "T1110.001", 2, false},
    {60, "info.dead_server", "GATEHOUSE server does not answer its clients", "", 3, false},
    {61, "info.lost_uplink", "GATEHOUSE nobody answers any more: is the uplink lost?", "", 3, false},
};
static_assert(std::size(kClasses) == static_cast<std::size_t>(Verdict::count_));

}  // namespace

const AttackClass& attack_class(Verdict verdict) {
  return kClasses[static_cast<std::size_t>(verdict)];
}
std::span<const AttackClass> attack_classes() {
  return kClasses;
}
std::string_view attack_category(const AttackClass& attack) {
  if (attack.klass.starts_with("dos.")) return "Attempted Denial of Service";
  if (attack.klass.starts_with("bruteforce.")) return "Attempted Administrator Privilege Gain";
  if (attack.klass.starts_with("info.")) return "Not Suspicious Traffic";
  return "Detection of a Network Scan";
}
std::string_view attack_classtype(const AttackClass& attack) {
  if (attack.klass.starts_with("dos.")) return "detected-flood";
  if (attack.klass.starts_with("bruteforce.")) return "detected-guessing";
  if (attack.klass.starts_with("info.")) return "detected-outage";
  return "detected-scan";
}

}  // namespace gatehouse::ids::anomaly
