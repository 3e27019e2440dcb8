#include "core/ban.h"

#include "core/json.h"
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
  json.field("reason", std::string_view(request.reason).substr(0, kMostBanReason));
  json.field("event", std::string_view(request.event).substr(0, kMostBanEvent)).end_object();
  return out + "\n";
}

std::string to_line(const BanReply& reply) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("ok", reply.ok);
  if (!reply.ok) json.field("error", std::string_view(reply.error).substr(0, kMostBanReason));
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
