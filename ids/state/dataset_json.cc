// The only file that includes nlohmann/json.hpp here: lists of this kind come with any nesting.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "ids/state/dataset_file.h"

namespace gatehouse::ids {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostErrors = 20;
constexpr unsigned kDeepest = 32;  // writing an object back descends once a level

// Brackets nest no deeper than kDeepest; strings are stepped over.
bool shallow(std::string_view text) {
  unsigned depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDeepest) return false;
    } else if ((c == '}' || c == ']') && depth != 0) {
      --depth;
    }
  }
  return true;
}

// The member at a dotted path, and the object it stands in.
std::pair<Json*, Json*> member(Json& root, std::string_view path, std::string& last) {
  Json* parent = nullptr;
  Json* at = &root;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    last = path.substr(0, dot);
    if (!at->is_object()) return {nullptr, nullptr};
    const auto found = at->find(last);
    if (found == at->end()) return {nullptr, nullptr};
    parent = at;
    at = &*found;
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  return {at, parent};
}

class JsonReader {
 public:
  JsonReader(const core::SourceText& source, const DatasetJson& form, Dataset& out,
             core::Diagnostics& diagnostics)
      : source_(source), form_(form), out_(out), diagnostics_(diagnostics) {}

  bool run() {
    if (form_.lines) {
      read_lines();
    } else {
      read_document();
    }
    if (skipped_ != 0) {
      diagnostics_.warning("dataset-json", source_.position(first_skipped_),
                           std::to_string(skipped_) + " object(s) have nothing at `" + form_.value_key +
                               "` and are no members");
    }
    diagnostics_.attach(source_);
    return errors_ == 0;
  }

 private:
  void fail(std::size_t at, std::string code, std::string message) {
    ++errors_;
    diagnostics_.error(std::move(code), source_.position(at), std::move(message));
  }

  bool parse(std::string_view text, std::size_t at, Json& out) {
    if (!shallow(text)) {
      fail(at, "dataset-json", "the JSON is nested deeper than 32 levels");
      return false;
    }
    try {
      out = Json::parse(text);
      return true;
    } catch (const Json::parse_error& error) {
      const std::size_t byte = error.byte == 0 ? 0 : error.byte - 1;
      fail(at + std::min(byte, text.size()), "dataset-json", "this is no valid JSON");
    } catch (const Json::exception&) {
      fail(at, "dataset-json", "a number in this JSON is out of range");
    }
    return false;
  }

  void read_lines() {
    const std::string_view text = source_.text();
    for (std::size_t start = 0; start < text.size() && errors_ < kMostErrors;) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      const std::string_view line = text.substr(start, end - start);
      const std::size_t at = start;
      start = end + 1;
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      Json object;
      if (parse(line, at, object)) add(object, at);
    }
  }

  void read_document() {
    Json document;
    if (!parse(source_.text(), 0, document)) return;
    std::string last;
    Json* const array = member(document, form_.array_key, last).first;
    if (array == nullptr || !array->is_array()) {
      return fail(0, "dataset-json",
                  form_.array_key.empty() ? std::string("the document is no array of objects")
                                          : "there is no array at `" + form_.array_key + "`");
    }
    for (Json& object : *array) {
      if (errors_ >= kMostErrors) return;
      add(object, 0);
      ++number_;
    }
  }

  std::string which() const {
    return form_.lines ? "this object" : "object " + std::to_string(number_ + 1) + " of the array";
  }

  void add(Json& object, std::size_t at) {
    std::string last;
    const auto [value, parent] = member(object, form_.value_key, last);
    if (!object.is_object()) return fail(at, "dataset-json", "this is no object");
    // Feeds mix objects of several kinds.
    if (value == nullptr) {
      if (skipped_++ == 0) first_skipped_ = at;
      return;
    }
    if (!value->is_string())
      return fail(at, "dataset-json", "`" + form_.value_key + "` of " + which() + " is no text");
    const auto binary = parse_plain_value(out_.type(), value->get_ref<const std::string&>());
    if (!binary) {
      return fail(at, "dataset-value",
                  "`" + form_.value_key + "` of " + which() + " is no value of type " +
                      std::string(to_string(out_.type())));
    }
    if (form_.remove_key) parent->erase(last);
    const std::string json = object.dump(-1, ' ', false, Json::error_handler_t::replace);
    DatasetItem item;
    item.json = json;
    if (out_.add(core::as_bytes(*binary), item) == Dataset::Added::full) {
      fail(at, "dataset-memcap", "the dataset `" + out_.name() + "` has no room for more: raise its memcap");
      errors_ = kMostErrors;
    }
  }

  const core::SourceText& source_;
  const DatasetJson& form_;
  Dataset& out_;
  core::Diagnostics& diagnostics_;
  std::size_t errors_ = 0, number_ = 0, skipped_ = 0, first_skipped_ = 0;
};

}  // namespace

bool read_json_dataset(const core::SourceText& source, const DatasetJson& form, Dataset& out,
                       core::Diagnostics& diagnostics) {
  return JsonReader(source, form, out, diagnostics).run();
}

}  // namespace gatehouse::ids
