// For the tests of this folder: feeds byte streams to one flow and describes what came of it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ids/parsers/app_flow.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids::testing {

struct Piece {
  Direction direction = Direction::to_server;
  std::string bytes;
  bool gap = false;  // so many bytes are lost instead
};
using Conversation = std::vector<Piece>;

inline Piece client(std::string bytes) {
  return {Direction::to_server, std::move(bytes), false};
}
inline Piece server(std::string bytes) {
  return {Direction::to_client, std::move(bytes), false};
}
inline Piece server_gap(std::size_t bytes) {
  return {Direction::to_client, std::string(bytes, '?'), true};
}

// One flow that was fed a conversation and closed. Nothing is dropped: all transactions stay.
class Played {
 public:
  explicit Played(const Conversation& conversation, const ParserConfig& config = {},
                  std::uint16_t server_port = 80, AppTransport transport = AppTransport::tcp, bool end = true)
      : flow_(std::make_unique<Flow>()) {
    flow_->key.server_port = server_port;
    flow_->key.client_port = 40000;
    AppLayer layer(config);
    std::array<std::uint64_t, 2> offset{};
    for (const Piece& piece : conversation) {
      if (transport == AppTransport::udp) {
        layer.on_datagram(*flow_, piece.direction, core::as_bytes(piece.bytes), 0);
        continue;
      }
      StreamChunk chunk;
      chunk.direction = piece.direction;
      chunk.offset = offset[index(piece.direction)];
      if (piece.gap) {
        chunk.gap = piece.bytes.size();
      } else {
        chunk.data = core::as_bytes(piece.bytes);
      }
      layer.on_stream(*flow_, chunk, 0);
      offset[index(piece.direction)] += piece.bytes.size();
    }
    if (end) layer.on_flow_end(*flow_);
  }

  AppFlow& app() { return *app_flow(*flow_); }
  bool parsed() { return app_flow(*flow_) != nullptr && app().session != nullptr; }
  std::size_t count() { return parsed() ? app().session->transactions().size() : 0; }
  template <class T>
  T& tx(std::size_t i) {
    return static_cast<T&>(*app().session->transactions().at(i));
  }
  std::vector<std::string> events(std::size_t i) {
    std::vector<std::string> out;
    const ParserDescriptor& parser = parser_of(app().proto);
    for (const AppEvent e : tx<Transaction>(i).events) out.emplace_back(parser.event_names[e]);
    std::sort(out.begin(), out.end());
    return out;
  }
  bool has_event(std::size_t i, std::string_view name) {
    const auto all = events(i);
    return std::find(all.begin(), all.end(), name) != all.end();
  }
  std::string log(std::size_t i, const LogOptions& options = {}) {
    std::string out;
    core::JsonWriter json(out);
    json.begin_object();
    const ParserDescriptor& parser = parser_of(app().proto);
    parser.write_log(tx<Transaction>(i), options, json);
    if (parser.write_beside != nullptr) parser.write_beside(tx<Transaction>(i), options, json);
    json.end_object();
    return out;
  }
  // Everything that must not depend on how the stream was cut.
  std::string describe() {
    if (app_flow(*flow_) == nullptr) return "nothing";
    std::string out(app_proto_name(app().proto));
    for (const AppEvent e : app().detection_events) out.append(" ").append(detection_event_names()[e]);
    for (std::size_t i = 0; i < count(); ++i) {
      out += "\n" + log(i);
      for (const std::string& e : events(i)) out += " " + e;
      Transaction& base = tx<Transaction>(i);
      out += " progress " + std::to_string(base.progress[0]) + std::to_string(base.progress[1]);
      for (const TransferredFile& f : base.files) {
        out += "\n file " + f.name + " " + std::to_string(f.size) + " " +
               std::to_string(static_cast<int>(f.state));
        out.append(f.data.begin(), f.data.end());
      }
      const std::string_view name = parser_of(app().proto).name;
      if (name != "http" && name != "http2") continue;
      auto& http = static_cast<HttpTransaction&>(base);
      out += "\n " + http.uri + "|" + http.host;
      for (const HttpMessage& m : http.message) {
        out += "\n " + m.line + "|" + m.all_headers + "|" + m.raw_headers + "|" +
               std::to_string(m.body_size) + "|";
        out.append(m.body.begin(), m.body.end());
      }
    }
    return out;
  }

 private:
  std::unique_ptr<Flow> flow_;
};

// The same bytes, cut into pieces of the given sizes (used in turn).
inline Conversation recut(const Conversation& conversation, const std::vector<std::size_t>& sizes) {
  Conversation out;
  std::size_t next = 0;
  for (const Piece& piece : conversation) {
    std::size_t at = 0;
    while (at < piece.bytes.size() && !piece.gap && !sizes.empty()) {
      const std::size_t size = std::max<std::size_t>(sizes[next++ % sizes.size()], 1);
      out.push_back({piece.direction, piece.bytes.substr(at, size), false});
      at += size;
    }
    if (piece.gap || sizes.empty()) out.push_back(piece);
  }
  return out;
}

// Blanks are ignored.
inline std::string from_hex(std::string_view hex) {
  std::string digits(hex);
  std::erase_if(digits, [](char c) { return c == ' ' || c == '\n'; });
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return out;
}

}  // namespace gatehouse::ids::testing
