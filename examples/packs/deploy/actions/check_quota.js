// Looks whether one release may go to that many regions; see check_quota.yaml.
"use strict";
const fs = require("fs");

const p = JSON.parse(fs.readFileSync(0, "utf8"));
const env = process.env;

// A line for the ledger, as in lib/step.sh; appendFileSync opens it for appending and writes once.
function note(phase) {
  if (!p.ledger) return;
  const [execution, attempt, token] = [
    env.STEADFAST_EXECUTION_ID || "-",
    env.STEADFAST_ATTEMPT || "1",
    env.STEADFAST_FENCING_TOKEN || "0",
  ];
  const now = (Date.now() / 1000).toFixed(9);
  fs.appendFileSync(p.ledger, `check_quota ${execution} ${attempt} ${token} ${now} ${phase}\n`);
}

note("start");
setTimeout(() => {
  const used = p.regions.length;
  if (used > p.max_regions) {
    process.stderr.write(`${used} regions, but the quota allows ${p.max_regions}\n`);
    note("failed");
    process.exitCode = 1;
    return;
  }
  process.stdout.write(JSON.stringify({ used, allowed: p.max_regions }) + "\n");
  note("done");
}, (p.step_seconds || 0) * 1000);
