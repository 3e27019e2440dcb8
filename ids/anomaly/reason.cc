#include "ids/anomaly/reason.h"

#include <iterator>

namespace gatehouse::ids::anomaly {
namespace {

struct Words {
  std::string_view reason, prevention;
};

// In the order of Verdict.
constexpr Words kScan = {
    "distinct ports of one host refused or ignored the source, which asked no second time",
    "contacts that complete there, SYNs that are repeated as kernels do, or fewer dead ports"};
constexpr Words kWide = {"distinct hosts refused or ignored the source and hardly any accepted it",
                         "more than one success for four failures, or SYNs that are repeated as kernels do"};
constexpr Words kProbe = {
    "the source sent packets that belong to no connection and no stack sends, port after port",
    "nothing benign sends such packets; an exception for a known tester"};
constexpr Words kReflection = {
    "answers of a service that amplifies reached a host that had not asked",
    "a query by the host to that server within the life of a flow, or an answer by the host"};
constexpr Words kUnasked = {
    "packets that belong to nothing the host takes part in reached it faster than any benign host gets them",
    "answers by the host, or a lower rate"};
constexpr Words kSlow = {"connections stand open at the server while their clients keep it waiting",
                         "requests that end, data that flows, or fewer connections of one client"};
constexpr Words kWords[] = {
    kScan,
    kWide,
    kWide,
    {"over a long time nearly every contact of the source failed, each at another host or port",
     "one success for nine failures"},
    {"several sources asked for dead ports of one host, each for some of them",
     "ports that ever answered, or one source having half of them"},
    kProbe,
    kProbe,
    kProbe,
    {"port after port refused the source's acknowledgements of nothing",
     "connections these packets belong to"},
    kScan,
    {"the host refused the source's datagrams port after port", "answers, or the same few ports"},
    {"the source asked for hosts that are not there, one after the other",
     "knowing which hosts live: more than half answering"},
    {"the source tried IP protocols nobody speaks", "fewer than six of them"},
    {"one client said first words of many protocols to the same open ports",
     "one protocol a port, as clients speak, or the same ones repeated"},
    {"three or more sources asked for the same dead ports of one host within seconds: one is real, the "
     "others forged",
     "ports that ever answered, or different ports"},
    {"handshakes were begun and not completed, more than is usual here, and not repeated as clients of a "
     "dead server do",
     "completions, repeated SYNs, or a server whose clients are as many as ever"},
    kUnasked,
    {"echo requests reached one host at a rate no monitor uses", "a lower rate"},
    kUnasked,
    kUnasked,
    {"first fragments came and the rest never did", "datagrams that become whole"},
    {"unasked packets are spread over a network so that no host gets many",
     "answers, or one host having most of it"},
    kReflection,
    kReflection,
    kReflection,
    kReflection,
    kReflection,
    {"one page was asked for again and again with nothing a page needs",
     "different pages, or fewer than twenty a second of each client"},
    {"names below one domain that do not exist were asked for, nearly each another",
     "names that exist, or are repeated"},
    kSlow,
    kSlow,
    kSlow,
    kSlow,
    {"one client opened streams and cancelled them at once, by the hundred",
     "requests that are waited for, or fewer than a hundred cancelled in a second"},
    {"one client sent header blocks in frame after frame", "headers that fit into a few frames"},
    {"TLS handshakes were begun and hardly any was completed", "clients that go on after the server's hello"},
    {"one client changed the keys of a connection again and again", "connections that keep their keys"},
    {"a server of ours gave one address the same large answer to small questions again and again",
     "answers that differ, smaller ones, or a limit on the rate of the server's answers"},
    {"connection after connection ended before a session began",
     "sessions that open, or fewer than ten a minute"},
    {"request after request was refused for want of a password",
     "requests that are let in, or fewer than ten a minute"},
    {"login after login was refused by the mail server",
     "logins that are granted, or fewer than ten a minute"},
    {"clients repeat their SYNs and none is answered: the server is dead, nobody attacks", "an answer"},
    {"inside hosts repeat their SYNs to many outside and none is answered", "an answer"},
};
static_assert(std::size(kWords) == static_cast<std::size_t>(Verdict::count_));

}  // namespace

std::string_view reason_of(Verdict verdict) {
  return kWords[static_cast<std::size_t>(verdict)].reason;
}
std::string_view prevention_of(Verdict verdict) {
  return kWords[static_cast<std::size_t>(verdict)].prevention;
}

}  // namespace gatehouse::ids::anomaly
