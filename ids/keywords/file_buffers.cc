// Files in transit, whatever protocol carries them.
#include "ids/keywords/buffers.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kCarriers[] = {"http", "smtp", "ftp-data", "smb", "nfs", "http2", "pop3", "imap"};

const TransferredFile* file_at(const Transaction& tx, Direction direction, unsigned i) {
  for (const TransferredFile& file : tx.files) {
    if (file.direction == direction && i-- == 0) return &file;
  }
  return nullptr;
}

// The content of a file. An HTTP response body is one even when the parser tracks no file for it.
bool data(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const auto* http = dynamic_cast<const HttpTransaction*>(&tx);
  if (http != nullptr && direction == Direction::to_client) {
    const HttpMessage& response = http->response();
    if (i != 0 || response.body.empty()) return false;
    out = {response.body, tx.progress[index(direction)] > kHttpBody || response.body_capped};
    return true;
  }
  const TransferredFile* file = file_at(tx, direction, i);
  if (file == nullptr) return false;
  out = {file->data, file->state != FileState::open || file->size > file->data.size()};
  return true;
}

bool name(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const TransferredFile* file = file_at(tx, direction, i);
  if (file == nullptr) return false;
  out = {core::as_bytes(file->name), true};
  return true;
}

constexpr BufferDescriptor row(std::string_view buffer, std::string_view alias, TransactionGetter get,
                               std::string_view summary) {
  BufferDescriptor d;
  d.name = buffer;
  d.alias = alias;
  d.protocols = kCarriers;
  d.get = get;
  // Files come and go during a transaction: settled only with its end.
  d.min_progress = 1;
  d.final_progress = 255;
  d.multiple = true;
  d.summary = summary;
  return d;
}

const BufferDescriptor kBuffers[] = {
    row("file.data", "file_data", data, "the content of each file"),
    row("file.name", "", name, "the name of each file"),
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_file_buffers() {
  return kBuffers;
}

}  // namespace gatehouse::ids
