// What rules of the normal form are put together from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fwctl/model/dispatch.h"
#include "fwctl/model/origin.h"
#include "fwctl/model/ruleset.h"

namespace gatehouse::fwctl {

inline constexpr std::uint8_t kMldQuery = 130;

inline Verdict accept() {
  return {VerdictKind::accept, {}};
}
inline Verdict refuse() {
  return {VerdictKind::go_to, std::string(kRefuseChain)};
}

inline Rule rule(std::vector<Match> matches, Verdict verdict, Origin origin) {
  Rule out;
  out.matches = std::move(matches);
  out.counter = true;
  out.outcome = std::move(verdict);
  out.origin = std::move(origin);
  return out;
}
// To a chain that gives back what it does not decide. What its rules count is not counted here.
inline Rule leads(std::vector<Match> matches, const char* chain, const char* why) {
  Rule out;
  out.matches = std::move(matches);
  out.outcome = Verdict{VerdictKind::jump, chain};
  out.origin = built_in(why);
  return out;
}

inline Match is(Field field, std::uint8_t value) {
  return FieldIs{field, Value::of_u8(value)};
}
inline Match in(std::vector<Field> key, const char* set) {
  return InSet{std::move(key), set, false};
}
inline Match not_in(std::vector<Field> key, const char* set) {
  return InSet{std::move(key), set, true};
}

}  // namespace gatehouse::fwctl
