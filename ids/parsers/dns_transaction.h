// One DNS message, request or response: each is a transaction of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ids/parsers/parser.h"

namespace gatehouse::ids {

// Transaction::progress: a message is complete as soon as it is there. The number is that of a
// complete HTTP message, because DNS over HTTP/2 is inspected on that scale.
inline constexpr std::uint8_t kDnsComplete = 5;

struct DnsQuestion {
  std::string name;  // labels joined with '.', no dot at the end; bytes as sent
  std::uint16_t type = 0, klass = 0;
  bool name_truncated = false;  // longer than the cap: cut
};

struct DnsRecord {
  std::string name;
  std::uint16_t type = 0, klass = 0;
  std::uint32_t ttl = 0;
  std::vector<std::uint8_t> rdata;  // as sent
  std::string text;                 // address, name or text by type; empty when not understood
  std::vector<std::string> texts;   // TXT: each string
  // By type: MX {preference}, SRV {priority, weight, port}, SSHFP {algorithm, type},
  // SOA {serial, refresh, retry, expire, minimum}.
  std::vector<std::uint32_t> numbers;
  std::string second_name;  // SOA: rname (text holds mname)
  bool is_name = false;     // text is a domain name
};

class DnsTransaction : public Transaction {
 public:
  bool is_response = false;  // by its direction in the flow
  std::uint16_t message_id = 0;
  std::uint16_t flags = 0;  // the whole second word of the header
  std::vector<DnsQuestion> queries;
  std::vector<DnsRecord> answers, authorities, additionals;

  unsigned opcode() const { return flags >> 11U & 0xfU; }
  unsigned rcode() const { return flags & 0xfU; }
  bool qr() const { return (flags & 0x8000U) != 0; }
  const Transaction* carried(Direction asked) const override { return asked == direction() ? this : nullptr; }
  Direction direction() const { return is_response ? Direction::to_client : Direction::to_server; }
};

std::string dns_type_text(std::uint16_t type);  // "A", "1234" when it has no name
std::string dns_rcode_text(unsigned rcode);     // "NOERROR"

}  // namespace gatehouse::ids
