#include "soc/sinks/eve_line.h"

#include <algorithm>
#include <charconv>

namespace gatehouse::soc {

namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view line) : line_(line) {}

  std::optional<EveFields> run() {
    if (!enter('{')) return std::nullopt;
    const bool whole = members([this](std::string_view key) { return top_member(key); });
    skip_space();
    if (!whole || at_ != line_.size()) return std::nullopt;
    return fields_;
  }

 private:
  void skip_space() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= line_.size() || line_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool peek(char c) {
    skip_space();
    return at_ < line_.size() && line_[at_] == c;
  }
  bool enter(char c) {
    if (!take(c)) return false;
    fields_.depth = std::max(fields_.depth, ++depth_);
    return true;
  }

  // Calls `member` with each key, positioned before its value, which it must consume.
  template <class F>
  bool members(F member) {
    if (take('}')) return --depth_, true;
    do {
      std::string_view key;
      if (!string(key) || !take(':') || !member(key)) return false;
    } while (take(','));
    --depth_;
    return take('}');
  }

  bool string(std::string_view& out) {
    if (!take('"')) return false;
    const std::size_t start = at_;
    for (; at_ < line_.size(); ++at_) {
      if (line_[at_] == '\\') {
        ++at_;
      } else if (line_[at_] == '"') {
        out = line_.substr(start, at_ - start);
        ++at_;
        return true;
      }
    }
    return false;
  }

  bool number(std::optional<std::uint64_t>& out) {
    skip_space();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(line_.data() + at_, line_.data() + line_.size(), value);
    const auto after = static_cast<std::size_t>(end - line_.data());
    if (error == std::errc{} &&
        (after == line_.size() || line_[after] == ',' || line_[after] == '}' || line_[after] == ' ')) {
      out = value;
    }
    return skip_value();
  }

  // Brackets are counted, not matched by kind: enough to find where the value ends.
  bool skip_value() {
    std::size_t open = 0;
    std::string_view ignored;
    for (;;) {
      skip_space();
      if (at_ >= line_.size()) return false;
      const char c = line_[at_];
      if (c == '"') {
        if (!string(ignored)) return false;
      } else if (c == '{' || c == '[') {
        ++at_;
        ++open;
        fields_.depth = std::max(fields_.depth, depth_ + open);
        continue;
      } else if (c == '}' || c == ']') {
        if (open == 0) return false;
        ++at_;
        --open;
      } else if ((c == ',' || c == ':') && open > 0) {
        ++at_;
        continue;
      } else {
        const std::size_t start = at_;
        while (at_ < line_.size() && std::string_view(" ,:{}[]\"").find(line_[at_]) == std::string_view::npos)
          ++at_;
        if (at_ == start) return false;
      }
      if (open == 0) return true;
    }
  }

  bool text_or_skip(std::string_view& out) { return peek('"') ? string(out) : skip_value(); }

  bool top_member(std::string_view key) {
    if (key == "timestamp") return text_or_skip(fields_.timestamp);
    if (key == "event_type") return text_or_skip(fields_.event_type);
    if (key == "host") return text_or_skip(fields_.host);
    if (key == "src_ip") return text_or_skip(fields_.src_ip);
    if (key == "dest_ip") return text_or_skip(fields_.dest_ip);
    if (key == "community_id") return text_or_skip(fields_.community_id);
    if (key != "alert" || !peek('{')) return skip_value();
    (void)enter('{');
    fields_.alert_open = at_;
    return members([this](std::string_view inner) { return alert_member(inner); });
  }

  bool alert_member(std::string_view key) {
    if (key == "signature_id") return number(fields_.signature_id);
    if (key == "severity") return number(fields_.severity);
    if (key == "metadata" && peek('{')) fields_.alert_metadata_open = at_ + 1;
    return skip_value();
  }

  std::string_view line_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  EveFields fields_;
};

// Puts `member` in front of the other members of the object that opens just before `at`.
std::string insert_member(std::string_view line, std::size_t at, std::string member) {
  const std::size_t next = line.find_first_not_of(" \t", at);
  if (next != std::string_view::npos && line[next] != '}') member += ',';
  std::string out;
  out.reserve(line.size() + member.size());
  out.append(line.substr(0, at)).append(member).append(line.substr(at));
  return out;
}

}  // namespace

std::optional<EveFields> scan_eve(std::string_view line) {
  return Scanner(line).run();
}

std::string with_id_in_alert(std::string_view line, const EveFields& fields, const EventId& id) {
  const std::string member = "\"gatehouse_event_id\":[\"" + id.to_string() + "\"]";
  if (fields.alert_metadata_open != 0) return insert_member(line, fields.alert_metadata_open, member);
  if (fields.alert_open != 0) return insert_member(line, fields.alert_open, "\"metadata\":{" + member + "}");
  return std::string(line);
}

std::string with_id(std::string_view line, const EveFields& fields, const EventId& id) {
  if (fields.alert_open != 0) return with_id_in_alert(line, fields, id);
  // At the end: readers that look for the timestamp first find it where it was.
  const bool empty = line.find('"') == std::string_view::npos;
  std::string out(line.substr(0, line.rfind('}')));
  out += (empty ? "\"gatehouse_event_id\":\"" : ",\"gatehouse_event_id\":\"") + id.to_string() + "\"}";
  return out;
}

}  // namespace gatehouse::soc
