// Compiles contracts/ with the compiler pinned in package-lock.json; nothing is downloaded.
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");

const { version } = require("solc/package.json");

subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => ({
  compilerPath: require.resolve("solc/soljson.js"),
  isSolcJs: true,
  version,
  longVersion: require("solc").version().replace(".Emscripten.clang", ""),
}));

module.exports = {
  solidity: {
    version,
    settings: {
      evmVersion: "cancun",
      viaIR: true,
      optimizer: { enabled: true, runs: 1_000_000 },
    },
  },
  networks: { hardhat: { hardfork: "cancun" } },
  paths: { sources: "contracts", artifacts: ".hardhat/artifacts", cache: ".hardhat/cache" },
};
