// Header blocks of HTTP/2 (RFC 7541). The table of one direction lives as long as the connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/bytes.h"

namespace gatehouse::ids::http2 {

using core::ByteView;

class FieldSink {
 public:
  virtual ~FieldSink() = default;
  virtual void field(std::string_view name, std::string_view value) = 0;
  // The sender changes the size of the table.
  virtual void table_size(std::uint64_t bytes) = 0;
};

class HeaderDecoder {
 public:
  explicit HeaderDecoder(std::uint32_t max_table_bytes);
  ~HeaderDecoder();
  HeaderDecoder(const HeaderDecoder&) = delete;
  HeaderDecoder& operator=(const HeaderDecoder&) = delete;

  // A piece of a header block; `last`: it ends here. False: the block cannot be decoded, nor can
  // any after it, because the table is unknown from here on.
  bool feed(ByteView bytes, bool last, FieldSink& sink);
  bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  // The sender asked for a larger table than the limit.
  bool table_overflow() const { return overflow_; }
  bool integer_overflow() const { return integer_overflow_; }

 private:
  struct Inflater;

  void watch_table_size(ByteView bytes, FieldSink& sink);

  std::unique_ptr<Inflater> inflater_;
  std::uint32_t max_table_bytes_;
  bool failed_ = false, overflow_ = false, integer_overflow_ = false;
  // Size updates stand at the start of a block only. The decoder below follows them without telling,
  // so they are read here, too.
  bool watching_ = true, in_number_ = false;
  std::uint64_t number_ = 0;
  unsigned shift_ = 0;
};

}  // namespace gatehouse::ids::http2
