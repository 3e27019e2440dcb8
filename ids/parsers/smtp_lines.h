// SMTP commands and replies as text (RFC 5321 4.1, 4.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::ids::smtp {

enum class Verb : std::uint8_t { other, helo, mail, rcpt, data, bdat, rset, quit, starttls, auth };

struct Command {
  Verb verb = Verb::other;
  bool known = false;  // a verb of SMTP or of one of its extensions
  std::string_view argument;
};
// `line` without its end.
Command parse_command(std::string_view line);

// BDAT SP size [SP LAST] (RFC 3030 2).
struct Chunk {
  std::uint64_t size = 0;
  bool last = false;
};
std::optional<Chunk> parse_chunk(std::string_view argument);

struct Reply {
  unsigned code = 0;
  bool more = false;   // another line of this reply follows
  bool known = false;  // the code is one of SMTP's
};
// Nothing: this is no reply.
std::optional<Reply> parse_reply(std::string_view line);

}  // namespace gatehouse::ids::smtp
