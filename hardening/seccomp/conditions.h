// BPF for the calls whose arguments are looked at.
//
// libseccomp could be asked for these too, but version 2.5.4 miscompiles some sets of rules: with
// {a0 <= 0 and a1 == 0} and {a0 <= 1} for one call it never tries the second rule once a0 <= 0
// held and a1 == 0 did not (found by prove()). So it only decides on plain call numbers.
#pragma once

#include "hardening/profile/expression.h"
#include "hardening/seccomp/program.h"

namespace gatehouse::hardening {

// Appends: when the accumulator holds `number`, return `then` if one alternative holds and
// `otherwise` if none does; else go on behind it with the accumulator unchanged.
void emit_conditional_call(Program& program, int number, const std::vector<Conjunction>& alternatives,
                           std::uint32_t then, std::uint32_t otherwise);

}  // namespace gatehouse::hardening
