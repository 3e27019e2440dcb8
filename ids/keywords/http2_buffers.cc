// What rules can look at in the frames of HTTP/2. The messages themselves are those of http_buffers.
#include <array>

#include "ids/keywords/buffers.h"
#include "ids/keywords/values.h"
#include "ids/parsers/http2_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kHttp2[] = {"http2", "doh2"};

const Http2Transaction& http2(const Transaction& tx) {
  return static_cast<const Http2Transaction&>(tx);
}

bool header_name(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  const auto& fields = http2(tx).message[index(direction)].fields;
  if (i >= fields.size()) return false;
  out = {core::as_bytes(fields[i].name), true};
  return true;
}

// The line is put together in thread-local room: it lives until the next call.
bool header(const Transaction& tx, Direction direction, unsigned i, BufferView& out) {
  thread_local std::string line;
  const auto& fields = http2(tx).message[index(direction)].fields;
  if (i >= fields.size()) return false;
  line.assign(fields[i].name).append(": ").append(fields[i].value);
  out = {core::as_bytes(line), true};
  return true;
}

constexpr BufferDescriptor row(std::string_view name, TransactionGetter get, std::string_view summary) {
  BufferDescriptor d;
  d.name = name;
  d.protocols = kHttp2;
  d.get = get;
  d.min_progress = kHttpBody;
  d.final_progress = kHttpBody;
  d.multiple = true;
  d.summary = summary;
  return d;
}

const BufferDescriptor kBuffers[] = {
    row("http2.header_name", header_name, "the name of each header field of an HTTP/2 stream"),
    row("http2.header", header, "each header field of an HTTP/2 stream"),
};

// Holds when one of the frames that the direction has had so far does.
class FrameCondition : public Condition {
 public:
  bool holds(const InspectContext& context) const override {
    if (context.tx == nullptr) return false;
    const AppFlow* app = context.flow == nullptr ? nullptr : app_flow(*context.flow);
    static const AppProto kProtos[] = {find_parser(kHttp2[0]), find_parser(kHttp2[1])};
    if (app == nullptr || (app->proto != kProtos[0] && app->proto != kProtos[1])) return false;
    return one_holds(http2(*context.tx).frames[index(context.direction)]);
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  virtual bool one_holds(const Http2Frames& frames) const = 0;
};

class FrameTypeIs final : public FrameCondition {
 public:
  explicit FrameTypeIs(unsigned type) : bit_(1U << type) {}

 private:
  bool one_holds(const Http2Frames& frames) const override { return (frames.types & bit_) != 0; }
  unsigned bit_;
};

class ErrorCodeIs final : public FrameCondition {
 public:
  explicit ErrorCodeIs(std::uint32_t code) : code_(code) {}

 private:
  bool one_holds(const Http2Frames& frames) const override {
    for (const Http2Frames::Error& error : frames.errors) {
      if (error.code == code_) return true;
    }
    return false;
  }
  std::uint32_t code_;
};

enum class NumberOf : std::uint8_t { priority, window, table_size };

class FrameNumber final : public FrameCondition {
 public:
  FrameNumber(NumberOf what, const NumberTest& test) : what_(what), test_(test) {}

 private:
  template <class T>
  bool any(const std::vector<T>& values) const {
    for (const T value : values) {
      if (test_.holds(value)) return true;
    }
    return false;
  }
  bool one_holds(const Http2Frames& frames) const override {
    if (what_ == NumberOf::priority) return any(frames.priorities);
    if (what_ == NumberOf::window) return any(frames.windows);
    for (const Http2Frames::TableSize& size : frames.table_sizes) {
      if (test_.holds(size.bytes)) return true;
    }
    return false;
  }

  NumberOf what_;
  NumberTest test_;
};

class SettingIs final : public FrameCondition {
 public:
  SettingIs(std::uint16_t id, std::optional<NumberTest> test) : id_(id), test_(test) {}

 private:
  bool one_holds(const Http2Frames& frames) const override {
    for (const Http2Frames::Setting& setting : frames.settings) {
      if (setting.id == id_ && (!test_ || test_->holds(setting.value))) return true;
    }
    return false;
  }

  std::uint16_t id_;
  std::optional<NumberTest> test_;
};

// Capital letters without underlines: rules write RST_STREAM and RSTSTREAM.
std::string plain_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != '_') out.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  }
  return out;
}

struct Named {
  std::string_view name;
  std::uint32_t value;
};
constexpr Named kFrameTypeNames[] = {
    {"DATA", 0},         {"HEADERS", 1}, {"PRIORITY", 2}, {"RST_STREAM", 3},    {"SETTINGS", 4},
    {"PUSH_PROMISE", 5}, {"PING", 6},    {"GOAWAY", 7},   {"WINDOW_UPDATE", 8}, {"CONTINUATION", 9}};
constexpr Named kErrorCodeNames[] = {{"NO_ERROR", 0},
                                     {"PROTOCOL_ERROR", 1},
                                     {"INTERNAL_ERROR", 2},
                                     {"FLOW_CONTROL_ERROR", 3},
                                     {"SETTINGS_TIMEOUT", 4},
                                     {"STREAM_CLOSED", 5},
                                     {"FRAME_SIZE_ERROR", 6},
                                     {"REFUSED_STREAM", 7},
                                     {"CANCEL", 8},
                                     {"COMPRESSION_ERROR", 9},
                                     {"CONNECT_ERROR", 10},
                                     {"ENHANCE_YOUR_CALM", 11},
                                     {"INADEQUATE_SECURITY", 12},
                                     {"HTTP_1_1_REQUIRED", 13}};
constexpr Named kSettingNames[] = {
    {"SETTINGS_HEADER_TABLE_SIZE", 1},       {"SETTINGS_ENABLE_PUSH", 2},
    {"SETTINGS_MAX_CONCURRENT_STREAMS", 3},  {"SETTINGS_INITIAL_WINDOW_SIZE", 4},
    {"SETTINGS_MAX_FRAME_SIZE", 5},          {"SETTINGS_MAX_HEADER_LIST_SIZE", 6},
    {"SETTINGS_ENABLE_CONNECT_PROTOCOL", 8}, {"SETTINGS_NO_RFC7540_PRIORITIES", 9}};

// A name of the table, or a number up to `largest`.
std::optional<std::uint32_t> named_value(RuleBuilder& builder, const lang::RuleOption& option, Part part,
                                         std::span<const Named> table, std::int64_t largest) {
  const std::string wanted = plain_name(part.text);
  std::vector<std::string> names;
  for (const Named& row : table) {
    if (plain_name(row.name) == wanted) return row.value;
    names.emplace_back(row.name);
  }
  if (const auto number = parse_number(part.text); number && *number >= 0 && *number <= largest)
    return static_cast<std::uint32_t>(*number);
  builder
      .error_at(option, part.at, part.text.size(), "http2-name",
                "`" + option.name + "` does not know `" + std::string(part.text) + "`")
      .hint = core::did_you_mean(part.text, names);
  return std::nullopt;
}

void apply_frame_type(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kHttp2, option)) return;
  const auto type = named_value(builder, option, trim(whole(option)), kFrameTypeNames, 9);
  if (type) builder.add_condition(std::make_unique<FrameTypeIs>(*type));
}

void apply_error_code(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kHttp2, option)) return;
  const auto code = named_value(builder, option, trim(whole(option)), kErrorCodeNames, 0xffff'ffff);
  if (code) builder.add_condition(std::make_unique<ErrorCodeIs>(*code));
}

template <NumberOf What, std::uint64_t Largest>
void apply_number(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kHttp2, option)) return;
  NumberTest test;
  if (!parse_number_test(builder, option, trim(whole(option)), Largest, test)) return;
  builder.add_condition(std::make_unique<FrameNumber>(What, test));
}

// A name, and behind it a comparison: SETTINGS_HEADER_TABLE_SIZE>4096.
void apply_settings(RuleBuilder& builder, const lang::RuleOption& option) {
  if (!builder.require_protocols(kHttp2, option)) return;
  const Part part = trim(whole(option));
  const std::size_t end = std::min(part.text.find_first_of("<>=!& \t"), part.text.size());
  const auto id = named_value(builder, option, {part.text.substr(0, end), part.at}, kSettingNames, 0xffff);
  if (!id) return;
  std::optional<NumberTest> test;
  const Part rest = trim({part.text.substr(end), part.at + end});
  if (!rest.text.empty()) {
    test.emplace();
    if (!parse_number_test(builder, option, rest, 0xffff'ffff, *test)) return;
  }
  builder.add_condition(std::make_unique<SettingIs>(static_cast<std::uint16_t>(*id), test));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"http2.frametype", ValueNeed::required, "a frame of this type", apply_frame_type},
    {"http2.errorcode", ValueNeed::required, "a GOAWAY or RST_STREAM frame with this code", apply_error_code},
    {"http2.priority", ValueNeed::required, "the weight of a stream", apply_number<NumberOf::priority, 255>},
    {"http2.window", ValueNeed::required, "the bytes of a WINDOW_UPDATE frame",
     apply_number<NumberOf::window, 0xffff'ffff>},
    {"http2.size_update", ValueNeed::required, "the new size of the header table",
     apply_number<NumberOf::table_size, 0xffff'ffff>},
    {"http2.settings", ValueNeed::required, "a setting, and what it is set to", apply_settings},
};

}  // namespace

std::span<const BufferDescriptor> buffer_family_http2_buffers() {
  return kBuffers;
}
std::span<const KeywordDescriptor> keyword_family_http2_buffers() {
  return kKeywords;
}

}  // namespace gatehouse::ids
