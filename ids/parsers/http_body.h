// The receiving end of one HTTP body: keeps what inspection may see, and follows the files in it.
#pragma once

#include <string>

#include "ids/parsers/http_coding.h"
#include "ids/parsers/http_multipart.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids::http {

// Events for what is odd about a body, in the vocabulary of its protocol.
struct BodyEvents {
  static constexpr AppEvent kNone = 255;
  AppEvent failed = kNone, bomb = kNone, too_many_layers = kNone, abnormal_header = kNone,
           unsupported = kNone, multipart_header = kNone, multipart_no_file = kNone;
};
extern const BodyEvents kHttp1BodyEvents;

// Takes wire bytes of a body, decodes them and fills HttpMessage::body and Transaction::files.
// Does not own the transaction: attach() before each use, because it may be gone in between.
class BodyReceiver : public ByteSink, private MultipartHandler {
 public:
  struct Options {
    std::uint64_t keep_limit = 0;  // 0: unlimited
    unsigned layer_limit = 2;
    std::uint64_t decompression_limit = 1024 * 1024;
    const FilePolicy* file_policy = nullptr;
    std::uint64_t lzma_memory = 0;  // 0: lzma is not decoded
    const BodyEvents* events = &kHttp1BodyEvents;
  };

  // Begins a body. `file_name` empty: the body is no file of its own.
  void start(HttpTransaction& tx, Direction direction, const Options& options, std::string file_name,
             std::string multipart_boundary);
  void attach(HttpTransaction& tx) { tx_ = &tx; }
  // One piece as framed on the wire.
  void take(ByteView bytes) override;
  // Bytes of the body were lost.
  void gap(std::uint64_t bytes);
  // `complete`: the framing says that all of it was seen.
  void finish(bool complete);
  bool started() const { return started_; }

 private:
  // Receives what the content decoder puts out.
  class Decoded : public ByteSink {
   public:
    explicit Decoded(BodyReceiver& owner) : owner_(owner) {}
    void take(ByteView bytes) override { owner_.take_decoded(bytes); }

   private:
    BodyReceiver& owner_;
  };

  void take_decoded(ByteView bytes);
  void begin_file(std::string name) override;
  void file_data(ByteView bytes) override;
  void end_file(bool complete) override;
  bool is_of_no_use() const;
  void give_up_file();
  void report_findings();
  void report(AppEvent event);

  HttpTransaction* tx_ = nullptr;
  Direction direction_ = Direction::to_server;
  Options options_;
  std::string file_name_;
  MultipartParser multipart_;
  ContentDecoder decoder_;
  std::size_t file_ = 0;  // index in tx_->files while file_open_
  bool started_ = false, file_open_ = false, lost_ = false;
};

}  // namespace gatehouse::ids::http
