#include "ids/parsers/http_session.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http {
namespace {

void write_field(core::JsonWriter& json, std::string_view key, const HttpMessage& message,
                 std::string_view name) {
  if (const HttpField* field = message.field(name)) json.field(key, field->value);
}

void write_all_fields(core::JsonWriter& json, std::string_view key, const HttpMessage& message) {
  json.key(key).begin_array();
  for (const HttpField& field : message.fields) {
    json.begin_object().field("name", field.name).field("value", field.value).end_object();
  }
  json.end_array();
}

}  // namespace

void write_http_log(const Transaction& base, const LogOptions& options, core::JsonWriter& json) {
  const auto& tx = static_cast<const HttpTransaction&>(base);
  if (!tx.host.empty()) json.field("hostname", tx.host);
  if (tx.port > 0) json.field("http_port", tx.port);
  if (!tx.uri_raw.empty()) json.field("url", tx.uri_raw);
  write_field(json, "http_user_agent", tx.request(), "user-agent");
  if (const HttpField* type = tx.response().field("content-type")) {
    json.field("http_content_type", trim(std::string_view(type->value).substr(0, type->value.find(';'))));
  }
  if (options.http_extended) {
    write_field(json, "http_refer", tx.request(), "referer");
    if (!tx.method.empty()) json.field("http_method", tx.method);
    if (!tx.request().protocol.empty()) json.field("protocol", tx.request().protocol);
    if (tx.status > 0) {
      json.field("status", tx.status);
    } else if (!tx.status_text.empty()) {
      json.field("status_string", tx.status_text);
    }
    if (tx.status >= 300 && tx.status < 400) write_field(json, "redirect", tx.response(), "location");
    json.field("length", tx.response().wire_body_size);
  }
  if (options.http_request_headers) write_all_fields(json, "request_headers", tx.request());
  if (options.http_response_headers) write_all_fields(json, "response_headers", tx.response());
}

}  // namespace gatehouse::ids::http
