#include "core/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <sstream>

#include "core/utf8.h"

namespace gatehouse::core {
namespace {

constexpr const char* kSubset =
    "look for a bracket, a quote or an indentation near this place; anchors, aliases and tags are not read";

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 2'000'000;

struct Stop {};  // thrown out of yaml-cpp after a diagnostic; never leaves this file

// Builds the tree from yaml-cpp's events: its Node API drops duplicate keys and key positions.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const SourceText& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  // An empty text is a null at the start of the file: what it lacks is reported there.
  YamlNode take() {
    if (root_.where.line == 0) root_.where = {source_.name(), 1, 1};
    return std::move(root_);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (seen_document_) refuse(mark, "only one document is allowed in a file");
    seen_document_ = true;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_anchor(mark, anchor);
    add(make(mark, YamlNode::Kind::null));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "aliases (*) are not supported; quote the text if you mean a literal *");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_anchor(mark, anchor);
    if (tag != "?" && tag != "!" && !tag.empty()) refuse(mark, "tags (!) are not supported");
    YamlNode node = make(mark, YamlNode::Kind::scalar);
    node.text = value;
    node.quoted = tag == "!";
    if (!node.quoted && (value.empty() || value == "~" || value == "null")) node.kind = YamlNode::Kind::null;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::mapping);
  }
  void OnMapEnd() override { close(); }

 private:
  SourcePos position(const YAML::Mark& mark) const {
    return {source_.name(), static_cast<std::uint32_t>(std::max(mark.line, 0) + 1),
            static_cast<std::uint32_t>(std::max(mark.column, 0) + 1)};
  }
  [[noreturn]] void refuse(const YAML::Mark& mark, std::string message) {
    diagnostics_.error("yaml-syntax", position(mark), std::move(message)).hint = kSubset;
    throw Stop{};
  }
  void check_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) refuse(mark, "anchors (&) are not supported; quote the text if you mean a literal &");
  }
  YamlNode make(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (++nodes_ > kMaxNodes) refuse(mark, "too many values in one file");
    YamlNode node;
    node.kind = kind;
    node.where = position(mark);
    return node;
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlNode::Kind kind) {
    check_anchor(mark, anchor);
    if (tag != "?" && tag != "!" && !tag.empty()) refuse(mark, "tags (!) are not supported");
    if (stack_.size() >= kMaxDepth) refuse(mark, "nested more than 64 levels deep");
    if (in_key()) refuse(mark, "a key must be a plain string");
    stack_.push_back(make(mark, kind));
  }
  void close() {
    YamlNode done = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(done));
  }
  bool in_key() const {
    return !stack_.empty() && stack_.back().is_map() &&
           stack_.back().keys.size() == stack_.back().items.size();
  }
  void add(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    YamlNode& parent = stack_.back();
    if (!in_key()) {
      parent.items.push_back(std::move(node));
      return;
    }
    if (node.kind == YamlNode::Kind::null) node.kind = YamlNode::Kind::scalar;
    if (const YamlNode* first = find_key(parent, node.text)) {
      diagnostics_.error("duplicate-key", node.where, "key `" + node.text + "` is given twice").hint =
          "the first is at line " + std::to_string(first->where.line);
    }
    parent.keys.push_back(std::move(node));
  }
  static const YamlNode* find_key(const YamlNode& map, std::string_view name) {
    // Linear: policy mappings are small; kMaxNodes bounds the worst case.
    const auto at =
        std::find_if(map.keys.begin(), map.keys.end(), [&](const YamlNode& k) { return k.text == name; });
    return at == map.keys.end() ? nullptr : &*at;
  }

  const SourceText& source_;
  Diagnostics& diagnostics_;
  YamlNode root_;
  std::vector<YamlNode> stack_;
  std::size_t nodes_ = 0;
  bool seen_document_ = false;
};

// yaml-cpp takes bytes that are no character, guesses at other encodings, and ends at a byte of 4 as if the
// text ended there: none of that gets to it.
bool check_characters(const SourceText& source, Diagnostics& diagnostics) {
  const std::string& text = source.text();
  const std::size_t encoded = first_invalid_utf8(text);
  const auto control = std::find_if(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
  });
  const auto controlled = static_cast<std::size_t>(control - text.begin());
  if (std::min(encoded, controlled) == text.size()) return true;
  diagnostics
      .error("yaml-characters", source.position(std::min(encoded, controlled)),
             encoded < controlled ? "a byte that is not UTF-8" : "a control character")
      .hint = "save the text as UTF-8; in double quotes a character may be written as \\u00e9";
  diagnostics.attach(source);
  return false;
}

// Digits, then an optional unit; false when the text is not of that form.
bool split_quantity(std::string_view text, double& value, std::string& unit) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return false;
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  unit.clear();
  for (const char c : rest) unit += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return true;
}

Diagnostic& wrong(const YamlNode& node, Diagnostics& diagnostics, const std::string& wanted) {
  Diagnostic& d =
      diagnostics.error("bad-value", node.where,
                        node.is_scalar() ? "`" + node.text + "` is not " + wanted : "expected " + wanted);
  d.length = static_cast<std::uint32_t>(std::max<std::size_t>(node.text.size(), 1));
  return d;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size() && i < items.size(); ++i) {
    if (keys[i].text == key) return &items[i];
  }
  return nullptr;
}

std::optional<YamlNode> parse_yaml(const SourceText& source, Diagnostics& diagnostics) {
  if (!check_characters(source, diagnostics)) return std::nullopt;
  TreeBuilder builder(source, diagnostics);
  const std::size_t errors_before = diagnostics.error_count();
  std::istringstream stream(source.text());
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    const bool known = !e.mark.is_null();
    diagnostics
        .error("yaml-syntax",
               {source.name(), known ? static_cast<std::uint32_t>(e.mark.line + 1) : 0,
                known ? static_cast<std::uint32_t>(e.mark.column + 1) : 0},
               e.msg)
        .hint = kSubset;
  } catch (const Stop&) {
    // The diagnostic is already there.
  }
  diagnostics.attach(source);
  if (diagnostics.error_count() != errors_before) return std::nullopt;
  return builder.take();
}

std::optional<bool> yaml_bool(const YamlNode& node, Diagnostics& diagnostics) {
  if (node.is_scalar()) {
    if (node.text == "true" || node.text == "yes" || node.text == "on") return true;
    if (node.text == "false" || node.text == "no" || node.text == "off") return false;
  }
  wrong(node, diagnostics, "true or false");
  return std::nullopt;
}

std::optional<std::uint64_t> yaml_uint(const YamlNode& node, std::uint64_t least, std::uint64_t most,
                                       Diagnostics& diagnostics) {
  std::uint64_t value = 0;
  if (node.is_scalar()) {
    const char* end = node.text.data() + node.text.size();
    const auto [at, error] = std::from_chars(node.text.data(), end, value);
    if (error == std::errc{} && at == end && value >= least && value <= most) return value;
  }
  wrong(node, diagnostics, "a whole number from " + std::to_string(least) + " to " + std::to_string(most))
      .hint = "write digits alone, without a unit";
  return std::nullopt;
}

std::optional<double> yaml_double(const YamlNode& node, double least, double most, Diagnostics& diagnostics) {
  double value = 0;
  if (node.is_scalar()) {
    const char* end = node.text.data() + node.text.size();
    const auto [at, error] = std::from_chars(node.text.data(), end, value);
    if (error == std::errc{} && at == end && value >= least && value <= most) return value;
  }
  std::ostringstream range;
  range << "a number from " << least << " to " << most;
  wrong(node, diagnostics, range.str());
  return std::nullopt;
}

std::optional<std::uint64_t> yaml_duration_us(const YamlNode& node, Diagnostics& diagnostics) {
  double value = 0;
  std::string unit;
  if (node.is_scalar() && split_quantity(node.text, value, unit)) {
    double factor = 0;
    if (unit.empty() || unit == "s") factor = 1e6;
    if (unit == "us") factor = 1;
    if (unit == "ms") factor = 1e3;
    if (unit == "m" || unit == "min") factor = 60e6;
    if (unit == "h") factor = 3600e6;
    if (unit == "d") factor = 86400e6;
    if (factor != 0 && value * factor < 9e18) return static_cast<std::uint64_t>(std::llround(value * factor));
  }
  wrong(node, diagnostics, "a duration such as 250ms, 90s, 5m or 2h");
  return std::nullopt;
}

namespace {

// Days since the epoch of a date of the Gregorian calendar, counted from the start of March so that the day a
// leap year adds is the last.
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  if (month <= 2) --year;
  const std::int64_t era = year / 400;
  const auto of_era = static_cast<unsigned>(year - era * 400);
  const unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

unsigned days_in(unsigned year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// `form` with a digit for each 9: all the numbers in the text, or nothing.
bool matches_form(std::string_view text, std::string_view form, std::vector<unsigned>& numbers) {
  if (text.size() != form.size()) return false;
  numbers.clear();
  bool in_number = false;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != '9') {
      if (text[i] != form[i]) return false;
      in_number = false;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return false;
    if (!in_number) numbers.push_back(0);
    in_number = true;
    numbers.back() = numbers.back() * 10 + static_cast<unsigned>(text[i] - '0');
  }
  return true;
}

}  // namespace

std::optional<std::int64_t> yaml_time_us(const YamlNode& node, Diagnostics& diagnostics) {
  std::vector<unsigned> n;
  const bool good = node.is_scalar() && (matches_form(node.text, "9999-99-99", n) ||
                                         matches_form(node.text, "9999-99-99T99:99Z", n) ||
                                         matches_form(node.text, "9999-99-99T99:99:99Z", n));
  if (good && n[0] >= 1970 && n[1] >= 1 && n[1] <= 12 && n[2] >= 1 && n[2] <= days_in(n[0], n[1])) {
    constexpr std::int64_t kSecond = 1'000'000, kDay = 86'400 * kSecond;
    const std::int64_t day = days_of(n[0], n[1], n[2]) * kDay;
    if (n.size() == 3) return day + kDay - 1;
    const unsigned second = n.size() == 6 ? n[5] : 0;
    if (n[3] < 24 && n[4] < 60 && second < 60)
      return day + (std::int64_t{n[3]} * 3600 + n[4] * 60 + second) * kSecond;
  }
  wrong(node, diagnostics, "a day such as 2027-01-31, or a moment such as 2027-01-31T12:00Z");
  return std::nullopt;
}

std::optional<std::uint64_t> yaml_size(const YamlNode& node, Diagnostics& diagnostics) {
  double value = 0;
  std::string unit;
  if (node.is_scalar() && split_quantity(node.text, value, unit)) {
    double factor = 0;
    if (unit.empty() || unit == "b") factor = 1;
    if (unit == "k" || unit == "kb" || unit == "kib") factor = 1024.0;
    if (unit == "m" || unit == "mb" || unit == "mib") factor = 1024.0 * 1024;
    if (unit == "g" || unit == "gb" || unit == "gib") factor = 1024.0 * 1024 * 1024;
    if (factor != 0 && value * factor < 9e18) return static_cast<std::uint64_t>(std::llround(value * factor));
  }
  wrong(node, diagnostics, "a size such as 4096, 64 KiB or 1 MiB");
  return std::nullopt;
}

std::optional<IpPrefix> yaml_prefix(const YamlNode& node, Diagnostics& diagnostics) {
  if (node.is_scalar()) {
    if (auto prefix = IpPrefix::parse(node.text)) return prefix;
  }
  Diagnostic& d = wrong(node, diagnostics, "an IP network such as 10.1.0.0/24 or 2001:db8::/64");
  d.hint = "an address with bits set after the prefix length is refused too";
  return std::nullopt;
}

std::optional<IpAddress> yaml_address(const YamlNode& node, Diagnostics& diagnostics) {
  if (node.is_scalar()) {
    if (auto address = IpAddress::parse(node.text)) return address;
  }
  wrong(node, diagnostics, "an IP address").hint = "write one address, such as 10.1.0.5 or 2001:db8::5";
  return std::nullopt;
}

MapReader::MapReader(const YamlNode& node, std::string what, Diagnostics& diagnostics)
    : node_(&node), what_(std::move(what)), diagnostics_(&diagnostics) {
  if (!node.is_map() && !node.is_null())
    diagnostics.error("bad-value", node.where, what_ + " must be a mapping (key: value)").hint =
        "write {key: value}, or keys on lines of their own";
}

const YamlNode* MapReader::optional(std::string_view key) {
  known_.emplace_back(key);
  const YamlNode* value = node_->find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const YamlNode* MapReader::required(std::string_view key) {
  const YamlNode* value = optional(key);
  if (value == nullptr)
    diagnostics_->error("missing-key", node_->where, what_ + " needs the key `" + std::string(key) + "`")
        .hint = "add `" + std::string(key) + ":`";
  return value;
}

std::string MapReader::string(std::string_view key, std::string fallback) {
  const YamlNode* value = optional(key);
  if (value == nullptr) return fallback;
  if (!value->is_scalar()) {
    wrong(*value, *diagnostics_, "a string");
    return fallback;
  }
  return value->text;
}

std::string MapReader::required_string(std::string_view key) {
  return required(key) == nullptr ? std::string() : string(key);
}

bool MapReader::boolean(std::string_view key, bool fallback) {
  const YamlNode* value = optional(key);
  return value == nullptr ? fallback : yaml_bool(*value, *diagnostics_).value_or(fallback);
}

std::uint64_t MapReader::uint(std::string_view key, std::uint64_t fallback, std::uint64_t least,
                              std::uint64_t most) {
  const YamlNode* value = optional(key);
  return value == nullptr ? fallback : yaml_uint(*value, least, most, *diagnostics_).value_or(fallback);
}

double MapReader::number(std::string_view key, double fallback, double least, double most) {
  const YamlNode* value = optional(key);
  return value == nullptr ? fallback : yaml_double(*value, least, most, *diagnostics_).value_or(fallback);
}

std::uint64_t MapReader::duration_us(std::string_view key, std::uint64_t fallback_us) {
  const YamlNode* value = optional(key);
  return value == nullptr ? fallback_us : yaml_duration_us(*value, *diagnostics_).value_or(fallback_us);
}

std::uint64_t MapReader::size(std::string_view key, std::uint64_t fallback_bytes) {
  const YamlNode* value = optional(key);
  return value == nullptr ? fallback_bytes : yaml_size(*value, *diagnostics_).value_or(fallback_bytes);
}

std::vector<const YamlNode*> MapReader::list(std::string_view key) {
  std::vector<const YamlNode*> out;
  const YamlNode* value = optional(key);
  if (value == nullptr) return out;
  if (value->is_sequence()) {
    for (const YamlNode& item : value->items) out.push_back(&item);
  } else if (value->is_scalar()) {
    out.push_back(value);
  } else {
    wrong(*value, *diagnostics_, "a list");
  }
  return out;
}

std::vector<std::string> MapReader::strings(std::string_view key) {
  std::vector<std::string> out;
  for (const YamlNode* item : list(key)) {
    if (item->is_scalar()) {
      out.push_back(item->text);
    } else {
      wrong(*item, *diagnostics_, "a string");
    }
  }
  return out;
}

void MapReader::finish() {
  for (const YamlNode& key : node_->keys) {
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    Diagnostic& d =
        diagnostics_->error("unknown-key", key.where, "unknown key `" + key.text + "` in " + what_);
    d.length = static_cast<std::uint32_t>(std::max<std::size_t>(key.text.size(), 1));
    d.hint = did_you_mean(key.text, known_);
  }
}

}  // namespace gatehouse::core
