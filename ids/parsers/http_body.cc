#include "ids/parsers/http_body.h"

#include <algorithm>

#include "ids/parsers/http_events.h"
#include "ids/parsers/http_message.h"

namespace gatehouse::ids::http {

const BodyEvents kHttp1BodyEvents{
    kGzipDecompressionFailed,    kCompressionBomb,        kTooManyEncodingLayers, kAbnormalCeHeader,
    kUnsupportedContentEncoding, kMultipartInvalidHeader, kMultipartNoFiledata};

namespace {

// Appends what fits under `limit` (0: all); false when something was left out.
bool keep(std::vector<std::uint8_t>& kept, ByteView bytes, std::uint64_t limit) {
  const std::uint64_t room = limit == 0 ? bytes.size() : limit - std::min<std::uint64_t>(limit, kept.size());
  const std::size_t count = std::min<std::uint64_t>(room, bytes.size());
  kept.insert(kept.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  return count == bytes.size();
}

}  // namespace

void BodyReceiver::start(HttpTransaction& tx, Direction direction, const Options& options,
                         std::string file_name, std::string multipart_boundary) {
  tx_ = &tx;
  direction_ = direction;
  options_ = options;
  file_name_ = std::move(file_name);
  multipart_ = MultipartParser(std::move(multipart_boundary));
  started_ = true;
  file_open_ = lost_ = false;
  const HttpField* coding = tx.message[index(direction)].field("content-encoding");
  decoder_.start(coding == nullptr ? std::string_view{} : coding->value, options.layer_limit,
                 ContentDecoder::Limits{options.decompression_limit, options.lzma_memory});
  report_findings();
}

void BodyReceiver::take(ByteView bytes) {
  if (bytes.empty() || !started_) return;
  Decoded decoded(*this);
  decoder_.feed(bytes, decoded);
  report_findings();
}

void BodyReceiver::take_decoded(ByteView bytes) {
  if (bytes.empty()) return;
  HttpMessage& message = tx_->message[index(direction_)];
  message.body_size += bytes.size();
  const std::size_t before = message.body.size();
  if (!keep(message.body, bytes, options_.keep_limit)) message.body_capped = true;
  if (multipart_.active()) {
    multipart_.feed(bytes, *this);
    return;
  }
  if (file_name_.empty()) return;
  if (!file_open_) begin_file(file_name_);
  const bool ends = is_of_no_use();
  file_data(ends ? bytes.first(message.body.size() - before) : bytes);
  if (ends) give_up_file();
}

// A file with a hole has no digest. When it is not stored either, nothing comes of what lies behind the part
// of the body that rules look into.
bool BodyReceiver::is_of_no_use() const {
  return lost_ && file_open_ && tx_->message[index(direction_)].body_capped && !tx_->files[file_].storable();
}

void BodyReceiver::give_up_file() {
  end_file(false);
  file_name_.clear();
}

void BodyReceiver::gap(std::uint64_t bytes) {
  lost_ = true;
  HttpMessage& message = tx_->message[index(direction_)];
  message.wire_body_size += bytes;
  if (!file_open_ && !file_name_.empty() && !multipart_.active()) begin_file(file_name_);
  for (TransferredFile& file : tx_->files) {
    if (file.direction == direction_ && file.is_open()) {
      file.skip(bytes);
    }
  }
  if (is_of_no_use()) give_up_file();
}

void BodyReceiver::finish(bool complete) {
  if (!started_) return;
  Decoded decoded(*this);
  decoder_.finish(decoded);
  if (multipart_.active()) {
    multipart_.finish(*this);
    if (multipart_.bad_header()) report(options_.events->multipart_header);
    if (complete && !multipart_.saw_file()) report(options_.events->multipart_no_file);
  }
  if (file_open_) end_file(complete && !lost_);
  report_findings();
  started_ = false;
}

void BodyReceiver::begin_file(std::string name) {
  file_ = tx_->files.size();
  file_open_ =
      tx_->open_file(std::move(name), direction_, options_.keep_limit, options_.file_policy) != nullptr;
}

void BodyReceiver::file_data(ByteView bytes) {
  if (!file_open_) return;
  tx_->files[file_].append(bytes);
}

void BodyReceiver::end_file(bool complete) {
  if (!file_open_) return;
  tx_->files[file_].close(complete ? FileState::closed : FileState::truncated);
  file_open_ = false;
}

void BodyReceiver::report_findings() {
  const ContentDecoder::Findings& found = decoder_.findings();
  const BodyEvents& events = *options_.events;
  if (found.failed) report(events.failed);
  if (found.bomb) report(events.bomb);
  if (found.too_many_layers) report(events.too_many_layers);
  if (found.abnormal_header) report(events.abnormal_header);
  if (found.unsupported) report(events.unsupported);
}

void BodyReceiver::report(AppEvent event) {
  if (event != BodyEvents::kNone) add_event(tx_->events, event);
}

}  // namespace gatehouse::ids::http
