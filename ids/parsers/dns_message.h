// RFC 1035 messages: bytes to records. Pure; knows nothing of flows.
#pragma once

#include <string>

#include "ids/parsers/dns_transaction.h"

namespace gatehouse::ids::dns {

// What was odd about the names of a message.
struct NameFindings {
  bool too_long = false, loop = false, too_many_labels = false;
};

struct Message {
  std::uint16_t id = 0, flags = 0;
  std::vector<DnsQuestion> queries;
  std::vector<DnsRecord> answers, authorities, additionals;
  bool invalid_authorities = false, invalid_additionals = false;  // broken off; what was read is kept
  NameFindings names;
};

enum class ParseStatus : std::uint8_t { ok, no_header, malformed };
ParseStatus parse_message(ByteView bytes, Message& out);

// Could these bytes begin a message of `total` bytes? Looks at the counts and the first question.
enum class Plausible : std::uint8_t { no, undecided, yes };
Plausible plausible_message(ByteView bytes, std::size_t total);

}  // namespace gatehouse::ids::dns
