// The venue's contracts for those who prefer Hardhat. Nothing is downloaded: the compiler is the npm package that
// bridge/compiler.py runs too, with the settings that both read from contracts/compiler.json.
"use strict";
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");

const compiler = require("./contracts/compiler.json");

subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => ({
  compilerPath: require.resolve("solc/soljson.js"),
  isSolcJs: true,
  version: compiler.version,
  longVersion: require("solc").version().replace(".Emscripten.clang", ""),
}));

module.exports = {
  solidity: compiler,
  networks: { hardhat: { hardfork: compiler.settings.evmVersion } },
  paths: { sources: "contracts", tests: "tests/hardhat", artifacts: ".hardhat/artifacts", cache: ".hardhat/cache" },
};
