// rpc:<program>[,<version>|*[,<procedure>|*]]: a SUN RPC call (RFC 5531 9).
#include "core/bytes.h"
#include "ids/keywords/values.h"

namespace gatehouse::ids {
namespace {

class RpcCall : public Condition {
 public:
  std::uint32_t program = 0;
  std::optional<std::uint32_t> version, procedure;

  bool holds(const InspectContext& context) const override {
    const Packet& p = context.packet;
    if (!p.is_tcp() && !p.is_udp()) return false;
    core::ByteReader reader(p.payload);
    if (p.is_tcp()) reader.skip(4);  // record mark
    reader.skip(4);                  // transaction
    const std::uint32_t type = reader.u32();
    reader.skip(4);  // RPC version
    const std::uint32_t seen_program = reader.u32();
    const std::uint32_t seen_version = reader.u32();
    const std::uint32_t seen_procedure = reader.u32();
    return reader.ok() && type == 0 && seen_program == program && (!version || *version == seen_version) &&
           (!procedure || *procedure == seen_procedure);
  }
};

void apply(RuleBuilder& builder, const lang::RuleOption& option) {
  const auto parts = split(option.value, ',');
  if (parts.size() > 3) {
    builder.error(option, "rpc-syntax", "rpc has at most three parts").hint =
        "rpc:<program>,[<version>|*],[<procedure>|*];";
    return;
  }
  auto call = std::make_unique<RpcCall>();
  std::int64_t number = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i].text == "*") continue;
    if (!parse_bounded(builder, option, parts[i], 0, 0xffff'ffff, number)) return;
    const auto value = static_cast<std::uint32_t>(number);
    if (i == 0) call->program = value;
    if (i == 1) call->version = value;
    if (i == 2) call->procedure = value;
  }
  builder.add_condition(std::move(call));
}

constexpr KeywordDescriptor kKeywords[] = {
    {"rpc", ValueNeed::required, "a SUN RPC call: program, version, procedure", apply},
};

}  // namespace

std::span<const KeywordDescriptor> keyword_family_rpc() {
  return kKeywords;
}

}  // namespace gatehouse::ids
