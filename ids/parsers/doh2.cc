// DNS over HTTP/2 (RFC 8484): the messages in bodies and in the queries of URIs.
#include "ids/parsers/dns_log.h"
#include "ids/parsers/dns_message.h"
#include "ids/parsers/http2_events.h"
#include "ids/parsers/http2_session.h"
#include "ids/parsers/http_message.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids {

AppProto Http2Transaction::logged_as(AppProto flow) const {
  static const AppProto kHttp2 = find_parser("http2");
  return has_dns() ? flow : kHttp2;
}

namespace http2 {
namespace {

constexpr std::string_view kMediaType = "application/dns-message";

bool speaks_dns(const HttpMessage& message, std::string_view name) {
  const HttpField* field = message.field(name);
  return field != nullptr && http::equal_nocase(http::trim(field->value), kMediaType);
}

}  // namespace

void Http2Session::check_dns(Stream& tx, Direction d) {
  const HttpMessage& message = tx.message[index(d)];
  tx.is_dns[index(d)] = speaks_dns(message, "content-type");
  if (d == Direction::to_server && tx.method == "GET" && speaks_dns(message, "accept")) query_of_uri(tx);
}

// GET /dns-query?dns=<base64url>
void Http2Session::query_of_uri(Stream& tx) {
  const std::string_view uri = tx.uri_raw;
  std::size_t at = uri.find('?');
  while (at != std::string_view::npos) {
    const std::string_view rest = uri.substr(at + 1);
    const std::string_view item = rest.substr(0, rest.find('&'));
    if (item.starts_with("dns=")) {
      if (const auto bytes = http::base64url_decode(item.substr(4)))
        dns_message(tx, Direction::to_server, core::as_bytes(*bytes));
      return;
    }
    at = uri.find('&', at + 1);
  }
}

void Http2Session::dns_message(Stream& tx, Direction d, ByteView bytes) {
  if (bytes.size() > kMostDnsBytes || tx.message[index(d)].body_capped) return;
  dns::Message parsed;
  const bool response = d == Direction::to_client;
  if (dns::parse_message(bytes, parsed) != dns::ParseStatus::ok) return;
  if (((parsed.flags & 0x8000U) != 0) != response) return;
  auto message = std::make_unique<DnsTransaction>();
  message->id = tx.id;
  message->is_response = response;
  message->message_id = parsed.id;
  message->flags = parsed.flags;
  message->queries = std::move(parsed.queries);
  message->answers = std::move(parsed.answers);
  message->authorities = std::move(parsed.authorities);
  message->additionals = std::move(parsed.additionals);
  message->progress = {kDnsComplete, kDnsComplete};
  tx.dns[index(d)] = std::move(message);
  renamed = "doh2";
}

void write_doh2_log(const Transaction& base, const LogOptions& options, core::JsonWriter& json) {
  const auto& tx = static_cast<const Http2Transaction&>(base);
  const Transaction* message = tx.dns[1] != nullptr ? tx.dns[1].get() : tx.dns[0].get();
  if (message == nullptr) return;
  LogOptions layout = options;
  layout.dns_version = 3;  // the older layout has no room for the stream besides
  dns::write_dns_log(*message, layout, json);
}

}  // namespace http2

namespace {

// A flow becomes this one when a DNS message is found in it; it is never found by its first bytes.
ProbeVerdict probe(ByteView /*data*/, Direction /*direction*/, AppTransport /*transport*/) {
  return ProbeVerdict::no;
}

void write_carrier(const Transaction& tx, const LogOptions& options, core::JsonWriter& json) {
  json.key("http").begin_object();
  http2::write_http2_log(tx, options, json);
  json.end_object();
}

bool ready_to_log(const Transaction& tx) {
  return tx.progress[0] == kHttpComplete && tx.progress[1] == kHttpComplete;
}

}  // namespace

extern const ParserDescriptor parser_doh2;
const ParserDescriptor parser_doh2 = {
    .name = "doh2",
    .event_type = "dns",
    .spec = "RFC 8484",
    .transport = AppTransport::tcp,
    .default_ports = {},
    .probe = probe,
    .make_session = nullptr,
    .complete = {kHttpComplete, kHttpComplete},
    .event_names = http2::kHttp2EventNames,
    .first_data = std::nullopt,
    .any_order = true,
    .write_log = http2::write_doh2_log,
    .write_beside = write_carrier,
    .log_records = nullptr,
    .ready_to_log = ready_to_log,
};

}  // namespace gatehouse::ids
