// The proof against the kernel: what it says about mutated live rulesets, packet by packet.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "core/os.h"
#include "fwctl/compile/compile.h"
#include "fwctl/compile/describe.h"
#include "fwctl/control/control.h"
#include "fwctl/model/build.h"
#include "fwctl/prove/decide.h"
#include "fwctl/replay/replay.h"
#include "tests/netns/fwctl_command.h"

namespace gatehouse::test {
namespace {

using namespace fwctl;
using prove::Answer;
using prove::Packet;
using prove::Path;
using Kind = prove::ByteKey::Kind;

const std::vector<std::pair<std::string, std::uint32_t>> kDevices = {{"wan0", 0}, {"srv0", 0}, {"adm0", 0},
                                                                     {"soc0", 0}, {"lab0", 0}, {"eth9", 0}};

// More of it in the long run: GATEHOUSE_PROVE_MUTATIONS, GATEHOUSE_EXPLAIN_PACKETS.
int amount(const char* variable, int usual) {
  const char* text = std::getenv(variable);
  return text == nullptr ? usual : std::atoi(text);
}

bool nft(const std::string& commands) {
  FILE* pipe = popen("nft -f - >/dev/null 2>&1", "w");
  if (pipe == nullptr) return false;
  fwrite(commands.data(), 1, commands.size(), pipe);
  return pclose(pipe) == 0;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

 private:
  std::mt19937 engine_;
};

// --- mutations, made on the decoded table and committed as our own transaction, or by nft ------------------

struct Mutant {
  std::string name;
  bool neutral = false;  // known to be; else the kernel is asked
  std::string commands;  // for nft
  std::optional<KernelTable> table;
};

KernelRule& random_rule(Random& random, KernelTable& t, std::string& name) {
  for (;;) {
    KernelChain& c = t.chains[random.below(t.chains.size())];
    if (c.rules.empty()) continue;
    const std::size_t i = random.below(c.rules.size());
    name += fmt::format(" {} rule {}", c.name, i + 1);
    return c.rules[i];
  }
}

Mutant drop_rule(Random& random, KernelTable t) {
  Mutant m;
  m.name = "drop a rule:";
  for (;;) {
    KernelChain& c = t.chains[random.below(t.chains.size())];
    if (c.rules.empty()) continue;
    const std::size_t i = random.below(c.rules.size());
    m.name += fmt::format(" {} rule {}", c.name, i + 1);
    c.rules.erase(c.rules.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  m.table = std::move(t);
  return m;
}

Mutant swap_rules(Random& random, KernelTable t) {
  Mutant m;
  m.name = "swap rules:";
  for (;;) {
    KernelChain& c = t.chains[random.below(t.chains.size())];
    if (c.rules.size() < 2) continue;
    const std::size_t i = random.below(c.rules.size());
    const std::size_t j = random.below(c.rules.size());
    m.name += fmt::format(" {} rules {} and {}", c.name, i + 1, j + 1);
    std::swap(c.rules[i], c.rules[j]);
    break;
  }
  m.table = std::move(t);
  return m;
}

// A verdict of a rule, or one of a map's entries, turned round.
Mutant flip_verdict(Random& random, KernelTable t) {
  Mutant m;
  m.name = "flip:";
  for (;;) {
    if (random.one_in(2)) {
      std::string name;
      KernelRule& r = random_rule(random, t, name);
      auto* v = r.expressions.empty() ? nullptr : std::get_if<SetVerdict>(&r.expressions.back());
      if (v == nullptr) continue;
      m.name += name;
      v->verdict = v->verdict.code == 1 ? KernelVerdict{0, {}} : KernelVerdict{1, {}};
      break;
    }
    KernelSet& s = t.sets[random.below(t.sets.size())];
    if (s.elements.empty() || s.data_type == 0) continue;
    KernelElement& e = s.elements[random.below(s.elements.size())];
    m.name += " an entry of " + s.name;
    e.verdict = random.one_in(2) ? KernelVerdict{0, {}} : KernelVerdict{1, {}};
    break;
  }
  m.table = std::move(t);
  return m;
}

Mutant drop_element(Random& random, KernelTable t) {
  Mutant m;
  for (;;) {
    KernelSet& s = t.sets[random.below(t.sets.size())];
    if (s.elements.empty()) continue;
    m.name = "drop an element of " + s.name;
    s.elements.erase(s.elements.begin() + static_cast<std::ptrdiff_t>(random.below(s.elements.size())));
    break;
  }
  m.table = std::move(t);
  return m;
}

// One bit of a range's bound, or of a mask.
Mutant widen(Random& random, KernelTable t) {
  Mutant m;
  for (;;) {
    if (random.one_in(3)) {
      std::string name;
      KernelRule& r = random_rule(random, t, name);
      Mask* mask = nullptr;
      for (Expression& e : r.expressions) {
        if (auto* found = std::get_if<Mask>(&e)) mask = found;
      }
      if (mask == nullptr) continue;
      m.name = "mask bit:" + name;
      mask->mask[0] = static_cast<std::uint8_t>(mask->mask[0] ^ 1U << random.below(8));
      break;
    }
    KernelSet& s = t.sets[random.below(t.sets.size())];
    if ((s.flags & NFT_SET_INTERVAL) == 0 || s.elements.empty()) continue;
    KernelElement& e = s.elements[random.below(s.elements.size())];
    Bytes& bound = random.one_in(2) ? e.first : e.last;
    const std::size_t byte = random.below(bound.size());
    if (s.concatenated_intervals() && byte < 16) continue;  // the interface's name
    const Bytes before = bound;
    bound[byte] = static_cast<std::uint8_t>(bound[byte] ^ 1U << random.below(8));
    if (e.last < e.first) {  // not a range, whatever the kernel makes of it
      bound = before;
      continue;
    }
    m.name = "bound: " + describe(e, s) + " of " + s.name;
    break;
  }
  m.table = std::move(t);
  return m;
}

const std::vector<std::string> kForeign = {
    "table inet mine {\n chain c {\n type filter hook forward priority -5; policy accept;\n tcp dport 80-90 "
    "drop\n }\n}\n",
    "table ip mine {\n chain c {\n type filter hook input priority 5; policy accept;\n ip saddr 10.66.2.0/28 "
    "drop\n }\n}\n",
    "table ip6 mine {\n chain c {\n type filter hook forward priority 1; policy accept;\n ip6 daddr "
    "fd66:1::10 tcp dport { 25, 26 } reject\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook forward priority -300; policy accept;\n iifname "
    "\"wan*\" meta l4proto tcp th dport vmap { 443 : drop, 444 : accept }\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook output priority 0; policy drop;\n ct state "
    "established,related accept\n oifname \"lo\" accept\n meta l4proto ipv6-icmp accept\n }\n}\n",
    "table inet mine {\n chain n {\n tcp flags & (syn|ack) == syn return\n drop\n }\n chain c {\n type "
    "filter hook forward priority 9; policy accept;\n ct state new jump n\n }\n}\n",
    "table inet mine {\n set s {\n type ipv4_addr . inet_service\n flags interval\n elements = { "
    "10.66.1.0/24 . 22-25 }\n }\n chain c {\n type filter hook forward priority 9; policy accept;\n ip daddr "
    ". tcp dport @s counter drop\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook prerouting priority -400; policy accept;\n udp dport "
    "53 notrack\n }\n}\n",
    "table inet mine {\n chain p {\n type nat hook postrouting priority 100; policy accept;\n ip saddr "
    "10.66.0.0/16 masquerade\n }\n}\n",
    "table ip mine {\n chain p {\n type nat hook prerouting priority -150; policy accept;\n ip daddr "
    "10.66.1.77 tcp dport 80-90 dnat to 10.66.1.10\n }\n}\n",
    "table ip mine {\n chain p {\n type nat hook prerouting priority -50; policy accept;\n iifname \"wan0\" "
    "tcp dport { 8443, 8444 } dnat to 10.66.1.10:25\n }\n}\n",
    "table ip6 mine {\n chain p {\n type nat hook prerouting priority -101; policy accept;\n ip6 daddr "
    "2001:db8:ff::1 tcp dport 8443 dnat to [fd66:1::10]:22\n }\n}\n",
    // Before pieces are put together.
    "table inet mine {\n chain c {\n type filter hook prerouting priority -450; policy accept;\n tcp dport { "
    "80, 443 } counter drop\n udp sport 20000-29999 drop\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook prerouting priority -450; policy accept;\n tcp flags & "
    "(syn|ack) == syn counter drop\n }\n}\n",
    "table ip mine {\n chain c {\n type filter hook prerouting priority -450; policy accept;\n ip frag-off & "
    "0x1fff != 0 drop\n }\n}\n",
    "table ip6 mine {\n chain c {\n type filter hook prerouting priority -450; policy accept;\n exthdr frag "
    "exists drop\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook output priority -450; policy accept;\n udp dport 53 "
    "drop\n ip frag-off & 0x2000 != 0 drop\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook forward priority -10; policy accept;\n exthdr hbh "
    "exists "
    "drop\n ip option ra exists drop\n ip hdrlength > 6 drop\n }\n}\n",
    "table ip6 mine {\n chain c {\n type filter hook prerouting priority -450; policy accept;\n ip6 nexthdr "
    "{ "
    "tcp, 60 } exthdr dst missing counter drop\n }\n}\n",
};
const std::vector<std::string> kNeutral = {
    "table inet mine {\n chain c {\n type filter hook forward priority -5; policy accept;\n tcp dport 80-90 "
    "counter accept\n log prefix \"x\"\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook input priority -5; policy drop;\n accept\n }\n}\n",
    "table ip mine {\n set s {\n type ipv4_addr\n flags interval\n elements = { 127.0.0.0/8, 240.0.0.0/5 }\n "
    "}\n chain c {\n type filter hook forward priority 5; policy accept;\n ip saddr @s drop\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook forward priority 7; policy accept;\n meta mark set "
    "0x5\n ct state invalid drop\n }\n chain p {\n type nat hook postrouting priority 100; policy accept;\n "
    "oifname \"wan0\" ip saddr 10.66.1.0/28 masquerade\n }\n}\n",
    "table ip6 mine {\n chain c {\n type filter hook forward priority 5; policy accept;\n ip6 saddr "
    "::ffff:0:0/96 ct state new drop\n tcp dport 23 tcp option maxseg exists ct state new drop\n }\n}\n",
    "table inet mine {\n chain c {\n type filter hook forward priority 5; policy accept;\n ip frag-off & "
    "0x3fff "
    "!= 0 drop\n }\n}\n",
    "add rule inet gatehouse forward drop\n",
    "insert rule inet gatehouse input counter\n",
    "insert rule inet gatehouse forward ct state established tcp dport 80 accept\n",
};

Mutant mutate(Random& random, const KernelTable& table) {
  switch (random.below(8)) {
    case 0:
      return drop_rule(random, table);
    case 1:
      return swap_rules(random, table);
    case 2:
      return flip_verdict(random, table);
    case 3:
      return drop_element(random, table);
    case 4:
    case 5:
      return widen(random, table);
    case 6:
      return {"foreign table", false, random.of(kForeign), std::nullopt};
    default:
      return {"neutral", true, random.of(kNeutral), std::nullopt};
  }
}

// --- packets that are near what the site speaks of ---------------------------------------------------------

Packet random_packet(Random& random) {
  Packet p;
  p.family = random.one_in(2) ? 4 : 6;
  p.path = random.of<Path>({Path::through, Path::through, Path::to_gatehouse, Path::from_gatehouse});
  const std::vector<std::string> names = {"wan0", "wan0", "srv0", "adm0", "soc0", "lab0", "eth9"};
  if (p.path != Path::from_gatehouse) p.set(Kind::iifname, std::string_view(random.of(names)));
  if (p.path != Path::to_gatehouse) p.set(Kind::oifname, std::string_view(random.of(names)));
  static const std::vector<std::string> v4 = {"10.66.1.10",   "10.66.1.10", "10.66.1.77", "10.66.2.10",
                                              "10.66.2.77",   "10.66.3.10", "10.66.9.10", "198.51.100.7",
                                              "198.51.100.1", "9.9.9.9",    "10.67.0.1"};
  static const std::vector<std::string> v6 = {"fd66:1::10",     "fd66:1::10", "fd66:1::77", "fd66:2::10",
                                              "fd66:2::77",     "fd66:3::10", "fd66:9::10", "2001:db8::7",
                                              "2001:db8:ff::1", "2a00::1",    "fd67::1"};
  for (const Kind side : {Kind::source, Kind::destination})
    p.set(side, *core::IpAddress::parse(random.of(p.family == 4 ? v4 : v6)));
  p.set({Kind::protocol}, random.of<std::uint8_t>(
                              {6, 6, 6, 6, 17, 17, p.family == 4 ? std::uint8_t{1} : std::uint8_t{58}, 99}));
  p.set({Kind::hop_limit}, random.of<std::uint8_t>({2, 64, 255}));
  p.set({Kind::fib, prove::route_back_question(), 0}, random.one_in(8) ? 0 : 1);
  p.set_port(prove::kSourcePort, static_cast<std::uint16_t>(20'000 + random.below(20'000)));
  p.set_port(prove::kDestinationPort,
             random.of<std::uint16_t>(
                 {22, 25, 53, 80, 81, 443, 443, 8443, 8443, 2222, 5353, 6514, 6515, 7000, 9000, 9010, 9011}));
  std::uint8_t state = random.of<std::uint8_t>({8, 8, 8, 8, 2, 1});
  if (p.protocol() == 6)
    p.set({Kind::transport, 0, prove::kTcpFlags}, state == 8 && !random.one_in(5) ? 2 : 16);
  if (p.protocol() == 1 || p.protocol() == 58) {
    const bool v6_packet = p.family == 6;
    const std::uint8_t type = state == 1 && random.one_in(2) ? static_cast<std::uint8_t>(v6_packet ? 1 : 3)
                                                             : static_cast<std::uint8_t>(v6_packet ? 128 : 8);
    if (type == 1 || type == 3) state = 4;  // an error of a connection
    p.set({Kind::transport, 0, 0}, type);
    p.set({Kind::transport, 0, 1}, 0);
    p.set({Kind::transport, 0, 4}, static_cast<std::uint8_t>(1 + random.below(250)));
  }
  if (p.protocol() == 99 && state == 1) state = 8;
  if (p.path == Path::from_gatehouse && (state == 1 || state == 4))
    state = p.protocol() == 1 || p.protocol() == 58 ? 8 : 2;
  if (p.protocol() == 1 || p.protocol() == 58) {
    if (state == 8) p.set({Kind::transport, 0, 0}, p.family == 6 ? 128 : 8);
  }
  p.set({Kind::ct_state}, state);
  // In pieces, with an option or an extension header: what of the header rules may ask for, too.
  if (random.one_in(4))
    p.set({Kind::fragment}, random.of<std::uint8_t>({prove::kFirstPiece, prove::kLaterPiece}));
  if (random.one_in(5)) {
    const std::uint32_t key = p.family == 4
                                  ? extension_key(NFT_EXTHDR_OP_IPV4, random.of<std::uint32_t>({7, 148}))
                                  : extension_key(NFT_EXTHDR_OP_IPV6, random.of<std::uint32_t>({0, 60}));
    p.set({Kind::extension, key}, 1);
  }
  // What a rule takes for ports where a piece has none.
  if (p.fragment() != 0 && state != prove::kStateRelated) {
    p.set({Kind::piece, 0, 2}, 443 >> 8);
    p.set({Kind::piece, 0, 3}, random.of<std::uint8_t>({443 & 0xff, 80}));
    p.set({Kind::piece, 0, 13}, random.of<std::uint8_t>({2, 16}));
  }
  p.complete_header();
  return p;
}

// Runs `work` in a fresh namespace with a replay ready in it.
template <class Work>
void with_replay(const RulesetCopy& copy, Work work) {
  std::thread([&] {
    ASSERT_TRUE(Replay::enter_namespace());
    auto replay = Replay::make(kDevices);
    ASSERT_TRUE(replay) << replay.error().to_string();
    const core::Status loaded = replay->load(copy);
    ASSERT_TRUE(loaded) << loaded.error().to_string();
    work(*replay);
  }).join();
}

class FwctlProve : public CommandInNamespace {
 protected:
  void begin_anew() {
    inside_->enter([&] {
      for (const char* family : {"inet", "ip", "ip6"}) nft(std::string("delete table ") + family + " mine\n");
    });
    const auto done = put(table_);
    ASSERT_TRUE(done) << done.error().to_string() << "\nafter " << last_;
  }
  bool apply(const Mutant& m) {
    last_ = m.name + m.commands;
    if (m.table) return put(*m.table).has_value();
    bool ok = false;
    inside_->enter([&] { ok = nft(m.commands); });
    return ok;
  }

  KernelTable table_ = compile(*build_ruleset(translating_site()));
  std::string last_;  // the mutant before
};

// The interpreter, which explains and checks what the proof says, against the kernel rule by rule.
TEST_F(FwctlProve, ExplainAgreesWithTheKernel) {
  ASSERT_TRUE(put(table_));
  Random random(static_cast<unsigned>(amount("GATEHOUSE_PROVE_SEED", 1)));
  const int wanted = amount("GATEHOUSE_EXPLAIN_PACKETS", 1500);
  int compared = 0, whole = 0, refused = 0, by_choice = 0;
  for (int round = 0; compared < wanted; ++round) {
    begin_anew();
    if (HasFatalFailure()) return;
    Mutant m{"none", true, "", std::nullopt};
    if (round > 0) m = mutate(random, table_);
    if (round > 0 && !apply(m)) continue;
    SCOPED_TRACE(m.name + m.commands);
    const auto ruleset = kernel_->read_all();
    const auto copy = kernel_->copy();
    ASSERT_TRUE(ruleset && copy);
    with_replay(*copy, [&](Replay& replay) {
      for (int i = 0; i < 100; ++i) {
        const Packet p = random_packet(random);
        const auto kernel = replay.send(p);
        if (!kernel && kernel.error().code == core::Errc::unsupported) {
          ++refused;
          continue;
        }
        ASSERT_TRUE(kernel) << kernel.error().to_string();
        prove::Trace ours = prove::interpret(*ruleset, p);
        // Where the kernel itself ends the packet between two hooks, so far as it went.
        const auto as_far = [&](const prove::Trace& trace) {
          std::vector<std::string> steps = steps_of(trace);
          if (!kernel->finished && steps.size() > kernel->steps.size()) steps.resize(kernel->steps.size());
          return steps;
        };
        std::vector<std::string> expected = as_far(ours);
        // What cannot be known of a piece is said so: one of the ways it may go must be the kernel's.
        const std::size_t doubts = std::min<std::size_t>(ours.doubts.size(), 8);
        for (unsigned choice = 0; p.fragment() != 0 && expected != kernel->steps && choice < 1U << doubts;
             ++choice) {
          std::vector<bool> choices;
          for (std::size_t k = 0; k < doubts; ++k) choices.push_back((choice >> k & 1) != 0);
          ours = prove::interpret(*ruleset, p, choices);
          expected = as_far(ours);
          by_choice += expected == kernel->steps ? 1 : 0;
        }
        ASSERT_EQ(kernel->steps, expected) << m.name << "\n" << m.commands << "\n" << p.to_string();
        if (kernel->finished) {
          ASSERT_EQ(kernel->dropped, ours.verdict != prove::kAccept) << p.to_string();
        }
        ++compared;
        whole += kernel->finished ? 1 : 0;
      }
    });
    if (HasFatalFailure()) return;
  }
  std::printf("%d packets compared, %d to their end, %d one of several ways, %d could not be sent\n",
              compared, whole, by_choice, refused);
  EXPECT_GT(whole, compared * 8 / 10);
}

// Every mutant that the proof calls different comes with a packet that the kernel treats as it says, and
// as the policy does not; and where the proof holds, random packets find no difference.
TEST_F(FwctlProve, MutantsOfTheLiveRulesetAreJudgedAsTheKernelJudges) {
  const site::Site site = translating_site();
  Random random(static_cast<unsigned>(amount("GATEHOUSE_PROVE_SEED", 2)));
  const int wanted = amount("GATEHOUSE_PROVE_MUTATIONS", 40);
  int made = 0, differ = 0, hold = 0, undecided = 0, shown = 0, confirmed = 0, partly = 0, rates = 0;
  std::map<std::string, int> refused;
  while (made < wanted) {
    begin_anew();
    if (HasFatalFailure()) return;
    const Mutant m = mutate(random, table_);
    if (!apply(m)) continue;  // the kernel refused the mutant, an overlapping range for example
    ++made;
    SCOPED_TRACE(m.name + m.commands);
    const auto ruleset = kernel_->read_all();
    const auto copy = kernel_->copy();
    ASSERT_TRUE(ruleset && copy);
    const prove::Proof proof = prove::decide(site, *ruleset, {});
    const std::string about = m.name + "\n" + m.commands + print_proof(proof);
    if (m.neutral) {
      ASSERT_EQ(proof.answer, Answer::holds) << about;
    }
    differ += proof.answer == Answer::differs ? 1 : 0;
    hold += proof.answer == Answer::holds ? 1 : 0;
    undecided += proof.answer == Answer::cannot_decide ? 1 : 0;
    ASSERT_NE(proof.answer, Answer::cannot_decide) << about;
    with_replay(*copy, [&](Replay& replay) {
      for (const prove::Example& e : proof.differences) {
        ++shown;
        if (e.policy.accept == (e.live.verdict == prove::kAccept)) {
          ++rates;  // limited otherwise, or refused aloud: one packet does not show it
          continue;
        }
        const auto kernel = replay.send(e.packet);
        if (!kernel) {
          ASSERT_EQ(kernel.error().code, core::Errc::unsupported) << kernel.error().to_string();
          ++refused[kernel.error().text];
          continue;
        }
        std::vector<std::string> expected = steps_of(e.live);
        if (!kernel->finished) expected.resize(std::min(expected.size(), kernel->steps.size()));
        ASSERT_EQ(kernel->steps, expected) << about << e.packet.to_string();
        if (!kernel->finished) {
          ++partly;
          continue;
        }
        ++confirmed;
        ASSERT_NE(kernel->dropped, e.policy.accept == false) << about << e.packet.to_string();
      }
      if (proof.answer != Answer::holds) return;
      for (int i = 0; i < 60; ++i) {
        const Packet p = random_packet(random);
        const auto kernel = replay.send(p);
        if (!kernel || !kernel->finished) continue;
        ASSERT_EQ(!kernel->dropped, prove::opinion_on(site, p).accept) << about << p.to_string();
      }
    });
    if (HasFatalFailure()) return;
  }
  std::printf(
      "%d mutants: %d differ, %d hold, %d undecided; %d packets shown, %d confirmed by the kernel, %d as far "
      "as "
      "the kernel let them go, %d about rates or refusals, %d cannot be sent\n",
      made, differ, hold, undecided, shown, confirmed, partly, rates, shown - confirmed - partly - rates);
  for (const auto& [why, count] : refused) std::printf("%6d cannot be sent: %s\n", count, why.c_str());
  EXPECT_GT(confirmed, shown / 2);
}

// 10,000 rules of three kinds and a set of 100,000 addresses beside the policy, in another table.
KernelTable large_table(std::int32_t verdict_of_set) {
  std::mt19937 random(7);
  const auto number = [&](std::uint32_t low, std::uint32_t high) {
    return std::uniform_int_distribution<std::uint32_t>(low, high)(random);
  };
  const auto address = [](std::uint32_t a) {
    return Bytes{static_cast<std::uint8_t>(a >> 24U), static_cast<std::uint8_t>(a >> 16U),
                 static_cast<std::uint8_t>(a >> 8U), static_cast<std::uint8_t>(a)};
  };
  const auto port = [](std::uint32_t p) {
    return Bytes{static_cast<std::uint8_t>(p >> 8U), static_cast<std::uint8_t>(p)};
  };
  const std::vector<Expression> ipv4 = {LoadMeta{NFT_META_NFPROTO, 0}, Compare{0, NFT_CMP_EQ, {2}}};
  const auto rule = [](std::vector<Expression> parts, std::vector<Expression> more, std::int32_t verdict) {
    KernelRule out;
    out.expressions = std::move(parts);
    out.expressions.insert(out.expressions.end(), more.begin(), more.end());
    out.expressions.insert(out.expressions.end(), {Counter{}, SetVerdict{{verdict, {}}}});
    return out;
  };
  KernelTable t;
  t.name = "mine";
  KernelSet set;
  set.name = "s";
  set.key_type = 7;
  set.key_length = 4;
  std::set<std::uint32_t> addresses;
  while (addresses.size() < 100'000) addresses.insert(number(0x0b000000, 0xdf000000));
  for (const std::uint32_t a : addresses) set.elements.push_back({address(a), address(a), {}, {}, {}, {}});
  t.sets = {set};
  KernelChain c;
  c.name = "c";
  c.base = BaseHook{"filter", 2, -5, 1};
  c.rules.push_back(rule(ipv4, {LoadPayload{1, 12, 4, 0}, Lookup{0, "s", false, false}}, verdict_of_set));
  for (int i = 0; i < 10'000; ++i) {
    const std::uint32_t p = number(1, 65'000);
    std::vector<Expression> tcp = {LoadMeta{NFT_META_L4PROTO, 0}, Compare{0, NFT_CMP_EQ, {6}},
                                   LoadPayload{2, 2, 2, 0}, Compare{0, NFT_CMP_EQ, port(p)}};
    std::vector<Expression> udp = {LoadMeta{NFT_META_L4PROTO, 0}, Compare{0, NFT_CMP_EQ, {17}},
                                   LoadPayload{2, 2, 2, 0}, Compare{0, NFT_CMP_GTE, port(p)},
                                   Compare{0, NFT_CMP_LTE, port(p + 100)}};
    std::vector<Expression> source = ipv4;
    source.insert(source.end(), {LoadPayload{1, 12, 4, 0}, Compare{0, NFT_CMP_EQ, address(number(1, ~0U))}});
    std::vector<Expression> network = ipv4;
    network.insert(network.end(),
                   {LoadPayload{1, 16, 3, 0},
                    Compare{0, NFT_CMP_EQ, {11, static_cast<std::uint8_t>(number(0, 255)), 5}}});
    c.rules.push_back(i % 3 == 0   ? rule(source, tcp, 1)
                      : i % 3 == 1 ? rule({}, tcp, 1)
                                   : rule(network, udp, 1));
  }
  t.chains = {c};
  return t;
}

TEST_F(FwctlProve, ALargeRulesetIsDecidedInTwoSeconds) {
  ASSERT_TRUE(put(table_));
  const site::Site site = translating_site();
  for (const std::int32_t verdict : {1, 0}) {
    ASSERT_TRUE(put(large_table(verdict)));
    double cpu = core::cpu_seconds();
    const std::int64_t start = core::monotonic_us();
    const auto ruleset = kernel_->read_all();
    ASSERT_TRUE(ruleset);
    const prove::Proof proof = prove::decide(site, *ruleset, {});
    cpu = core::cpu_seconds() - cpu;
    std::printf("%zu rules, %zu elements: %s in %.2f s, %.2f s of CPU time, reading included\n", proof.rules,
                proof.elements, std::string(to_string(proof.answer)).c_str(),
                static_cast<double>(core::monotonic_us() - start) / 1e6, cpu);
    EXPECT_EQ(proof.answer, verdict == 1 ? Answer::holds : Answer::differs) << print_proof(proof);
    EXPECT_LE(cpu, 2.0);  // other load must not decide the test
  }
}

}  // namespace
}  // namespace gatehouse::test
