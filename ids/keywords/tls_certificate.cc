// Certificates: how long they hold, and the keywords from before there were buffers.
#include <ctime>

#include "ids/keywords/values.h"
#include "ids/parsers/tls_transaction.h"

namespace gatehouse::ids {
namespace {

constexpr std::string_view kTls[] = {"tls"};

const TlsCertificate& certificate(const InspectContext& context) {
  return static_cast<const TlsTransaction&>(*context.tx).certificate[index(context.direction)];
}

// ---- tls.subject, tls.issuerdn, tls.fingerprint: "..." or !"..."

void add_text(RuleBuilder& builder, const lang::RuleOption& option, std::string_view buffer,
              bool whole_text) {
  Quoted text;
  if (!builder.require_protocols(kTls, option) || !parse_quoted(builder, option, true, text)) return;
  BufferOp op;
  op.content.pattern = text.text;
  op.content.negated = text.negated;
  op.content.nocase = whole_text;
  op.content.startswith = op.content.endswith = whole_text;
  op.content.where = option.value_at;
  if (op.content.pattern.empty()) {
    builder.error(option, "content-empty", "an empty text matches nothing");
    return;
  }
  // A list of its own: it has no part in the positions of other contents.
  builder.rule.buffers.emplace_back();
  builder.rule.buffers.back().buffer = find_buffer(buffer)->id;
  builder.rule.buffers.back().ops.push_back(std::move(op));
  builder.header_like = false;
}

void apply_subject(RuleBuilder& builder, const lang::RuleOption& option) {
  add_text(builder, option, "tls.cert_subject", false);
}
void apply_issuer(RuleBuilder& builder, const lang::RuleOption& option) {
  add_text(builder, option, "tls.cert_issuer", false);
}
void apply_fingerprint(RuleBuilder& builder, const lang::RuleOption& option) {
  constexpr std::size_t kLength = 20 * 3 - 1;
  Quoted text;
  if (!parse_quoted(builder, option, true, text)) return;
  if (text.text.size() != kLength) {
    builder.error(option, "tls-fingerprint", "this is no SHA-1 fingerprint").hint =
        "20 bytes in hex with colons between them";
    return;
  }
  add_text(builder, option, "tls.cert_fingerprint", true);
}

// ---- dates

// Two digits at `at`, within bounds; -1: there are none.
int two_digits(std::string_view text, std::size_t at, int smallest, int largest) {
  if (at + 2 > text.size() || text[at] < '0' || text[at] > '9' || text[at + 1] < '0' || text[at + 1] > '9')
    return -1;
  const int value = (text[at] - '0') * 10 + (text[at + 1] - '0');
  return value >= smallest && value <= largest ? value : -1;
}

// 2015, 2015-10, 2015-10-22, 2015-10-22 23 or 2015-10-22T23, ...:59, ...:59; or seconds since 1970.
std::optional<std::int64_t> parse_date(std::string_view text) {
  constexpr std::size_t kYear = 4;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits && text.size() > kYear) return parse_number(text);
  const int century = two_digits(text, 0, 0, 99), year = two_digits(text, 2, 0, 99);
  if (century < 0 || year < 0) return std::nullopt;
  tm parts{};
  parts.tm_year = century * 100 + year - 1900;
  parts.tm_mday = 1;
  struct Field {
    std::string_view separators;
    int smallest, largest;
    int tm::*member;
  };
  constexpr Field kFields[] = {{"-", 1, 12, &tm::tm_mon},
                               {"-", 1, 31, &tm::tm_mday},
                               {" T", 0, 23, &tm::tm_hour},
                               {":", 0, 59, &tm::tm_min},
                               {":", 0, 60, &tm::tm_sec}};
  std::size_t at = kYear;
  for (const Field& field : kFields) {
    if (at == text.size()) break;
    if (field.separators.find(text[at]) == std::string_view::npos) return std::nullopt;
    const int value = two_digits(text, at + 1, field.smallest, field.largest);
    if (value < 0) return std::nullopt;
    parts.*field.member = field.member == &tm::tm_mon ? value - 1 : value;
    at += 3;
  }
  if (at != text.size()) return std::nullopt;
  return timegm(&parts);
}

using CertificateDate = std::int64_t TlsCertificate::*;

class DateTest : public Condition {
 public:
  enum class Op : std::uint8_t { equal, less, greater, between };
  DateTest(CertificateDate date, Op op, std::int64_t first, std::int64_t second)
      : date_(date), op_(op), first_(first), second_(second) {}
  bool holds(const InspectContext& context) const override {
    if (context.tx == nullptr || !certificate(context).parsed) return false;
    const std::int64_t value = certificate(context).*date_;
    switch (op_) {
      case Op::equal:
        return value == first_;
      case Op::less:
        return value < first_;
      case Op::greater:
        return value > first_;
      case Op::between:
        return value > first_ && value < second_;
    }
    return false;
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  CertificateDate date_;
  Op op_;
  std::int64_t first_, second_;
};

void apply_date(RuleBuilder& builder, const lang::RuleOption& option, CertificateDate date) {
  if (!builder.require_protocols(kTls, option)) return;
  Part first = trim(whole(option)), second;
  auto op = DateTest::Op::equal;
  const std::size_t range = first.text.find("<>");
  if (range != std::string_view::npos) {
    op = DateTest::Op::between;
    second = trim({first.text.substr(range + 2), first.at + range + 2});
    first = trim({first.text.substr(0, range), first.at});
  } else if (first.text.starts_with('<') || first.text.starts_with('>')) {
    op = first.text[0] == '<' ? DateTest::Op::less : DateTest::Op::greater;
    first = trim({first.text.substr(1), first.at + 1});
  }
  std::int64_t dates[2] = {};
  const Part parts[] = {first, second};
  for (std::size_t i = 0; i < (op == DateTest::Op::between ? 2 : 1); ++i) {
    const auto parsed = parse_date(parts[i].text);
    if (!parsed) {
      builder.error_at(option, parts[i].at, parts[i].text.size(), "tls-date", "this is no date").hint =
          "2015, 2015-10-22, 2015-10-22T23:59:59 or seconds since 1970";
      return;
    }
    dates[i] = *parsed;
  }
  if (op == DateTest::Op::between && dates[0] >= dates[1]) {
    builder.error(option, "range-order", "the first date is not before the second");
    return;
  }
  builder.add_condition(std::make_unique<DateTest>(date, op, dates[0], dates[1]));
}

void apply_not_before(RuleBuilder& builder, const lang::RuleOption& option) {
  apply_date(builder, option, &TlsCertificate::not_before_s);
}
void apply_not_after(RuleBuilder& builder, const lang::RuleOption& option) {
  apply_date(builder, option, &TlsCertificate::not_after_s);
}

// By the clock of the packet.
class ValidNow : public Condition {
 public:
  explicit ValidNow(bool expired) : expired_(expired) {}
  bool holds(const InspectContext& context) const override {
    if (context.tx == nullptr || !certificate(context).parsed) return false;
    const TlsCertificate& c = certificate(context);
    const std::int64_t now_s = context.packet.time_us / 1'000'000;
    return expired_ ? c.not_after_s < now_s : c.not_before_s <= now_s && now_s <= c.not_after_s;
  }
  bool needs_packet() const override { return false; }
  bool needs_transaction() const override { return true; }

 private:
  bool expired_;
};

template <bool Expired>
void apply_valid(RuleBuilder& builder, const lang::RuleOption& option) {
  if (builder.require_protocols(kTls, option)) builder.add_condition(std::make_unique<ValidNow>(Expired));
}

void apply_store(RuleBuilder& builder, const lang::RuleOption& option) {
  builder.error_name(option, "keyword-unsupported", "this version stores no certificates");
}

constexpr KeywordDescriptor kKeywords[] = {
    {"tls.subject", ValueNeed::required, "text in the subject of the certificate", apply_subject},
    {"tls.issuerdn", ValueNeed::required, "text in the issuer of the certificate", apply_issuer},
    {"tls.fingerprint", ValueNeed::required, "SHA-1 of the certificate", apply_fingerprint},
    {"tls_cert_notbefore", ValueNeed::required, "from when the certificate holds", apply_not_before},
    {"tls_cert_notafter", ValueNeed::required, "until when the certificate holds", apply_not_after},
    {"tls_cert_valid", ValueNeed::none, "the certificate holds now", apply_valid<false>},
    {"tls_cert_expired", ValueNeed::none, "the certificate has expired", apply_valid<true>},
    {"tls.store", ValueNeed::none, "not supported: store the certificates", apply_store},
    {"tls_store", ValueNeed::none, "not supported: store the certificates", apply_store},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_tls_certificate() {
  return kKeywords;
}

}  // namespace gatehouse::ids
