// A server of ours is misused to flood others: it answers much to little, the same again and again, to an
// address that is likely forged.
#include <algorithm>

#include "ids/anomaly/detector.h"

namespace gatehouse::ids::anomaly {
namespace {

constexpr std::int64_t kWindowUs = 10'000'000;
constexpr std::uint64_t kFactor = 8;  // bytes on the wire, headers included
constexpr std::uint32_t kKilobytes = 100;
// A client keeps what it was told: nobody needs one large answer forty times in ten seconds.
constexpr std::uint32_t kAnswers = 40;
constexpr std::uint32_t kAnswersOfQuestion = 4, kMostQuestions = 32;
// Who asked does not refuse the answer.
constexpr std::uint32_t kRefused = 10;

struct Misuse {  // one service of ours towards one address
  std::uint64_t tag = 0;
  std::int64_t first_us = 0, last_us = 0;
  std::uint64_t asked = 0, answered = 0;
  std::uint32_t answers = 0, refused = 0, told = 0;
  Distinct<1> questions;  // of those that were told
  bool is_over(std::int64_t now_us) const { return now_us - first_us > kWindowUs; }
  std::int64_t worth() const { return last_us + static_cast<std::int64_t>(answered) * 100; }
  bool sound() const {
    return sound_time(first_us) && sound_time(last_us) && answered < std::uint64_t{1} << 48U &&
           questions.sound();
  }
};
static_assert(sizeof(Misuse) <= kPairBytes);

class ReflectionOut : public AnomalyDetector {
 public:
  ReflectionOut(const Context& context, std::size_t pairs) : c_(context), table_(pairs) {}

  void archive(StateArchive& a) override { table_.archive(a); }

  void on_contact(const Sighting& o) override {
    if (o.contact == Contact::unreachable) return refused(o);
    // What is not amplified needs no entry.
    const bool much = o.bytes >= o.value * kFactor;
    const std::uint64_t hash = c_.hash.join(o.pair_key, o.server_port);
    bool fresh = false;
    Misuse* m = much ? &table_.get(hash, fresh, o.time_us) : table_.find(hash);
    if (m == nullptr || (!much && m->is_over(o.time_us))) return;
    if (fresh || m->is_over(o.time_us)) {
      renew(*m);
      m->first_us = o.time_us;
    }
    m->last_us = o.time_us;
    m->asked += o.value;
    m->answered += o.bytes;
    m->answers += o.count;
    ++m->told;
    m->questions.add(c_.hash(o.detail));
    judge(*m, o.server, o.client, o.server_port, o.time_us);
  }

 private:
  // An error that quotes an answer of ours: the client of the observation is our server.
  void refused(const Sighting& o) {
    if (o.protocol != 17 || reflecting_service(o.client_port) < 0) return;
    Misuse* m = table_.find(c_.hash.join(c_.hash.pair(o.server_key, o.client_key), o.client_port));
    if (m == nullptr || m->is_over(o.time_us)) return;
    ++m->refused;
    judge(*m, o.client, o.server, o.client_port, o.time_us);
  }

  void judge(const Misuse& m, const IpAddress& ours, const IpAddress& victim, std::uint16_t port,
             std::int64_t now_us) {
    const std::uint64_t least = std::uint64_t{c_.config.scaled(kKilobytes, ours)} * 1000;
    if (m.answered < m.asked * kFactor) return;
    const std::uint32_t answers = c_.config.scaled(kAnswers, ours);
    const bool same = m.answered >= least && m.answers >= answers &&
                      m.questions.bits_set() <= std::min(m.told / kAnswersOfQuestion, kMostQuestions);
    const bool unwanted = m.refused >= c_.config.scaled(kRefused, ours) && m.answers >= answers / 2;
    if (!same && !unwanted) return;
    const std::uint64_t subject = c_.log.subject(Verdict::amplification_out, victim, c_.hash(ours) ^ port);
    if (!c_.log.due(subject, now_us, m.answered)) return;
    Finding f(Verdict::amplification_out, m.first_us, now_us);
    f.protocol = 17;
    // It sends, though not of its own accord; who asks in the victim's name is not seen.
    f.name_source(ours);
    f.name_target(victim, 0);
    f.figure("answered_bytes", m.answered);
    f.figure("asked_bytes", m.asked);
    f.figure("answers", m.answers);
    f.figure("refused", m.refused);
    f.figure("service_port", port);
    if (unwanted) {
      f.limit("refused", c_.config.scaled(kRefused, ours));
    } else {
      f.limit("answered_bytes", least);
      f.limit("answers", answers);
    }
    f.confidence = unwanted ? 0.95 : 0.8;
    c_.log.report(subject, f);
  }

  Context c_;
  BucketTable<Misuse> table_;
};

std::unique_ptr<AnomalyDetector> make(const Context& context) {
  if (!context.config.flood) return nullptr;
  return std::make_unique<ReflectionOut>(context, context.sizes.pairs);
}

}  // namespace

extern const AnomalyDescriptor detector_reflection_out;
const AnomalyDescriptor detector_reflection_out = {
    "reflection_out",
    "servers of ours misused to flood others with their answers",
    contact_bit(Contact::udp_amplified) | contact_bit(Contact::unreachable),
    0,
    false,
    false,
    false,
    make};

}  // namespace gatehouse::ids::anomaly
