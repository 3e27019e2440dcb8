// Floods of packets a host did not ask for: UDP and its reflections, ICMP, TCP without a connection,
// fragments; at one host, or spread over its network.
#include <algorithm>

#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

// Answers we cannot see are no sign of anything: then only what no reply would excuse counts.
constexpr std::uint32_t kOneSidedFactor = 5;
constexpr std::uint32_t kReflectedFactor = 2;
// Fragments that never become whole have no benign kind to be told from.
constexpr std::uint32_t kFragmentShare = 2;
// Spread over so many hosts, none of which has half of it.
constexpr std::uint64_t kCarpetHosts = VictimTable::kSpreadHosts;
// So many networks of one larger one (/16, /48 of IPv6) are one attack.
constexpr std::size_t kCarpetNetworks = 4;
// Small datagrams from one or two senders to host after host are a scan.
constexpr std::uint32_t kScanBytes = 200;

std::uint32_t less(std::uint32_t a, std::uint32_t b) {
  return a > b ? a - b : 0;
}

class PacketFlood : public AnomalyDetector {
 public:
  explicit PacketFlood(const Context& context) : c_(context) {}

  void on_victim(Victim& v, std::int64_t now_us) override {
    const std::uint32_t base = c_.config.scaled(c_.config.flood_packets_per_second, v.address);
    const std::uint32_t most = limit(v.address);
    // Answered datagrams were counted as unasked when they began.
    const std::uint32_t udp = less(v[Tally::udp], v[Tally::udp_answered]);
    // Whether a service's answer was asked for is an exact test, and nothing benign fails it often.
    if (udp * kReflectedFactor >= most && v[Tally::reflected] * 2 >= v[Tally::udp]) {
      raise(v, now_us, reflected_verdict(v), udp, "unasked_per_second", most / kReflectedFactor);
    } else if (udp >= most && !is_udp_scan(v) && !is_stalled(v, udp, most, now_us)) {
      raise(v, now_us, Verdict::udp_flood, udp, "unanswered_per_second", most);
    }
    if (v[Tally::icmp] >= base)
      raise(v, now_us, Verdict::icmp_flood, v[Tally::icmp], "icmp_per_second", base);
    const std::uint32_t stray = less(v[Tally::stray], v[Tally::stray_answered]);
    if (stray >= most && stray_is_refused(v, now_us) && !is_port_scan(v))
      raise(v, now_us, Verdict::ack_flood, stray, "stray_per_second", most);
    if (v[Tally::reset] >= 2 * most)
      raise(v, now_us, Verdict::rst_flood, v[Tally::reset], "resets_per_second", 2 * most);
    if (v[Tally::syn_ack] >= most)
      raise(v, now_us, Verdict::amplification, v[Tally::syn_ack], "syn_acks_per_second", most);
    const std::uint32_t fragments = less(v[Tally::fragment], v[Tally::defragmented]);
    if (fragments * kFragmentShare >= base && v.older(Tally::fragment) > 2 * v[Tally::defragmented])
      raise(v, now_us, Verdict::fragment_flood, fragments, "incomplete_per_second", base / kFragmentShare);
  }

  void on_prefix(Victim& v, std::int64_t now_us) override {
    if (v.host_count() < kCarpetHosts || v.is_one()) return;
    const std::uint32_t udp = less(v[Tally::udp], v[Tally::udp_answered]);
    const std::uint32_t syn = less(v[Tally::syn], v[Tally::syn_completed] + v[Tally::syn_refused]);
    const bool many = v.source_count() >= kCarpetHosts;
    const bool by_udp = udp >= limit(v.address) && (many || v.bytes >= kScanBytes);
    const bool by_syn = syn >= limit(v.address) && many && v[Tally::syn_retried] * 3 < syn;
    const bool by_icmp =
        v[Tally::icmp] >= 2 * c_.config.scaled(c_.config.flood_packets_per_second, v.address) && many;
    if (!by_udp && !by_syn && !by_icmp) return;
    // One host's flood is not the network's.
    const core::IpPrefix wide = wider(v.address);
    std::uint64_t subject = c_.log.subject(Verdict::carpet, wide.address, 1);
    const bool merged = c_.log.active(subject);
    const bool merge = !merged && c_.log.carpets_within(wide) >= kCarpetNetworks;
    if (!merged && !merge) subject = c_.log.subject(Verdict::carpet, v.address);
    if (!c_.log.active(subject) && !merge && c_.log.flooded_within(v.address, v.prefix_bits)) return;
    const std::uint32_t amount = by_udp ? udp : by_syn ? syn : v[Tally::icmp];
    if (!c_.log.due(subject, now_us, amount)) return;
    Finding f = finding(v, c_.prefixes, now_us, Verdict::carpet, amount, "unasked_per_second");
    f.target_port = 0;
    f.targets_total = v.host_count();
    f.figure("hosts", v.host_count());
    f.limit("unasked_per_second", by_udp || by_syn
                                      ? limit(v.address)
                                      : 2 * c_.config.scaled(c_.config.flood_packets_per_second, v.address));
    f.limit("hosts", kCarpetHosts);
    f.protocol = by_udp ? 17 : by_syn ? 6 : v.last_protocol;
    if (merged || merge) f.name_target(wide.address, 0);
    if (merge) c_.log.merge_carpets(wide);
    c_.log.report(subject, f);
  }

 private:
  // A time server that does not answer for a while: its clients ask as ever, all on one port.
  bool is_stalled(const Victim& v, std::uint32_t udp, std::uint32_t most, std::int64_t now_us) const {
    constexpr std::uint32_t kClientsOfTime = 4;
    return udp < most * kClientsOfTime && v.last_port == 123 && v.is_one() &&
           c_.roles.is(v.tag, Role::time_server, now_us);
  }
  static core::IpPrefix wider(const IpAddress& network) {
    core::IpPrefix wide{network, static_cast<std::uint8_t>(network.is_v4() ? 16 : 48)};
    std::fill(wide.address.bytes.begin() + wide.length / 8, wide.address.bytes.end(), 0);
    return wide;
  }
  std::uint32_t limit(const IpAddress& victim) const {
    return c_.config.scaled(c_.config.flood_packets_per_second, victim) *
           (c_.symmetry.one_sided() ? kOneSidedFactor : 1);
  }

  static Verdict service_verdict(std::size_t service) {
    constexpr Verdict kVerdicts[] = {Verdict::dns_amplification, Verdict::ntp_amplification,
                                     Verdict::ssdp_amplification, Verdict::memcached_amplification,
                                     Verdict::amplification};
    return kVerdicts[service];
  }
  Verdict reflected_verdict(const Victim& v) const {
    const Suspicion* s = c_.victims.suspicion(v);
    if (s == nullptr) return Verdict::amplification;
    const auto most = std::max_element(s->reflectors.begin(), s->reflectors.begin() + 5);
    return service_verdict(static_cast<std::size_t>(most - s->reflectors.begin()));
  }

  // Port after port with little in it, from one or two: the scan test has the rest of the evidence.
  static bool is_udp_scan(const Victim& v) {
    return v.bytes < kScanBytes && v.source_count() <= 2 && v.port_count() * 2 >= v[Tally::udp];
  }
  static bool is_port_scan(const Victim& v) {
    return v.source_count() * 4 < v[Tally::stray] && v.port_count() * 2 >= v[Tally::stray];
  }
  // Connections that were there before we looked seem stray too; a host refuses what it does not know.
  bool stray_is_refused(const Victim& v, std::int64_t now_us) const {
    constexpr std::int64_t kSettledUs = 10'000'000;
    return v[Tally::stray_refused] * 2 >= v[Tally::stray] ||
           now_us - std::max(v.first_us, c_.flows_since_us) > kSettledUs;
  }

  Finding finding(const Victim& v, const VictimTable& table, std::int64_t now_us, Verdict verdict,
                  std::uint32_t amount, std::string_view what) const {
    Finding f(verdict, now_us - 1'000'000, now_us);
    f.protocol = v.last_protocol;
    f.name_target(v.address, v.port_count() <= 1 ? v.last_port : 0);
    f.sources_total = v.source_count();
    if (const Suspicion* s = table.suspicion(v)) f.name_sources(s->sources, amount / 100 + 2);
    f.figure(what, amount);
    f.figure("sources", f.sources_total);
    f.figure("ports", v.port_count());
    f.figure("bytes", v.bytes);
    f.confidence = std::min(0.99, 1.0 - 0.1 * c_.config.flood_packets_per_second / (1.0 + amount));
    return f;
  }

  void raise(const Victim& v, std::int64_t now_us, Verdict verdict, std::uint32_t amount,
             std::string_view what, std::uint32_t least) {
    const std::uint64_t subject = c_.log.subject(verdict, v.address);
    if (!c_.log.due(subject, now_us, amount)) return;
    Finding f = finding(v, c_.victims, now_us, verdict, amount, what);
    f.limit(what, least);
    c_.log.absorb(f);
    c_.log.report(subject, f);
  }

  Context c_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.flood) return nullptr;
  return std::make_unique<PacketFlood>(context);
}

}  // namespace

extern const AnomalyDescriptor detector_packet_flood;
const AnomalyDescriptor detector_packet_flood = {
    "packet_flood", "packets nobody asked for, at a host or over its network", 0, 0, true, true, false, make};

}  // namespace gatehouse::ids::anomaly
