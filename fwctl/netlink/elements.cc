#include "fwctl/netlink/elements.h"

#include <endian.h>
#include <fmt/format.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>

#include "fwctl/netlink/attributes.h"

namespace gatehouse::fwctl {
namespace {

constexpr std::size_t kMostComment = 126;

void put_bytes(nlmsghdr* h, std::uint16_t type, core::ByteView bytes) {
  mnl_attr_put(h, type, bytes.size(), bytes.data());
}
void put_key(nlmsghdr* h, std::uint16_t type, core::ByteView key) {
  nlattr* outer = mnl_attr_nest_start(h, type);
  put_bytes(h, NFTA_DATA_VALUE, key);
  mnl_attr_nest_end(h, outer);
}
void put_comment(nlmsghdr* h, const std::string& comment) {
  if (!comment.empty())
    put_bytes(h, NFTA_SET_ELEM_USERDATA, comment_userdata(NFTNL_UDATA_SET_ELEM_COMMENT, comment));
}
void put_verdict(nlmsghdr* h, const KernelVerdict& verdict) {
  nlattr* data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
  nlattr* inner = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
  mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htobe32(static_cast<std::uint32_t>(verdict.code)));
  if (!verdict.chain.empty()) mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, verdict.chain.c_str());
  mnl_attr_nest_end(h, inner);
  mnl_attr_nest_end(h, data);
}

// The smallest value above `last` into `out`; false when `last` is the highest.
bool after(core::ByteView last, Bytes& out) {
  out.assign(last.begin(), last.end());
  for (std::size_t i = out.size(); i-- > 0;) {
    if (++out[i] != 0) return true;
  }
  return false;
}

// A range in a set of one field is two elements: its first value, and the value after its last
// marked as an end. Without an end it would run to the top, which is right for the top only.
void put_end(nlmsghdr* h, core::ByteView last, Bytes& scratch) {
  if (!after(last, scratch)) return;
  nlattr* stop = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htobe32(NFT_SET_ELEM_INTERVAL_END));
  put_key(h, NFTA_SET_ELEM_KEY, scratch);
  mnl_attr_nest_end(h, stop);
}

void put_element(nlmsghdr* h, const KernelSet& set, const KernelElement& e, Bytes& scratch) {
  nlattr* one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  put_key(h, NFTA_SET_ELEM_KEY, e.first);
  if (set.concatenated_intervals()) put_key(h, NFTA_SET_ELEM_KEY_END, e.last);
  if (e.verdict) put_verdict(h, *e.verdict);
  put_comment(h, e.comment);
  mnl_attr_nest_end(h, one);
  if (set.holds_ranges()) put_end(h, e.last, scratch);
}
void put_element(nlmsghdr* h, const KernelSet& set, const PlainKeys& keys, std::size_t i, Bytes& scratch) {
  nlattr* one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  put_key(h, NFTA_SET_ELEM_KEY, keys.first(i));
  if (set.concatenated_intervals()) put_key(h, NFTA_SET_ELEM_KEY_END, keys.last(i));
  mnl_attr_nest_end(h, one);
  if (set.holds_ranges()) put_end(h, keys.last(i), scratch);
}

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

Bytes comment_userdata(std::uint8_t type, const std::string& comment) {
  Bytes out;
  if (comment.empty()) return out;
  const std::size_t length = std::min(comment.size(), kMostComment);
  out = {type, static_cast<std::uint8_t>(length + 1)};
  out.insert(out.end(), comment.begin(), comment.begin() + static_cast<std::ptrdiff_t>(length));
  out.push_back(0);
  return out;
}

std::string comment_of(core::ByteView userdata, std::uint8_t type) {
  core::ByteReader reader(userdata);
  while (reader.remaining() >= 2) {
    const std::uint8_t found = reader.u8();
    const core::ByteView value = reader.bytes(reader.u8());
    if (!reader.ok()) break;
    if (found != type) continue;
    std::string out(core::as_text(value));
    if (const std::size_t zero = out.find('\0'); zero != std::string::npos) out.resize(zero);
    return out;
  }
  return {};
}

std::size_t put_elements(nlmsghdr* h, const KernelSet& set, std::size_t next) {
  const std::size_t end = std::min(set.elements.size(), next + kMaxElementsPerMessage);
  const std::uint32_t most = h->nlmsg_len + kMaxElementBytesPerMessage;
  const PlainKeys* plain = set.elements.plain();
  Bytes scratch;
  nlattr* list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
  for (; next < end && h->nlmsg_len < most; ++next) {
    if (plain != nullptr) {
      put_element(h, set, *plain, next, scratch);
    } else {
      put_element(h, set, set.elements[next], scratch);
    }
  }
  mnl_attr_nest_end(h, list);
  return next;
}

void put_timed_element(nlmsghdr* h, core::ByteView key, std::uint64_t time_ms, const std::string& comment) {
  nlattr* list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
  nlattr* one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
  put_key(h, NFTA_SET_ELEM_KEY, key);
  mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64(time_ms));
  put_comment(h, comment);
  mnl_attr_nest_end(h, one);
  mnl_attr_nest_end(h, list);
}

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

void ElementReader::finish_plain(KernelSet& out) {
  PlainKeys keys{set_.key_length, set_.holds_ranges(), {}};
  PlainKeys found{keys.ranges ? keys.key_length + 1 : keys.key_length, false, std::move(plain_)};
  found.sort();
  if (keys.ranges) {
    const auto at = [&](std::size_t i) {
      return Bound{found.first(i).first(keys.key_length), found.first(i).back() == 0};
    };
    keys.bytes.reserve(found.bytes.size());
    const bool regular = join_ranges(found.size(), at,
                                     [&](std::size_t i, const Bytes& last) { keys.append(at(i).key, last); });
    out.irregular = out.irregular || !regular;
  } else {
    keys.bytes = std::move(found.bytes);
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
