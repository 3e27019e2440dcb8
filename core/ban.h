// How a detector asks the firewall guard for a timed ban: one JSON line each way over a local stream socket.
//   > {"address":"192.0.2.7","seconds":600,"reason":"bruteforce.ssh, confidence 0.97","event":"12"}
//   < {"ok":true}
//   < {"ok":false,"error":"192.0.2.7 is the administration host"}
// The guard keeps its own list of whom never to ban and decides; who asks must not rely on it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ip.h"
#include "core/result.h"

namespace gatehouse::core {

inline constexpr std::size_t kMostBanLine = 4096;   // with its LF
inline constexpr std::size_t kMostBanEvent = 64;    // bytes
inline constexpr std::size_t kMostBanReason = 384;  // bytes
inline constexpr std::uint32_t kMostBanSeconds = 30 * 86'400;

struct BanRequest {
  IpAddress address;          // one host
  std::uint32_t seconds = 0;  // 1 to kMostBanSeconds
  std::string reason;         // in words, for the log of the guard
  std::string event;          // what the asker calls the event behind it; may be empty
};

struct BanReply {
  bool ok = false;
  std::string error;  // why not
};

// No host that could be banned without harm: unspecified, loopback, link-local, multicast, broadcast.
bool is_never_banned(const IpAddress& address);

std::string to_line(const BanRequest& request);
std::string to_line(const BanReply& reply);
// Strict: unknown members, a bad address or a number out of range are errors.
Result<BanRequest> parse_ban_request(std::string_view line);
Result<BanReply> parse_ban_reply(std::string_view line);

}  // namespace gatehouse::core
