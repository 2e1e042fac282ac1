"use strict";
// What happened, and what it adds up to at a step. Nothing here draws.

const run = JSON.parse(document.getElementById("run").textContent);
const kindOf = Object.fromEntries(run.kinds.map((kind, at) => [kind.name, at]));
const size = run.size;
const at = new Float64Array(size), node = new Uint16Array(size), kind = new Uint8Array(size);
const words = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
const HOLDS = new Set(run.holds), TERMINAL = new Set(run.terminal);

(function decode() {
  const flat = run.events;
  let time = 0, from = 0;
  for (let step = 0; step < size; step++) {
    time += flat[from++];
    at[step] = time; node[step] = flat[from++]; kind[step] = flat[from++];
    const fields = run.kinds[kind[step]].fields.length;
    for (let nth = 0; nth < fields; nth++) words[nth][step] = flat[from++];
  }
  run.events = null;
})();
const LAST_TIME = Math.max(size ? at[size - 1] : 0, 1);
const FELL = run.laws.length ? Math.min(run.laws[0].step, size - 1) : -1;

function clock(ns) {
  const minutes = Math.floor(ns / 6e10), rest = Math.floor((ns - minutes * 6e10) / 1e6) / 1e3;
  return "t+" + String(minutes).padStart(2, "0") + ":" + rest.toFixed(3).padStart(6, "0");
}
function wordOf(field, word) {
  if (field === "execution" || (field === "about" && word)) return "ex-" + word;
  if (field === "tx" || field === "holder") return (field === "holder" ? "held by " : "") + "tx-" + word;
  if (field === "message") return "msg-" + word;
  if (field === "lease_until") return "lease until " + clock(word);
  const table = run.words[field];
  return table && table[word] !== undefined ? table[word] : field + "=" + word;
}
function told(step) {
  const sort = run.kinds[kind[step]];
  return sort.name + sort.fields.map((field, nth) => " " + wordOf(field, words[nth][step])).join("");
}

// Faults are the events of these kinds; everything else that befalls the world shows as well.
const FAULT_KINDS = new Set(["killed", "paused", "cut", "struck", "clock_set"].map((name) => kindOf[name]));
const healed = (() => {
  for (let step = 0; step < size; step++) if (kind[step] === kindOf.second_act) return at[step];
  return Infinity;
})();
const faultSteps = [];
for (let step = 0; step < size; step++) {
  const isMend = kind[step] === kindOf.clock_set && words[0][step] === 0;
  if (FAULT_KINDS.has(kind[step]) && at[step] < healed && !isMend) faultSteps.push(step);
}

// Folding. A state is small; one is kept now and then, so that any step is near one.
const EVERY = Math.max(1000, Math.ceil(size / 25));
const kept = [];
function blank() {
  return { executions: new Map(), workers: new Map(), nodes: new Map(), messages: [0, 0, 0, 0], last: null };
}
function copy(state) {
  const clone = (map) => new Map([...map].map(([key, value]) => [key, { ...value }]));
  return {
    executions: clone(state.executions), workers: clone(state.workers), nodes: clone(state.nodes),
    messages: [...state.messages], last: state.last,
  };
}
function fold(state, step) {
  const [one, two, three] = [words[0][step], words[1][step], words[2][step]];
  const here = node[step];
  state.last = null;
  switch (kind[step]) {
    case kindOf.execution: {
      const lane = run.nodes[here].startsWith("worker") ? here : null;
      state.executions.set(one, { status: two, attempt: three, lane, since: at[step] });
      state.last = one;
      break;
    }
    case kindOf.worker: state.workers.set(here, { incarnation: one, state: two, lease: three }); break;
    case kindOf.started: case kindOf.restarted: case kindOf.resumed: case kindOf.healed: {
      const before = state.nodes.get(here) || { is: "up" };
      const stays = kind[step] === kindOf.healed && before.is !== "cut";
      state.nodes.set(here, stays ? before : { is: "up" });
      break;
    }
    case kindOf.killed: state.nodes.set(here, { is: "down" }); break;
    case kindOf.paused: state.nodes.set(here, { is: "paused" }); break;
    case kindOf.cut: state.nodes.set(here, { is: "cut" }); break;
    case kindOf.published: state.messages[0]++; break;
    case kindOf.delivered: state.messages[1]++; break;
    case kindOf.lost: state.messages[2]++; break;
    case kindOf.settled: state.messages[3]++; break;
  }
}
(function keepStates() {
  const state = blank();
  for (let step = 0; step < size; step++) {
    if (step % EVERY === 0) kept.push(copy(state));
    fold(state, step);
  }
})();
function stateAt(step) {
  const state = copy(kept[Math.floor(step / EVERY)] || blank());
  for (let nth = Math.floor(step / EVERY) * EVERY; nth <= step && nth < size; nth++) fold(state, nth);
  return state;
}
function queuesOf(state) {
  const queues = new Map();
  for (const [id, execution] of state.executions) {
    const name = run.subjects[id] ? run.subjects[id][1] : "?";
    const queue = queues.get(name) || { held: [], waiting: 0, ended: 0 };
    const status = run.statuses[execution.status];
    if (HOLDS.has(status)) queue.held.push(id);
    else if (status === "queued") queue.waiting++;
    else if (TERMINAL.has(status)) queue.ended++;
    queues.set(name, queue);
  }
  return queues;
}

// Bars and arrows, once.
const bars = [], leases = [], absences = [], arrows = [];
const rows = run.nodes.map(() => 0);
(function findBars() {
  const open = new Map(), lease = new Map(), absent = new Map(), sent = new Map(), busy = run.nodes.map(() => []);
  const endBar = (key, time) => {
    const bar = open.get(key);
    if (!bar) return;
    bar.to = time; open.delete(key); busy[bar.lane][bar.row] = undefined;
  };
  for (let step = 0; step < size; step++) {
    const [lane, time, one, two, three] = [node[step], at[step], words[0][step], words[1][step], words[2][step]];
    switch (kind[step]) {
      case kindOf.action_began: {
        let row = 0;
        while (busy[lane][row] !== undefined) row++;
        const bar = { lane, row, from: time, to: LAST_TIME, execution: one, attempt: two, step };
        busy[lane][row] = bar; rows[lane] = Math.max(rows[lane], row + 1);
        open.set(one + "/" + two, bar); bars.push(bar);
        break;
      }
      case kindOf.action_ended: endBar(one + "/" + two, time); break;
      case kindOf.worker: {
        const last = lease.get(lane);
        const live = two === 0 || two === 1 || two === 3;
        if (last && time <= last.to && last.state === two) last.to = live ? three : time;
        else {
          if (last && last.to > time) last.to = time;
          if (live) { const bar = { lane, from: time, to: three, state: two }; leases.push(bar); lease.set(lane, bar); }
          else lease.delete(lane);
        }
        break;
      }
      case kindOf.killed:
        for (const [key, bar] of open) if (bar.lane === lane) endBar(key, time);
      // falls through
      case kindOf.paused: case kindOf.cut: {
        const why = kind[step] === kindOf.killed ? "down" : kind[step] === kindOf.paused ? "paused" : "cut";
        if (absent.has(lane)) absent.get(lane).to = time;
        const bar = { lane, from: time, to: LAST_TIME, why };
        absences.push(bar); absent.set(lane, bar);
        break;
      }
      case kindOf.restarted: case kindOf.resumed: case kindOf.healed: {
        const bar = absent.get(lane);
        const mends = bar && (bar.why === "cut") === (kind[step] === kindOf.healed);
        if (mends) { bar.to = time; absent.delete(lane); }
        break;
      }
      case kindOf.published: sent.set(one, { lane, time, about: three, step }); break;
      case kindOf.delivered: {
        const from = sent.get(one);
        if (from) arrows.push({ a: from.lane, from: from.time, b: lane, to: time, message: one, about: from.about });
        break;
      }
    }
  }
})();

// What is about an entity: the same rules as `replay --only`.
const SORT_OF = { execution: "ex", about: "ex", tx: "tx", holder: "tx", message: "msg" };
function about(entity) {
  const found = new Uint8Array(size);
  const parts = /^(ex|tx|msg)-(\d+)$/.exec(entity);
  let count = 0;
  const mark = (step) => { if (!found[step]) { found[step] = 1; count++; } };
  if (!parts) {
    const lane = run.nodes.indexOf(entity);
    for (let step = 0; step < size; step++) {
      if (lane >= 0 ? node[step] === lane : told(step).includes(entity)) mark(step);
    }
    return { found, count };
  }
  const [, sort, digits] = parts;
  const number = Number(digits), messages = new Set();
  let commit = -1;
  for (let step = 0; step < size; step++) {
    const fields = run.kinds[kind[step]].fields;
    const isChange = kind[step] === kindOf.execution || kind[step] === kindOf.worker || kind[step] === kindOf.visit;
    if (kind[step] === kindOf.committed) commit = step; else if (!isChange) commit = -1;
    for (let nth = 0; nth < fields.length; nth++) {
      const of = SORT_OF[fields[nth]], word = words[nth][step];
      if (!of || !word) continue;
      if ((of === sort && word === number) || (of === "msg" && messages.has(word))) {
        mark(step);
        if (sort === "ex" && commit >= 0) mark(commit);
        if (sort === "ex" && kind[step] === kindOf.published) messages.add(words[0][step]);
      }
    }
  }
  return { found, count };
}
