// Classes of alerts: the short names rules use, the text and priority that alerts carry.
#include <charconv>

#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

struct ClassRow {
  std::string_view name, description;
  std::uint8_t priority;
};

// Names and texts are an interface: consumers of alerts match on `alert.category`.
constexpr ClassRow kClasses[] = {
    {"not-suspicious", "Not Suspicious Traffic", 3},
    {"unknown", "Unknown Traffic", 3},
    {"bad-unknown", "Potentially Bad Traffic", 2},
    {"attempted-recon", "Attempted Information Leak", 2},
    {"successful-recon-limited", "Information Leak", 2},
    {"successful-recon-largescale", "Large Scale Information Leak", 2},
    {"attempted-dos", "Attempted Denial of Service", 2},
    {"successful-dos", "Denial of Service", 2},
    {"attempted-user", "Attempted User Privilege Gain", 1},
    {"unsuccessful-user", "Unsuccessful User Privilege Gain", 1},
    {"successful-user", "Successful User Privilege Gain", 1},
    {"attempted-admin", "Attempted Administrator Privilege Gain", 1},
    {"successful-admin", "Successful Administrator Privilege Gain", 1},
    {"rpc-portmap-decode", "Decode of an RPC Query", 2},
    {"shellcode-detect", "Executable code was detected", 1},
    {"string-detect", "A suspicious string was detected", 3},
    {"suspicious-filename-detect", "A suspicious filename was detected", 2},
    {"suspicious-login", "An attempted login using a suspicious username was detected", 2},
    {"system-call-detect", "A system call was detected", 2},
    {"tcp-connection", "A TCP connection was detected", 4},
    {"trojan-activity", "A Network Trojan was detected", 1},
    {"unusual-client-port-connection", "A client was using an unusual port", 2},
    {"network-scan", "Detection of a Network Scan", 3},
    {"denial-of-service", "Detection of a Denial of Service Attack", 2},
    {"non-standard-protocol", "Detection of a non-standard protocol or event", 2},
    {"protocol-command-decode", "Generic Protocol Command Decode", 3},
    {"web-application-activity", "access to a potentially vulnerable web application", 2},
    {"web-application-attack", "Web Application Attack", 1},
    {"misc-activity", "Misc activity", 3},
    {"misc-attack", "Misc Attack", 2},
    {"icmp-event", "Generic ICMP event", 3},
    {"inappropriate-content", "Inappropriate Content was Detected", 1},
    {"policy-violation", "Potential Corporate Privacy Violation", 1},
    {"default-login-attempt", "Attempt to login by a default username and password", 2},
    {"targeted-activity", "Targeted Malicious Activity was Detected", 1},
    {"exploit-kit", "Exploit Kit Activity Detected", 1},
    {"external-ip-check", "Device Retrieving External IP Address Detected", 2},
    {"domain-c2", "Domain Observed Used for C2 Detected", 1},
    {"pup-activity", "Possibly Unwanted Program Detected", 2},
    {"credential-theft", "Successful Credential Theft Detected", 1},
    {"social-engineering", "Possible Social Engineering Attempted", 2},
    {"coin-mining", "Crypto Currency Mining Activity Detected", 2},
    {"command-and-control", "Malware Command and Control Activity Detected", 1},
};

constexpr std::string_view kPrefix = "config classification:";

}  // namespace

RuleEnvironment::Classifications default_classifications() {
  RuleEnvironment::Classifications out;
  for (const ClassRow& row : kClasses) {
    out.emplace(row.name, RuleEnvironment::Classification{std::string(row.description), row.priority});
  }
  return out;
}

bool parse_classifications(const core::SourceText& source, RuleEnvironment& environment,
                           core::Diagnostics& diagnostics) {
  const std::size_t errors_before = diagnostics.error_count();
  std::size_t start = 0;
  const std::string_view text = source.text();
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::string_view line = text.substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const Part part = trim({line, start});
    start = end + 1;
    if (part.text.empty() || part.text.starts_with('#')) continue;
    const auto bad = [&](std::size_t at, std::string message) {
      diagnostics.error("classification-syntax", source.position(at), std::move(message)).hint =
          "config classification: <name>,<description>,<priority>";
    };
    if (!part.text.starts_with(kPrefix)) {
      bad(part.at, "this is no classification");
      continue;
    }
    const std::string_view body = part.text.substr(kPrefix.size());
    const std::size_t body_at = part.at + kPrefix.size();
    const std::size_t first = body.find(',');
    const std::size_t last = body.rfind(',');
    if (first == std::string_view::npos || first == last) {
      bad(body_at, "a classification has three parts");
      continue;
    }
    const Part name = trim({body.substr(0, first), body_at});
    const Part description = trim({body.substr(first + 1, last - first - 1), body_at + first + 1});
    const Part priority = trim({body.substr(last + 1), body_at + last + 1});
    const auto number = parse_number(priority.text);
    if (name.text.empty()) {
      bad(body_at, "the name of the class is missing");
    } else if (!number || *number < 1 || *number > 255) {
      bad(priority.at, "the priority must be a number from 1 to 255");
    } else {
      environment.classifications.insert_or_assign(
          std::string(name.text),
          RuleEnvironment::Classification{std::string(description.text), static_cast<std::uint8_t>(*number)});
    }
  }
  diagnostics.attach(source);
  return diagnostics.error_count() == errors_before;
}

}  // namespace gatehouse::ids
