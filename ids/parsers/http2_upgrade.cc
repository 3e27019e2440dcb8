// From HTTP/1 to HTTP/2 over clear text (RFC 7540 3.2): the request that asked for it is stream 1.
#include "ids/parsers/http2_events.h"
#include "ids/parsers/http2_session.h"
#include "ids/parsers/http_message.h"
#include "ids/parsers/http_text.h"

namespace gatehouse::ids::http2 {

void Http2Session::adopt(const HttpTransaction& old) {
  const HttpField* settings_field = old.request().field("http2-settings");
  if (Stream* tx = add_frame(Direction::to_server, 0)) {
    const auto payload =
        settings_field == nullptr ? std::nullopt : http::base64url_decode(settings_field->value);
    Frame frame;
    frame.type = static_cast<std::uint8_t>(FrameType::settings);
    note(*tx, Direction::to_server, frame);
    if (!payload || payload->size() % 6 != 0) {
      http::add_event(tx->events, kInvalidHttp1Settings);
    } else {
      settings(*tx, Direction::to_server, frame, core::as_bytes(*payload));
    }
  }
  Stream* tx = add(1);
  if (tx == nullptr) return;
  side(Direction::to_server).highest = 1;
  Frame frame;
  frame.type = static_cast<std::uint8_t>(FrameType::headers);
  frame.stream = 1;
  note(*tx, Direction::to_server, frame);
  auto& fields = tx->request().fields;
  fields.push_back({":method", old.method, false});
  fields.push_back({":path", old.uri_raw, false});
  if (!old.host_raw.empty()) fields.push_back({":authority", old.host_raw, false});
  for (const HttpField& field : old.request().fields) {
    if (!http::equal_nocase(field.name, "host") && !http::equal_nocase(field.name, "http2-settings"))
      fields.push_back(field);
  }
  build_request(*tx);
  tx->progress[0] = kHttpComplete;
}

}  // namespace gatehouse::ids::http2
