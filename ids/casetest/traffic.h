// Traffic described in a case, made into frames:
//
//   traffic:
//     - tcp: {client: 203.0.113.7:40000, server: 10.0.0.10:80}
//       exchange:
//         - client: "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
//         - server: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
//     - udp: {client: 10.0.0.53:40053, server: 203.0.113.53:53}
//       exchange:
//         - client_hex: 12 34 01 00 ...
//     - icmp: {client: 203.0.113.7, server: 10.0.0.10}
//       exchange:
//         - client: {type: 8, code: 0, hex: 00 01}
//
// Steps: client, server (text), client_hex, server_hex, client_file, server_file (a file beside the case),
// each with an optional `times` that repeats the bytes; wait (a duration); end: close | client_reset |
// server_reset | open (the last step; `close` when none is given).
#pragma once

#include <string>
#include <vector>

#include "core/yaml.h"
#include "ids/decode/testing/packet_builder.h"

namespace gatehouse::ids::casetest {

inline constexpr std::size_t kMostTrafficBytes = 64U << 20U;

// The frames in the order of their times; conversations begin one second apart unless they say
// `start` (a duration from the beginning). Every mistake has a diagnostic.
std::vector<testing::Frame> make_traffic(const core::YamlNode& node, core::Diagnostics& diagnostics);

}  // namespace gatehouse::ids::casetest
