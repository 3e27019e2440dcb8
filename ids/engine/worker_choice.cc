#include "ids/engine/worker_choice.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "ids/flow/hash.h"

namespace gatehouse::ids::engine {
namespace {

constexpr int kLinkNull = 0;
constexpr int kLinkRaw = 12;
constexpr int kLinkRaw101 = 101;
constexpr int kLinkSll = 113;
constexpr int kLinkIpv4 = 228;
constexpr int kLinkIpv6 = 229;
constexpr int kLinkSll2 = 276;

// The bytes from the IP header on; empty when there is none that we can find.
core::ByteView ip_part(const RawPacket& packet) {
  core::ByteReader reader(packet.data);
  std::uint16_t type = 0;
  switch (packet.link_type) {
    case kLinkEthernet:
      reader.skip(12);
      type = reader.u16();
      break;
    case kLinkSll:
      reader.skip(14);
      type = reader.u16();
      break;
    case kLinkSll2:
      type = reader.u16();
      reader.skip(18);
      break;
    case kLinkNull:
      reader.skip(4);
      return reader.rest();
    case kLinkRaw:
    case kLinkRaw101:
    case kLinkIpv4:
    case kLinkIpv6:
      return packet.data;
    default:
      return {};
  }
  for (int tags = 0; tags < 3 && (type == 0x8100 || type == 0x88a8 || type == 0x9100); ++tags) {
    reader.skip(2);
    type = reader.u16();
  }
  if (type == 0x8864) {  // PPPoE: version, code, session, length, PPP protocol
    reader.skip(6);
    const std::uint16_t ppp = reader.u16();
    if (ppp != 0x0021 && ppp != 0x0057) return {};
    return reader.rest();
  }
  if (type != 0x0800 && type != 0x86dd) return {};
  return reader.rest();
}

// Equal for both directions; none when there are no two addresses.
std::optional<std::uint64_t> hash_of_pair(const RawPacket& packet) {
  const core::ByteView ip = ip_part(packet);
  if (ip.empty()) return std::nullopt;
  const unsigned version = ip[0] >> 4;
  const std::size_t at = version == 4 ? 12 : 8;
  const std::size_t size = version == 4 ? 4 : 16;
  if ((version != 4 && version != 6) || ip.size() < at + 2 * size) return std::nullopt;
  const auto hash_side = [&](std::size_t side) {
    std::uint64_t words[2] = {};
    std::memcpy(words, ip.data() + at + side * size, size);
    return mix64(mix64(words[0]) ^ words[1]);
  };
  // A sum over both addresses does not care for their order.
  return mix64(hash_side(0) + hash_side(1));
}

}  // namespace

std::size_t WorkerChoice::of(const RawPacket& packet) {
  std::size_t worker = 0;
  if (const auto hash = hash_of_pair(packet)) {
    std::uint8_t& chosen = chosen_[*hash % kPairs];
    if (chosen == kNobody)
      chosen = static_cast<std::uint8_t>(std::min_element(load_.begin(), load_.end()) - load_.begin());
    worker = chosen;
  }
  load_[worker] += packet.data.size() + kPacketCost;
  return worker;
}

}  // namespace gatehouse::ids::engine
