// QUIC, BitTorrent's distributed hash table, PostgreSQL.
#include "ids/parsers/recognised.h"

namespace gatehouse::ids {
namespace {

using recognised::begins_with;
using recognised::begins_with_one;
using recognised::verdict;

constexpr std::uint16_t kQuicPorts[] = {443, 80};
constexpr std::uint16_t kPgsqlPorts[] = {5432};

// RFC 8999 5.1, RFC 9000 17.2: a long header with a known version and identifiers of possible length.
ProbeVerdict probe_quic(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  if (data.size() < 7 || (data[0] & 0xc0U) != 0xc0) return ProbeVerdict::no;
  const std::uint32_t version =
      std::uint32_t{data[1]} << 24U | std::uint32_t{data[2]} << 16U | data[3] * 256U | data[4];
  const bool known = version == 1 || version == 0x6b3343cf ||
                     (version >= 0xff000016 && version <= 0xff000022) ||
                     (data[1] == 'Q' && data[2] == '0' && data[3] >= '4' && data[3] <= '5');
  if (!known) return ProbeVerdict::no;
  if (data[1] == 'Q') return ProbeVerdict::yes;
  const std::size_t destination = data[5];
  return verdict(destination <= 20 && data.size() > 6 + destination && data[6 + destination] <= 20);
}

// BEP 5: a bencoded query, response or error with the identifier of the node.
ProbeVerdict probe_bittorrent_dht(ByteView data, Direction /*direction*/, AppTransport /*transport*/) {
  return verdict(begins_with_one(data, "D1:AD2:ID20:", "D1:RD2:ID20:", "D2:IP6:", "D2:IP18:", "D1:ELI20") ==
                 ProbeVerdict::yes);
}

// PostgreSQL 55.7: a start-up message, a request to encrypt and its answer, or authentication.
ProbeVerdict probe_pgsql(ByteView data, Direction direction, AppTransport /*transport*/) {
  if (direction == Direction::to_client)
    return verdict(data[0] == 'R' || data[0] == 'S' || data[0] == 'N' || data[0] == 'E');
  if (data[0] != 0 || (data.size() > 1 && data[1] != 0)) return ProbeVerdict::no;
  if (data.size() < 8) return ProbeVerdict::maybe;
  const ByteView code = data.subspan(4);
  return std::max({begins_with(code, std::string_view("\0\3\0\0", 4)), begins_with(code, "\x04\xd2\x16\x2f"),
                   begins_with(code, "\x04\xd2\x16\x30"), begins_with(code, "\x04\xd2\x16\x2e")});
}

constexpr ParserDescriptor kRows[] = {
    recognised::row("quic", "RFC 9000", AppTransport::udp, kQuicPorts, probe_quic),
    recognised::row("bittorrent-dht", "BEP 5", AppTransport::udp, {}, probe_bittorrent_dht),
    recognised::row("pgsql", "PostgreSQL 55.7", AppTransport::tcp, kPgsqlPorts, probe_pgsql, true),
};

}  // namespace

std::span<const ParserDescriptor> recognised_internet() {
  return kRows;
}

}  // namespace gatehouse::ids
