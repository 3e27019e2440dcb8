// Files in transit, whatever protocol carries them: content, name, type.
#include "ids/keywords/file_tests.h"
#include "ids/parsers/http_transaction.h"

namespace gatehouse::ids {

const TransferredFile* file_at(const Transaction& tx, Direction direction, unsigned i) {
  for (const TransferredFile& file : tx.files) {
    if (file.direction == direction && i-- == 0) return &file;
  }
  return nullptr;
}

namespace {

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

bool magic(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const TransferredFile* file = file_at(tx, direction, i);
  if (file == nullptr) return false;
  const std::string& type = file->magic();
  out = {core::as_bytes(type), !type.empty() || !file->is_open()};
  return true;
}

constexpr BufferDescriptor row(std::string_view buffer, std::string_view alias, TransactionGetter get,
                               std::string_view summary) {
  BufferDescriptor d;
  d.name = buffer;
  d.alias = alias;
  d.protocols = kFileCarriers;
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
    row("file.magic", "", magic, "the type of each file, as libmagic tells it"),
};

// filename:"x" and its like: a content of the buffer, wherever it stands, case ignored.
void add_content(RuleBuilder& builder, const lang::RuleOption& option, std::string_view buffer_name,
                 std::string_view before, bool at_end) {
  if (!builder.require_protocols(kFileCarriers, option)) return;
  Part part = trim(whole(option));
  BufferOp op;
  if (part.text.starts_with('!')) {
    op.content.negated = true;
    part = trim({part.text.substr(1), part.at + 1});
  }
  const bool quoted = part.text.size() >= 2 && part.text.starts_with('"') && part.text.ends_with('"');
  if (quoted) part = {part.text.substr(1, part.text.size() - 2), part.at + 1};
  if (part.text.empty() || part.text.starts_with('"') || part.text.ends_with('"')) {
    builder.error(option, "quotes", "`" + option.name + "` needs a text, in double quotes or without");
    return;
  }
  std::string bytes;
  if (!decode_bytes(builder, option, part, bytes)) return;
  op.content.pattern = std::string(before) + bytes;
  op.content.nocase = true;
  op.content.endswith = at_end;
  op.content.where = option.value_at;
  BufferMatch list;
  list.buffer = find_buffer(buffer_name)->id;
  list.ops.push_back(std::move(op));
  builder.rule.buffers.push_back(std::move(list));
  builder.header_like = false;
  builder.content_list = builder.content_op = -1;
}

void apply_filename(RuleBuilder& builder, const lang::RuleOption& option) {
  add_content(builder, option, "file.name", "", false);
}
void apply_fileext(RuleBuilder& builder, const lang::RuleOption& option) {
  add_content(builder, option, "file.name", ".", true);
}
void apply_filemagic(RuleBuilder& builder, const lang::RuleOption& option) {
  add_content(builder, option, "file.magic", "", false);
}

constexpr KeywordDescriptor kKeywords[] = {
    {"filename", ValueNeed::required, "the name of a file contains this", apply_filename},
    {"fileext", ValueNeed::required, "the name of a file ends in this extension", apply_fileext},
    {"filemagic", ValueNeed::required, "the type of a file contains this", apply_filemagic},
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_file_buffers() {
  return kBuffers;
}
std::span<const KeywordDescriptor> keyword_family_file_buffers() {
  return kKeywords;
}

}  // namespace gatehouse::ids
