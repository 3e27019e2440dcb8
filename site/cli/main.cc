#include "core/cli.h"
#include "site/cli/verbs.h"

int main(int argc, char** argv) {
  return gatehouse::core::run_tool(gatehouse::umbrella::gatehouse_tool(), argc, argv);
}
