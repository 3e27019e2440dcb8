// What the fuzz targets of this folder share: the input chooses the pieces, their directions and
// what is lost, so that every order of calls is reached.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ids/parsers/app_flow.h"

namespace gatehouse::ids::testing {

// Calls `piece(direction, gap, bytes)`: one control byte, one length byte, then the bytes.
template <class F>
void for_each_piece(ByteView input, F&& piece) {
  core::ByteReader reader(input);
  while (!reader.at_end()) {
    const std::uint8_t control = reader.u8();
    const std::size_t size = reader.u8() * ((control & 4U) != 0 ? 16U : 1U);
    const ByteView bytes = reader.bytes(std::min(size, reader.remaining()));
    piece((control & 1U) != 0 ? Direction::to_client : Direction::to_server, (control & 0xf0U) == 0xf0U,
          bytes);
    if (!reader.ok()) return;
  }
}

inline void log_everything(Session& session, const ParserDescriptor& parser) {
  std::string out;
  for (const auto& tx : session.transactions()) {
    for (const AppEvent e : tx->events) (void)parser.event_names[e];
    for (const int version : {2, 3}) {
      LogOptions options;
      options.dns_version = version;
      core::JsonWriter json(out);
      json.begin_object();
      parser.write_log(*tx, options, json);
      if (parser.write_beside != nullptr) parser.write_beside(*tx, options, json);
      json.end_object();
    }
  }
}

inline void fuzz_session(std::string_view name, ByteView input) {
  const ParserDescriptor& parser = parser_of(find_parser(name));
  const bool udp = !input.empty() && (input[0] & 8U) != 0 && parser.transport == AppTransport::both;
  ParserConfig config;
  config.http.max_transactions = 16;
  config.http.max_header_bytes = 512;
  config.smtp.max_transactions = 16;
  config.smtp.mime.body_md5 = true;
  const auto session = parser.make_session(config, udp ? AppTransport::udp : AppTransport::tcp);
  std::array<bool, 2> alive = {true, true};
  for_each_piece(input, [&](Direction direction, bool gap, ByteView bytes) {
    bool& open = alive[index(direction)];
    if (!open || bytes.empty()) return;
    open = gap ? session->on_gap(direction, bytes.size()) : session->on_data(direction, bytes, 0);
    auto& transactions = session->transactions();
    while (!transactions.empty() && transactions.front()->progress[0] >= parser.complete[0] &&
           transactions.front()->progress[1] >= parser.complete[1]) {
      transactions.pop_front();
    }
  });
  session->on_end(Direction::to_server);
  session->on_end(Direction::to_client);
  log_everything(*session, parser);
}

}  // namespace gatehouse::ids::testing
