#!/usr/bin/env node
// The Solidity compiler from the npm package `solc` (WebAssembly), behaving like the native `solc` as far as
// py-solc-x and Ape use it: `--version`, and standard JSON from stdin to stdout. The package's own `solcjs` prints a
// notice on stdout that breaks the JSON. Used only where no native compiler can be had (see compiler.py).
"use strict";

const fs = require("node:fs");

function loadCompiler() {
  // soljson.js listens for uncaught exceptions and would dump its whole source with the trace.
  const compiler = require("solc");
  process.removeAllListeners("uncaughtException");
  process.removeAllListeners("unhandledRejection");
  return compiler;
}

function main(args) {
  if (args.includes("--version")) {
    process.stdout.write(
      `solc, the solidity compiler commandline interface\nVersion: ${loadCompiler().version()}\n`,
    );
    return 0;
  }
  if (!args.includes("--standard-json")) {
    process.stderr.write("solc.cjs: only --version and --standard-json are supported\n");
    return 1;
  }
  const input = fs.readFileSync(0, "utf8");
  fs.writeSync(1, loadCompiler().compile(input) + "\n");
  return 0;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  const missing = error.code === "MODULE_NOT_FOUND";
  process.stderr.write(`solc.cjs: ${missing ? "npm package solc is missing: run `make setup`" : error.message}\n`);
  process.exitCode = 1;
}
