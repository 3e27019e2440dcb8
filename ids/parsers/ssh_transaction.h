// What both sides of an SSH connection say before they encrypt. One transaction per flow.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// Transaction::progress, per direction.
inline constexpr std::uint8_t kSshBanner = 1;       // the identification line is there
inline constexpr std::uint8_t kSshKeyExchange = 2;  // KEXINIT is there, or something in its place
inline constexpr std::uint8_t kSshFinished = 3;     // NEWKEYS: all that follows is encrypted

class SshTransaction : public Transaction {
 public:
  struct Side {
    std::string protocol;  // "2.0"
    std::string software;  // "OpenSSH_9.2", without the comment
    // RFC 4253 7.1: key exchange, encryption, MAC and compression algorithms as this side offers
    // them for what it sends, joined with ';'. Empty until KEXINIT, or when not asked for.
    std::string hassh_string, hassh;  // the list and its MD5
  };
  std::array<Side, 2> sides;   // by index(Direction): [0] the client's
  bool wait_for_keys = false;  // to be logged once both sides are finished, not with the banners
};

}  // namespace gatehouse::ids
