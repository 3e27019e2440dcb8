#include <algorithm>
#include <array>

#include "ids/parsers/http2_session.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http2 {
namespace {

constexpr std::array<std::string_view, 10> kSettingNames = {"",
                                                            "SETTINGSHEADERTABLESIZE",
                                                            "SETTINGSENABLEPUSH",
                                                            "SETTINGSMAXCONCURRENTSTREAMS",
                                                            "SETTINGSINITIALWINDOWSIZE",
                                                            "SETTINGSMAXFRAMESIZE",
                                                            "SETTINGSMAXHEADERLISTSIZE",
                                                            "",
                                                            "SETTINGSENABLECONNECTPROTOCOL",
                                                            "SETTINGSNORFC7540PRIORITIES"};

constexpr std::array<std::string_view, 14> kErrorNames = {
    "NoError",      "ProtocolError",   "InternalError",      "FlowControlError", "SettingsTimeout",
    "StreamClosed", "FrameSizeError",  "RefusedStream",      "Cancel",           "CompressionError",
    "ConnectError", "EnhanceYourCalm", "InadequateSecurity", "Http11Required"};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

void write_fields(core::JsonWriter& json, std::string_view key, const HttpMessage& message,
                  const Http2Frames& frames) {
  if (message.fields.empty() && frames.table_sizes.empty()) return;
  json.key(key).begin_array();
  auto size = frames.table_sizes.begin();
  for (std::size_t i = 0; i <= message.fields.size(); ++i) {
    for (; size != frames.table_sizes.end() && size->before_field <= i; ++size)
      json.begin_object().field("table_size_update", size->bytes).end_object();
    if (i == message.fields.size()) break;
    const HttpField& field = message.fields[i];
    json.begin_object().field("name", field.name).field("value", field.value).end_object();
  }
  json.end_array();
}

bool says_something(const Http2Frames& frames) {
  return !frames.settings.empty() || !frames.errors.empty() || !frames.priorities.empty();
}

void write_frames(core::JsonWriter& json, std::string_view key, const Http2Frames& frames) {
  if (!says_something(frames)) return;
  json.key(key).begin_object();
  if (!frames.settings.empty()) {
    json.key("settings").begin_array();
    for (const Http2Frames::Setting& setting : frames.settings) {
      json.begin_object();
      const std::string_view name = setting_name(setting.id);
      name.empty() ? json.field("settings_id", std::uint64_t{setting.id}) : json.field("settings_id", name);
      json.field("settings_value", std::uint64_t{setting.value}).end_object();
    }
    json.end_array();
  }
  if (!frames.errors.empty()) {
    const Http2Frames::Error& error = frames.errors.front();
    const std::string_view name = error_name(error.code);
    if (name.empty()) {
      json.field("error_code", std::to_string(error.code));
    } else {
      json.field("error_code", error.connection ? upper(name) : std::string(name));
    }
  }
  if (!frames.priorities.empty()) json.field("priority", std::uint64_t{frames.priorities.front()});
  if (frames.errors.size() > 1) json.field("has_multiple", "error_code");
  if (frames.errors.size() < 2 && frames.priorities.size() > 1) json.field("has_multiple", "priority");
  json.end_object();
}

const HttpField* either(const Http2Transaction& tx, std::string_view name) {
  const HttpField* found = tx.response().field(name);
  return found != nullptr ? found : tx.request().field(name);
}

}  // namespace

std::string_view setting_name(std::uint16_t id) {
  return id < kSettingNames.size() ? kSettingNames[id] : std::string_view{};
}

std::string_view error_name(std::uint32_t code) {
  return code < kErrorNames.size() ? kErrorNames[code] : std::string_view{};
}

unsigned http2_log_records(const Transaction& base, const LogOptions& /*options*/) {
  const auto& tx = static_cast<const Http2Transaction&>(base);
  for (std::size_t side = 0; side < 2; ++side) {
    if (says_something(tx.frames[side]) || !tx.message[side].fields.empty() ||
        !tx.frames[side].table_sizes.empty())
      return 1;
  }
  return 0;
}

void write_http2_log(const Transaction& base, const LogOptions& options, core::JsonWriter& json) {
  const auto& tx = static_cast<const Http2Transaction&>(base);
  json.field("version", "2");
  write_fields(json, "request_headers", tx.request(), tx.frames[0]);
  write_fields(json, "response_headers", tx.response(), tx.frames[1]);
  if (!tx.host_raw.empty()) json.field("hostname", tx.host_raw);
  if (!tx.uri_raw.empty()) json.field("url", tx.uri_raw);
  if (!tx.method.empty()) json.field("http_method", tx.method);
  if (const HttpField* agent = tx.request().field("user-agent")) json.field("http_user_agent", agent->value);
  if (const HttpField* type = tx.response().field("content-type"))
    json.field("http_content_type",
               http::trim(std::string_view(type->value).substr(0, type->value.find(';'))));
  if (options.http_extended) {
    if (const HttpField* referer = tx.request().field("referer")) json.field("http_refer", referer->value);
    if (tx.status >= 300 && tx.status < 400) {
      if (const HttpField* location = tx.response().field("location"))
        json.field("redirect", location->value);
    }
  }
  if (tx.status > 0) json.field("status", tx.status);
  bool clean = false;
  const HttpField* length = either(tx, "content-length");
  const auto announced = length == nullptr ? std::nullopt : http::parse_length(length->value, clean);
  if (announced && clean) {
    json.field("length", *announced);
  } else if (tx.response().wire_body_size > 0) {
    json.field("length", tx.response().wire_body_size);
  }
  json.key("http2").begin_object();
  json.field("stream_id", std::uint64_t{tx.stream});
  write_frames(json, "request", tx.frames[0]);
  write_frames(json, "response", tx.frames[1]);
  json.end_object();
}

}  // namespace gatehouse::ids::http2
