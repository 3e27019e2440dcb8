#include "fwctl/netlink/set_events.h"

#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "fwctl/netlink/elements.h"

namespace gatehouse::fwctl {
namespace {

KernelSet set_of(bool ranges, ElementList elements = {}) {
  KernelSet out;
  out.name = "s";
  out.flags = ranges ? NFT_SET_INTERVAL : 0;
  out.key_length = 2;
  out.elements = std::move(elements);
  return out;
}

// From the numbers that are in it.
ElementList list_of(bool ranges, const std::set<int>& numbers) {
  PlainKeys keys{2, ranges, {}};
  const auto key = [](int n) {
    return Bytes{static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)};
  };
  for (auto at = numbers.begin(); at != numbers.end();) {
    const int first = *at;
    int last = *at;
    for (++at; ranges && at != numbers.end() && *at == last + 1; ++at) last = *at;
    keys.append(key(first), key(last));
  }
  return ElementList(std::move(keys));
}

// As the kernel tells of elements that came or went.
Bytes message_of(const KernelSet& set) {
  Bytes out(64 * 1024);
  nlmsghdr* h = mnl_nlmsg_put_header(out.data());
  mnl_nlmsg_put_extra_header(h, sizeof(nfgenmsg));
  mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set.name.c_str());
  put_elements(h, set, 0);
  out.resize(h->nlmsg_len);
  return out;
}

// Ranges of `from` that `to` has not.
ElementList without(const ElementList& from, const ElementList& to) {
  PlainKeys out{2, from.plain()->ranges, {}};
  for (std::size_t i = 0; i < from.size(); ++i) {
    const KernelElement e = from.plain()->element(i);
    if (std::none_of(to.begin(), to.end(), [&](const KernelElement& o) { return o.same_effect(e); }))
      out.append(*from.plain(), i);
  }
  return ElementList(std::move(out));
}

RC_GTEST_PROP(SetEvents, WhatWasToldIsWhatIsThere, (bool ranges)) {
  std::set<int> now = *rc::gen::container<std::set<int>>(rc::gen::inRange(0, 40));
  if (*rc::gen::arbitrary<bool>()) now.insert(0xffff);
  const KernelSet before = set_of(ranges, list_of(ranges, now));
  SetEvents events;
  const int commits = *rc::gen::inRange(0, 5);
  for (int i = 0; i < commits; ++i) {
    std::set<int> next = now;
    for (const int n : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 40))) {
      if (next.erase(n) == 0) next.insert(n);
    }
    const ElementList was = list_of(ranges, now);
    const ElementList is = list_of(ranges, next);
    events.note(false, message_of(set_of(ranges, without(was, is))));
    events.note(true, message_of(set_of(ranges, without(is, was))));
    now = next;
  }
  const auto after = events.after(before);
  RC_ASSERT(after.has_value());
  RC_ASSERT(after->same_effect(list_of(ranges, now)));
}

TEST(SetEvents, WhatCannotHaveHappenedIsNotBelieved) {
  for (const bool ranges : {false, true}) {
    const KernelSet before = set_of(ranges, list_of(ranges, {5, 9}));
    const auto told = [&](bool came, const std::set<int>& numbers) {
      SetEvents events;
      events.note(came, message_of(set_of(ranges, list_of(ranges, numbers))));
      return events.after(before).has_value();
    };
    EXPECT_TRUE(told(false, {9}));
    EXPECT_TRUE(told(true, {7}));
    EXPECT_FALSE(told(false, {7})) << "it was not there";
    EXPECT_FALSE(told(true, {9})) << "it was there";
  }
}

TEST(SetEvents, WhatIsNotToldWholeIsNotKnown) {
  const KernelSet before = set_of(false, list_of(false, {5}));
  SetEvents lost;
  lost.lose();
  EXPECT_FALSE(lost.after(before));
  SetEvents later;
  later.append(lost);
  EXPECT_FALSE(later.after(before));
  SetEvents many;
  for (int i = 0; i < 1000; ++i) many.note(true, message_of(set_of(false, list_of(false, {100 + i}))));
  EXPECT_FALSE(many.after(before));
  // A start within a range that has not ended.
  KernelSet half = set_of(true);
  half.flags = 0;
  half.elements = list_of(false, {3});
  SetEvents start;
  start.note(true, message_of(half));
  EXPECT_FALSE(start.after(set_of(true, list_of(true, {5}))));
  // An element with more than a key.
  KernelSet said = set_of(false);
  said.elements = {{{0, 7}, {0, 7}, {}, {}, "why", {}}};
  SetEvents more;
  more.note(true, message_of(said));
  EXPECT_FALSE(more.after(before));
}

}  // namespace
}  // namespace gatehouse::fwctl
