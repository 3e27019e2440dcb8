// One HTTP/2 stream, or one frame that belongs to no stream. Rules and logs see the request and the
// response as those of HTTP/1, and the frames besides.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "ids/parsers/dns_transaction.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids {

// What the frames of one direction said. Lists are capped: a peer can send any number.
struct Http2Frames {
  static constexpr std::size_t kMost = 64;

  struct Setting {
    std::uint16_t id = 0;
    std::uint32_t value = 0;
  };
  struct Error {
    std::uint32_t code = 0;
    bool connection = false;  // GOAWAY, not RST_STREAM
  };
  // Where a change of the table size stood among the fields: for the log.
  struct TableSize {
    std::size_t before_field = 0;
    std::uint64_t bytes = 0;
  };

  std::uint16_t types = 0;  // bit per FrameType
  std::uint32_t count = 0;
  std::vector<std::uint32_t> windows;
  std::vector<std::uint8_t> priorities;
  std::vector<Setting> settings;
  std::vector<Error> errors;
  std::vector<TableSize> table_sizes;
};

class Http2Transaction : public HttpTransaction {
 public:
  std::uint32_t stream = 0;  // 0: a frame of the connection
  std::array<Http2Frames, 2> frames;

  // DNS over HTTP/2 (RFC 8484).
  std::array<std::unique_ptr<DnsTransaction>, 2> dns;
  bool has_dns() const { return dns[0] != nullptr || dns[1] != nullptr; }
  const Transaction* carried(Direction direction) const override { return dns[index(direction)].get(); }
  AppProto logged_as(AppProto flow) const override;
};

}  // namespace gatehouse::ids
