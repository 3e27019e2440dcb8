// Hand-made packets for what a normal socket will not send, and watchers that see what arrives.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/ip.h"
#include "core/os.h"
#include "tests/netns/fwctl_topology.h"

namespace gatehouse::test {

using PacketBytes = std::vector<std::uint8_t>;
using Mac = std::array<std::uint8_t, 6>;

inline constexpr std::uint8_t kFin = 1, kSyn = 2, kPsh = 8, kAck = 16, kUrg = 32;

// Whole IP packets with right checksums; both addresses of one version.
PacketBytes tcp_packet(const std::string& from, const std::string& to, std::uint16_t sport,
                       std::uint16_t dport, std::uint8_t flags);
PacketBytes udp_packet(const std::string& from, const std::string& to, std::uint16_t sport,
                       std::uint16_t dport);
// RFC 4861 neighbour solicitation for `target`, hop limit 255, to its solicited-node group.
PacketBytes neighbour_solicitation(const std::string& from, const std::string& target, const Mac& sender);
// RFC 3810 general query with the router alert option, hop limit 1, from `from`.
PacketBytes listener_query(const std::string& from);

Mac mac_of(const Namespace& where, const std::string& interface);
std::string link_local_of(const Namespace& where, const std::string& interface);

// Sends frames out of one interface, past the sender's own IP stack.
class FrameSender {
 public:
  FrameSender(const Namespace& where, const std::string& interface);
  void send(const Mac& to, const PacketBytes& ip_packet);

 private:
  core::UniqueFd fd_;
  int index_ = 0;
};

// Sends whole IP packets through the sender's output hook.
class IpSender {
 public:
  explicit IpSender(const Namespace& where);
  void send(const PacketBytes& ip_packet);

 private:
  core::UniqueFd v4_, v6_;
};

// Remembers the source ports of TCP and UDP packets that came in, and the ICMPv6 messages.
class Watcher {
 public:
  // What the wire brought to any interface (before the namespace's own filters).
  static Watcher on_wire(const Namespace& where);
  // TCP that has passed the input filter.
  static Watcher after_input(const Namespace& where);

  void drain();
  void forget() { ports_.clear(), icmpv6_.clear(); }
  bool saw_port(std::uint16_t sport) const { return ports_.count(sport) != 0; }
  bool saw_icmpv6(std::uint8_t type, const std::string& to) const { return icmpv6_.count({type, to}) != 0; }

 private:
  void look(core::ByteView ip_packet);

  std::vector<core::UniqueFd> fds_;
  bool frames_ = false;
  std::set<std::uint16_t> ports_;
  std::set<std::pair<std::uint8_t, std::string>> icmpv6_;  // type, destination
};

}  // namespace gatehouse::test
