// Tags: a rule asks for what follows its alert, of the session or of a host, up to a limit.
#pragma once

#include <cstdint>
#include <span>

#include "ids/decode/packet.h"

namespace gatehouse::ids {

enum class TagMetric : std::uint8_t { packets, bytes, seconds };

struct Tag {
  std::uint32_t sid = 0, gid = 0;
  TagMetric metric = TagMetric::packets;
  std::uint8_t renewals = 0;
  bool fresh = true;  // the packet of the alert itself is still to be counted; it has an event already
  std::uint32_t limit = 0;
  std::uint64_t spent = 0;  // packets or bytes
  std::int64_t first_us = 0, last_us = 0;
};

// Tags of one session or host. Further rules than fit are not followed.
template <std::size_t Most>
class TagList {
 public:
  // A rule that matches again starts its count anew, but not without end: a chatty rule would
  // otherwise log all there is.
  void add(const Tag& tag) {
    for (std::size_t i = 0; i < count_; ++i) {
      Tag& known = tags_[i];
      if (known.sid != tag.sid || known.gid != tag.gid) continue;
      if (known.renewals >= kMostRenewals) return;
      ++known.renewals;
      known.spent = 0;
      known.first_us = known.last_us = tag.first_us;
      return;
    }
    if (count_ < Most) tags_[count_++] = tag;
  }
  // Counts `packet`. True: a tag asks for it.
  bool count(const Packet& packet) {
    bool wanted = false;
    for (std::size_t i = 0; i < count_;) {
      const Verdict verdict = count_one(tags_[i], packet);
      if (verdict == Verdict::over) {
        tags_[i] = tags_[--count_];
        continue;
      }
      wanted = wanted || verdict == Verdict::wanted;
      ++i;
    }
    return wanted;
  }
  bool empty() const { return count_ == 0; }

 private:
  static constexpr std::uint8_t kMostRenewals = 9;
  static constexpr std::int64_t kForgottenAfterUs = 600'000'000;  // nothing was seen for so long
  enum class Verdict : std::uint8_t { wanted, skip, over };

  static Verdict count_one(Tag& tag, const Packet& packet) {
    if (packet.time_us - tag.last_us > kForgottenAfterUs) return Verdict::over;
    tag.last_us = packet.time_us;
    if (tag.metric == TagMetric::packets) ++tag.spent;
    if (tag.metric == TagMetric::bytes) tag.spent += packet.frame.size();
    if (tag.fresh) {
      tag.fresh = false;
      return Verdict::skip;
    }
    const bool over = tag.metric == TagMetric::seconds
                          ? packet.time_us - tag.first_us > std::int64_t{tag.limit} * 1'000'000
                          : tag.spent > tag.limit;
    return over ? Verdict::over : Verdict::wanted;
  }

  std::array<Tag, Most> tags_{};
  std::size_t count_ = 0;
};

using SessionTags = TagList<16>;
using HostTags = TagList<8>;

}  // namespace gatehouse::ids
