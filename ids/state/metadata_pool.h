// What `metadata` says in the rules of a set, each pair once: most rules say much the same.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace gatehouse::ids {

class MetadataPool {
 public:
  using Pair = std::pair<std::string, std::string>;

  // The same address for the same pair, as long as the pool lives. Only loading rules adds to it.
  const Pair* add(std::string_view name, std::string_view value) {
    const View view{name, value};
    auto found = pairs_.find(view);
    if (found == pairs_.end()) found = pairs_.emplace(name, value).first;
    return &*found;
  }

 private:
  using View = std::pair<std::string_view, std::string_view>;
  static View view_of(const Pair& pair) { return pair; }
  static View view_of(const View& view) { return view; }
  struct Hash {
    using is_transparent = void;
    template <class P>
    std::size_t operator()(const P& pair) const {
      const View view = view_of(pair);
      const std::hash<std::string_view> hash;
      return hash(view.first) * 31 + hash(view.second);
    }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return view_of(a) == view_of(b);
    }
  };
  std::unordered_set<Pair, Hash, Equal> pairs_;
};

}  // namespace gatehouse::ids
