#include "core/ban.h"

#include <algorithm>

#include "core/json.h"
#include "core/utf8.h"
#include "core/yaml.h"

namespace gatehouse::core {
namespace {

// The members of one line; an error says what is wrong with it.
template <class F>
Status read_line(std::string_view line, const char* what, F&& read) {
  if (line.size() > kMostBanLine) return fail(Errc::invalid_input, std::string(what) + " is too long");
  Diagnostics diagnostics;
  const auto root = parse_yaml(SourceText(what, std::string(line)), diagnostics);
  if (!root) return tl::make_unexpected(diagnostics.first_error());
  MapReader map(*root, what, diagnostics);
  read(map);
  map.finish();
  if (diagnostics.has_errors()) return tl::make_unexpected(diagnostics.first_error());
  return {};
}

// What the other side reads as at most `most` bytes. JSON carries a byte that is no UTF-8 as the character of
// that number, which takes two; a signature's words may hold any bytes.
std::string_view fitting(std::string_view text, std::size_t most) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t at = 0;
  std::size_t read = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(p + at, text.size() - at);
    read += length == 0 ? 2 : length;
    if (read > most) break;
    at += std::max<std::size_t>(length, 1);
  }
  return text.substr(0, at);
}

}  // namespace

bool is_never_banned(const IpAddress& a) {
  const auto& b = a.bytes;
  if (a.is_v4()) {
    const bool link_local = b[0] == 169 && b[1] == 254;
    return b[0] == 0 || b[0] == 127 || b[0] >= 224 || link_local;
  }
  if (!a.is_v6() || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0U) == 0x80U)) return true;
  // ::, ::1 and what only wraps an IPv4 address: that one is to be named itself.
  for (std::size_t i = 0; i < 10; ++i) {
    if (b[i] != 0) return false;
  }
  return true;
}

std::string to_line(const BanRequest& request) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("address", request.address.to_string()).field("seconds", request.seconds);
  json.field("reason", fitting(request.reason, kMostBanReason));
  json.field("event", fitting(request.event, kMostBanEvent)).end_object();
  return out + "\n";
}

std::string to_line(const BanReply& reply) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("ok", reply.ok);
  if (!reply.ok) json.field("error", fitting(reply.error, kMostBanReason));
  json.end_object();
  return out + "\n";
}

Result<BanRequest> parse_ban_request(std::string_view line) {
  BanRequest out;
  GH_CHECK(read_line(line, "ban request", [&](MapReader& map) {
    if (const YamlNode* address = map.required("address")) {
      if (const auto parsed = yaml_address(*address, map.diagnostics())) out.address = *parsed;
    }
    (void)map.required("seconds");
    out.seconds = static_cast<std::uint32_t>(map.uint("seconds", 0, 1, kMostBanSeconds));
    out.reason = map.required_string("reason");
    out.event = map.string("event");
  }));
  if (out.reason.size() > kMostBanReason || out.event.size() > kMostBanEvent)
    return fail(Errc::invalid_input, "ban request: too many words");
  if (is_never_banned(out.address))
    return fail(Errc::invalid_input, "ban request: " + out.address.to_string() + " is no host to ban");
  return out;
}

Result<BanReply> parse_ban_reply(std::string_view line) {
  BanReply out;
  GH_CHECK(read_line(line, "ban reply", [&](MapReader& map) {
    (void)map.required("ok");
    out.ok = map.boolean("ok", false);
    out.error = map.string("error");
  }));
  return out;
}

}  // namespace gatehouse::core
