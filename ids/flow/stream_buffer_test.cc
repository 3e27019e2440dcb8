#include "ids/flow/stream_buffer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>

namespace gatehouse::ids {
namespace {

ByteView view(const std::string& text) {
  return core::as_bytes(text);
}

StreamBuffer::Limits limits(OsPolicy policy = OsPolicy::bsd) {
  StreamBuffer::Limits out;
  out.policy = policy;
  return out;
}

std::string text(const StreamBuffer& buffer) {
  return std::string(core::as_text(buffer.deliverable(~0ULL)));
}

TEST(StreamBuffer, KeepsOrderAcrossHoles) {
  StreamPool pool(1 << 20);
  StreamBuffer buffer;
  EXPECT_TRUE(buffer.insert(pool, 6, view("world"), limits()).stored);
  EXPECT_EQ(text(buffer), "");
  EXPECT_EQ(buffer.next_held(), 6U);
  EXPECT_TRUE(buffer.insert(pool, 0, view("hello "), limits()).stored);
  EXPECT_EQ(text(buffer), "hello world");
  EXPECT_EQ(buffer.last_held(), 11U);
}

TEST(StreamBuffer, KeptBytesLiveUntilReleased) {
  StreamPool pool(1 << 20);
  StreamBuffer buffer;
  buffer.insert(pool, 0, view("abcdef"), limits());
  buffer.mark_delivered(pool, 4, true);
  EXPECT_EQ(core::as_text(buffer.kept().data), "abcd");
  EXPECT_EQ(buffer.kept().offset, 0U);
  buffer.release(pool, 3);
  EXPECT_EQ(core::as_text(buffer.kept().data), "d");
  EXPECT_EQ(buffer.kept().offset, 3U);
  EXPECT_EQ(text(buffer), "ef");
}

TEST(StreamBuffer, KeptBytesSurviveAGap) {
  StreamPool pool(1 << 20);
  StreamBuffer buffer;
  buffer.insert(pool, 0, view("before"), limits());
  buffer.mark_delivered(pool, 6, true);
  buffer.insert(pool, 10, view("after"), limits());
  buffer.skip_to(pool, 10);
  buffer.mark_delivered(pool, 15, true);
  buffer.insert(pool, 20, view("beyond"), limits());
  EXPECT_EQ(core::as_text(buffer.kept().data), "before");
  EXPECT_TRUE(buffer.kept().gap_follows);
  EXPECT_EQ(core::as_text(buffer.kept(6).data), "after");
  std::string all;
  buffer.visit([&](std::uint64_t offset, ByteView bytes) {
    all += std::to_string(offset) + ":" + std::string(core::as_text(bytes)) + " ";
  });
  EXPECT_EQ(all, "0:before 10:after 20:beyond ");
  buffer.release(pool, 2);
  EXPECT_EQ(core::as_text(buffer.kept().data), "after");
  EXPECT_EQ(buffer.kept().offset, 10U);
  EXPECT_FALSE(buffer.kept().gap_follows);
  buffer.reset(pool);
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(StreamBuffer, RefusesMoreThanItsLimits) {
  StreamPool pool(8192);
  StreamBuffer buffer;
  const std::string big(9000, 'x');
  EXPECT_EQ(buffer.insert(pool, 0, view(big), limits()).refusal, StreamInsert::Refusal::memory);
  EXPECT_EQ(buffer.held_bytes(), 0U);

  StreamBuffer::Limits few = limits();
  few.most_blocks = 2;
  EXPECT_TRUE(buffer.insert(pool, 10, view("a"), few).stored);
  EXPECT_TRUE(buffer.insert(pool, 20, view("b"), few).stored);
  EXPECT_EQ(buffer.insert(pool, 30, view("c"), few).refusal, StreamInsert::Refusal::too_many_segments);
  // What fills the front still fits.
  EXPECT_TRUE(buffer.insert(pool, 0, view("0123456789"), few).stored);
  EXPECT_EQ(buffer.edge(), 11U);
  buffer.reset(pool);
  EXPECT_EQ(pool.in_use(), 0U);
}

struct PolicyRow {
  const char* name;
  OsPolicy policy;
  const char* expected;
};

// Held: "aaaa" at 4. Arriving "bbbbbb" at 2: begins before, ends inside. Then "cccc" at 6 and "dd"
// at 8 over what is there.
const PolicyRow kPolicies[] = {
    {"first", OsPolicy::first, "bbaaaacc"},     {"last", OsPolicy::last, "bbbbccdd"},
    {"bsd", OsPolicy::bsd, "bbbbbbcc"},         {"linux", OsPolicy::linux_, "bbbbbbcc"},
    {"solaris", OsPolicy::solaris, "bbbbccdd"},
};

TEST(StreamBuffer, PolicyDecidesOverlaps) {
  for (const PolicyRow& row : kPolicies) {
    SCOPED_TRACE(row.name);
    StreamPool pool(1 << 20);
    StreamBuffer buffer;
    buffer.insert(pool, 0, view("xx"), limits(row.policy));
    buffer.mark_delivered(pool, 2, false);
    buffer.insert(pool, 4, view("aaaa"), limits(row.policy));
    EXPECT_TRUE(buffer.insert(pool, 2, view("bbbbbb"), limits(row.policy)).different);
    EXPECT_TRUE(buffer.insert(pool, 6, view("cccc"), limits(row.policy)).overlap);
    buffer.insert(pool, 8, view("dd"), limits(row.policy));
    EXPECT_EQ(text(buffer).substr(0, 8), row.expected);
  }
}

// The same decisions, byte by byte and without any storage scheme.
class NaiveStream {
 public:
  explicit NaiveStream(OsPolicy policy) : policy_(policy) {}
  void insert(std::uint64_t offset, const std::string& data) {
    const OverlapRange segment{offset, offset + data.size()};
    for (std::size_t i = 0; i < data.size(); ++i) {
      const auto held = bytes_.find(offset + i);
      if (held == bytes_.end() || segment_replaces(policy_, held->second.segment, segment)) {
        bytes_[offset + i] = {data[i], segment};
      }
    }
  }
  std::string in_order() const {
    std::string out;
    for (std::uint64_t at = 0;; ++at) {
      const auto found = bytes_.find(at);
      if (found == bytes_.end()) return out;
      out += found->second.value;
    }
  }

 private:
  struct Byte {
    char value;
    OverlapRange segment;
  };
  OsPolicy policy_;
  std::map<std::uint64_t, Byte> bytes_;
};

constexpr OsPolicy kAllPolicies[] = {OsPolicy::first,  OsPolicy::last,    OsPolicy::bsd,
                                     OsPolicy::linux_, OsPolicy::solaris, OsPolicy::old_linux,
                                     OsPolicy::vista,  OsPolicy::windows};

RC_GTEST_PROP(StreamBufferProperty, AgreesWithTheNaiveOne, ()) {
  const OsPolicy policy =
      *rc::gen::elementOf(std::vector<OsPolicy>(std::begin(kAllPolicies), std::end(kAllPolicies)));
  const auto count = *rc::gen::inRange(1, 40);
  StreamPool pool(1 << 20);
  StreamBuffer buffer;
  NaiveStream naive(policy);
  for (int i = 0; i < count; ++i) {
    const auto offset = static_cast<std::uint64_t>(*rc::gen::inRange(0, 60));
    const std::string data = *rc::gen::container<std::string>(
        static_cast<std::size_t>(*rc::gen::inRange(1, 20)), rc::gen::inRange('a', 'z'));
    buffer.insert(pool, offset, view(data), limits(policy));
    naive.insert(offset, data);
    RC_ASSERT(text(buffer) == naive.in_order());
  }
  buffer.reset(pool);
  RC_ASSERT(pool.in_use() == 0U);
}

// Delivered piece by piece at any points, with and without keeping: the same bytes come out.
RC_GTEST_PROP(StreamBufferProperty, DeliversEachByteOnce, ()) {
  const std::string stream = *rc::gen::container<std::string>(400, rc::gen::inRange('a', 'z'));
  StreamPool pool(1 << 20);
  StreamBuffer buffer;
  std::string out;
  std::size_t sent = 0;
  while (out.size() < stream.size()) {
    const auto size =
        std::min<std::size_t>(static_cast<std::size_t>(*rc::gen::inRange(1, 150)), stream.size() - sent);
    if (size != 0) {
      buffer.insert(pool, sent, view(stream.substr(sent, size)), limits());
      sent += size;
    }
    const auto upto = out.size() + static_cast<std::size_t>(*rc::gen::inRange(1, 200));
    const ByteView ready = buffer.deliverable(upto);
    out += core::as_text(ready);
    buffer.mark_delivered(pool, out.size(), *rc::gen::arbitrary<bool>());
    const StreamBuffer::Window kept = buffer.kept();
    RC_ASSERT(core::as_text(kept.data) == std::string_view(stream).substr(kept.offset, kept.data.size()));
    RC_ASSERT(kept.offset + kept.data.size() == out.size());
    buffer.release(pool, *rc::gen::inRange<std::uint64_t>(0, out.size() + 1));
  }
  RC_ASSERT(out == stream);
}

}  // namespace
}  // namespace gatehouse::ids
