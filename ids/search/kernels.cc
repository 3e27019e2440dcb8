#include "ids/search/kernels.h"

#include <vector>

namespace gatehouse::ids {
namespace {

std::vector<SearchKernels> find_runnable() {
  std::vector<SearchKernels> kernels{kPortableKernels};
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) kernels.push_back(kAvx2Kernels);
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi"))
    kernels.push_back(kAvx512Kernels);
#endif
  return kernels;
}

}  // namespace

std::span<const SearchKernels> runnable_kernels() {
  static const std::vector<SearchKernels> kernels = find_runnable();
  return kernels;
}

const SearchKernels& best_kernels() {
  return runnable_kernels().back();
}

}  // namespace gatehouse::ids
