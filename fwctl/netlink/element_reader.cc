#include <fmt/format.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>

#include "fwctl/netlink/attributes.h"
#include "fwctl/netlink/elements.h"

namespace gatehouse::fwctl {
namespace {

bool states_more_than_counts(const nlattr* expression) {
  bool more = true;
  each_nested(expression, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) == NFTA_EXPR_NAME) more = text_of(a) != "counter";
  });
  return more;
}

Bytes key_of(const nlattr* outer) {
  Bytes out;
  each_nested(outer, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) == NFTA_DATA_VALUE) out.assign(bytes_of(a).begin(), bytes_of(a).end());
  });
  return out;
}

void decode_data(const nlattr* data, KernelElement& out) {
  each_nested(data, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) != NFTA_DATA_VERDICT) {
      out.foreign += (out.foreign.empty() ? "" : ", ") + std::string("data");
      return;
    }
    out.verdict.emplace();
    each_nested(a, [&](const nlattr* v) {
      if (mnl_attr_get_type(v) == NFTA_VERDICT_CODE)
        out.verdict->code = static_cast<std::int32_t>(number_of(v));
      if (mnl_attr_get_type(v) == NFTA_VERDICT_CHAIN) out.verdict->chain = text_of(v);
    });
  });
}

Bytes before(core::ByteView value) {
  Bytes out(value.begin(), value.end());
  for (std::size_t i = out.size(); i-- > 0;) {
    if (out[i]-- != 0) break;
  }
  return out;
}

struct Bound {
  core::ByteView key;
  bool end = false;
};
// A start holds until the next start or end, or to the top when there is none: so the kernel looks
// them up, also when somebody left the end away; then the answer is false. `at(i)` are sorted, an end before
// a start; `emit(i, last)` takes the range that begins there.
template <class At, class Emit>
bool join_ranges(std::size_t count, At at, Emit emit) {
  bool regular = true;
  for (std::size_t i = 0; i < count; ++i) {
    const Bound here = at(i);
    // nft begins a set with an end at zero.
    const bool zero =
        std::all_of(here.key.begin(), here.key.end(), [](std::uint8_t byte) { return byte == 0; });
    if (here.end ? (i == 0 ? !zero : at(i - 1).end) : i > 0 && !at(i - 1).end) regular = false;
    if (here.end) continue;
    emit(i, i + 1 < count ? before(at(i + 1).key) : Bytes(here.key.size(), 0xff));
  }
  return regular;
}

}  // namespace

bool ElementReader::add(const nlmsghdr* h) {
  bool ok = true;
  each_attribute(h, [&](const nlattr* a) {
    if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS) return;
    each_nested(a, [&](const nlattr* e) { ok = ok && add_element(e); });
  });
  return ok;
}

bool ElementReader::add_element(const nlattr* a) {
  if (is_plain_) {
    bool only_key = true;
    std::uint32_t flags = 0;
    core::ByteView key;
    each_nested(a, [&](const nlattr* part) {
      if (mnl_attr_get_type(part) == NFTA_SET_ELEM_KEY) {
        each_nested(part, [&](const nlattr* value) { key = bytes_of(value); });
      } else if (mnl_attr_get_type(part) == NFTA_SET_ELEM_FLAGS) {
        flags = number_of(part);
      } else if (mnl_attr_get_type(part) != NFTA_SET_ELEM_PAD) {
        only_key = false;
      }
    });
    only_key = only_key && !key.empty() && key.size() == set_.key_length &&
               (flags == 0 || (flags == NFT_SET_ELEM_INTERVAL_END && set_.holds_ranges()));
    if (only_key) {
      plain_.insert(plain_.end(), key.begin(), key.end());
      if (set_.holds_ranges()) plain_.push_back(flags == 0 ? 1 : 0);
      return true;
    }
    begin_raw();
  }
  raw_.push_back(decode(a));
  return !raw_.back().element.first.empty() || raw_.back().element.catch_all;
}

// What was plain so far becomes what it is with everything an element can have.
void ElementReader::begin_raw() {
  is_plain_ = false;
  const std::size_t step = set_.key_length + (set_.holds_ranges() ? std::size_t{1} : 0);
  for (std::size_t at = 0; at < plain_.size(); at += step) {
    Raw& r = raw_.emplace_back();
    const auto key = plain_.begin() + static_cast<std::ptrdiff_t>(at);
    r.element.first.assign(key, key + set_.key_length);
    r.element.last = r.element.first;
    r.end = set_.holds_ranges() && plain_[at + step - 1] == 0;
  }
  plain_ = {};
}

ElementReader::Raw ElementReader::decode(const nlattr* of) const {
  Raw out;
  KernelElement& e = out.element;
  const auto more = [&](const std::string& what) { e.foreign += (e.foreign.empty() ? "" : ", ") + what; };
  each_nested(of, [&](const nlattr* a) {
    switch (mnl_attr_get_type(a)) {
      case NFTA_SET_ELEM_KEY:
        e.first = key_of(a);
        if (e.last.empty()) e.last = e.first;
        break;
      case NFTA_SET_ELEM_KEY_END:
        e.last = key_of(a);
        break;
      case NFTA_SET_ELEM_FLAGS: {
        const std::uint32_t flags = number_of(a);
        out.end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
        e.catch_all = (flags & NFT_SET_ELEM_CATCHALL) != 0;
        if ((flags & ~std::uint32_t{NFT_SET_ELEM_INTERVAL_END}) != 0) more(fmt::format("flags {:#x}", flags));
        break;
      }
      case NFTA_SET_ELEM_DATA:
        decode_data(a, e);
        break;
      case NFTA_SET_ELEM_USERDATA:
        e.comment = comment_of(bytes_of(a), NFTNL_UDATA_SET_ELEM_COMMENT);
        break;
      case NFTA_SET_ELEM_TIMEOUT:
        more("timeout");
        e.uncertain = true;
        break;
      case NFTA_SET_ELEM_EXPIRATION:
      case NFTA_SET_ELEM_PAD:
        break;
      case NFTA_SET_ELEM_EXPR:
        more("expression");
        e.uncertain = e.uncertain || states_more_than_counts(a);
        break;
      case NFTA_SET_ELEM_EXPRESSIONS:
        more("expressions");
        each_nested(a, [&](const nlattr* x) { e.uncertain = e.uncertain || states_more_than_counts(x); });
        break;
      case NFTA_SET_ELEM_OBJREF:
        more("object");
        break;
      default:
        more(fmt::format("attribute {}", mnl_attr_get_type(a)));
        e.uncertain = true;
    }
  });
  return out;
}

bool ranges_between(const PlainKeys& bounds, PlainKeys& out) {
  const std::uint32_t length = bounds.key_length - 1;
  out = {length, true, {}};
  out.bytes.reserve(bounds.bytes.size());
  const auto at = [&](std::size_t i) {
    return Bound{bounds.first(i).first(length), bounds.first(i).back() == 0};
  };
  return join_ranges(bounds.size(), at,
                     [&](std::size_t i, const Bytes& last) { out.append(at(i).key, last); });
}

void ElementReader::finish_plain(KernelSet& out) {
  const bool ranges = set_.holds_ranges();
  PlainKeys found{ranges ? set_.key_length + 1 : set_.key_length, false, std::move(plain_)};
  found.sort();
  PlainKeys keys;
  if (ranges) {
    if (!ranges_between(found, keys)) out.irregular = true;
  } else {
    keys = std::move(found);
  }
  out.elements = ElementList(std::move(keys));
}

void ElementReader::finish(KernelSet& out) {
  if (is_plain_) return finish_plain(out);
  std::vector<KernelElement> elements;
  if (set_.holds_ranges()) {
    std::stable_sort(raw_.begin(), raw_.end(), [](const Raw& a, const Raw& b) {
      return a.element.first != b.element.first ? a.element.first < b.element.first : a.end && !b.end;
    });
    const auto at = [&](std::size_t i) { return Bound{raw_[i].element.first, raw_[i].end}; };
    const bool regular = join_ranges(raw_.size(), at, [&](std::size_t i, Bytes last) {
      elements.push_back(raw_[i].element);
      elements.back().last = std::move(last);
    });
    out.irregular = out.irregular || !regular;
  } else {
    for (Raw& r : raw_) elements.push_back(std::move(r.element));
  }
  std::sort(elements.begin(), elements.end(),
            [](const KernelElement& a, const KernelElement& b) { return a.comes_before(b); });
  out.elements = ElementList(std::move(elements));
}

}  // namespace gatehouse::fwctl
