// `assert:` sentences: "outside cannot reach servers except tcp/80, tcp/443", "admin/bastion can reach
// servers/front on tcp/22".
#include <algorithm>

#include "site/load/reader.h"

namespace gatehouse::site {
namespace {

struct Word {
  std::string text;
  SourcePos where;
};

std::vector<Word> words_of(const YamlNode& node) {
  std::vector<Word> out;
  const std::string& text = node.text;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" ,\t\n", at)) != std::string::npos) {
    const std::size_t end = std::min(text.find_first_of(" ,\t\n", at), text.size());
    Word word{text.substr(at, end - at), node.where};
    word.where.column += static_cast<std::uint32_t>(at + (node.quoted ? 1 : 0));
    out.push_back(std::move(word));
    at = end;
  }
  return out;
}

constexpr const char* kShape =
    "write `ZONE cannot reach ZONE [except PORT, ...]` or `ZONE can reach ZONE on PORT, ...`";

class Sentence {
 public:
  Sentence(const YamlNode& node, const std::vector<Zone>& zones, Diagnostics& diagnostics)
      : node_(node), zones_(zones), diagnostics_(diagnostics), words_(words_of(node)) {}

  std::optional<Assertion> read() {
    Assertion out;
    out.text = node_.text;
    out.where = node_.where;
    const auto from = endpoint();
    if (!from) return std::nullopt;
    out.from = *from;
    if (next_ < words_.size() && (words_[next_].text == "can" || words_[next_].text == "cannot")) {
      out.can = words_[next_++].text == "can";
    } else {
      return wrong("expected `can reach` or `cannot reach`");
    }
    if (!take("reach")) return wrong("expected `reach`");
    const auto to = endpoint();
    if (!to) return std::nullopt;
    out.to = *to;
    if (out.from.zone == out.to.zone) return wrong_at(words_[next_ - 1], "both ends are in one zone");
    if (next_ == words_.size() && !out.can) return out;
    if (!take(out.can ? "on" : "except")) return wrong(out.can ? "expected `on`" : "expected `except`");
    if (next_ == words_.size()) return wrong("expected a port");
    for (; next_ < words_.size(); ++next_) {
      if (!what(words_[next_], out)) return std::nullopt;
    }
    return out;
  }

 private:
  std::optional<Assertion> wrong_at(const Word& word, const std::string& message) {
    core::Diagnostic& d = diagnostics_.error("bad-assert", word.where, message);
    d.length = static_cast<std::uint32_t>(std::max<std::size_t>(word.text.size(), 1));
    d.hint = kShape;
    return std::nullopt;
  }
  // At the next word, or behind the last one.
  std::optional<Assertion> wrong(const std::string& message) {
    if (next_ < words_.size()) return wrong_at(words_[next_], message + ", not `" + words_[next_].text + "`");
    Word end{"", node_.where};
    end.where.column += static_cast<std::uint32_t>(node_.text.size());
    return wrong_at(end, message);
  }
  bool take(std::string_view text) {
    if (next_ >= words_.size() || words_[next_].text != text) return false;
    ++next_;
    return true;
  }

  std::optional<Endpoint> endpoint() {
    if (next_ >= words_.size()) {
      wrong("expected a zone, zone/host, gatehouse or internet");
      return std::nullopt;
    }
    const Word& word = words_[next_];
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.text = word.text;
    node.where = word.where;
    if (word.text == "internet") {
      const auto at = std::find_if(zones_.begin(), zones_.end(), [](const Zone& z) { return z.untrusted; });
      if (at == zones_.end()) {
        wrong_at(word, "no zone has `networks: any`, so there is no internet");
        return std::nullopt;
      }
      node.text = at->name;
    }
    ++next_;
    return read_endpoint(node, diagnostics_);
  }

  // A port, or `ping`. A number alone is a TCP port.
  bool what(const Word& word, Assertion& out) {
    if (word.text == "ping") {
      out.ping = true;
      return true;
    }
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.text = word.text.find('/') == std::string::npos ? "tcp/" + word.text : word.text;
    node.where = word.where;
    const auto port = read_port(node, diagnostics_);
    if (!port) return false;
    out.ports.push_back(*port);
    return true;
  }

  const YamlNode& node_;
  const std::vector<Zone>& zones_;
  Diagnostics& diagnostics_;
  std::vector<Word> words_;
  std::size_t next_ = 0;
};

}  // namespace

std::vector<Assertion> read_assertions(const std::vector<const YamlNode*>& nodes,
                                       const std::vector<Zone>& zones, Diagnostics& diagnostics) {
  std::vector<Assertion> out;
  for (const YamlNode* node : nodes) {
    if (!node->is_scalar()) {
      diagnostics.error("bad-assert", node->where, "expected a sentence").hint = kShape;
    } else if (auto assertion = Sentence(*node, zones, diagnostics).read()) {
      out.push_back(std::move(*assertion));
    }
  }
  return out;
}

}  // namespace gatehouse::site
