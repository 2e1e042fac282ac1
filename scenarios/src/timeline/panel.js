// What stands beside the canvas, and what the keys and the mouse do.

const by = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...inside) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
};
const dot = (name) => { const made = make("i", { class: "dot" }); made.style.background = "var(--" + name + ")"; return made; };

function head() {
  const failed = run.laws.length > 0;
  by("verdict").textContent = failed ? "FAILED" : "HELD";
  by("verdict").classList.toggle("failed", failed);
  document.querySelector("h1").textContent = run.scenario + " · seed " + run.seed;
  const facts = [size.toLocaleString("en") + " events", clock(LAST_TIME), faultSteps.length + " faults"];
  if (run.planted) facts.push("planted " + run.planted);
  by("facts").textContent = [...facts, ...run.plan, "hash " + run.hash].join("  ·  ");
  for (const law of run.laws) {
    const card = make("div", { class: "law", "data-law": law.name, "data-step": law.step },
      make("div", {}, make("b", {}, (law.code ? law.code + " " : "") + law.name), " fell at step " + law.step + ", " + clock(law.at)),
      make("div", { class: "said" }, law.statement),
      make("div", { class: "instead" }, "instead: " + law.detail));
    card.onclick = () => goTo(Math.min(law.step, size - 1));
    by("laws").append(card);
  }
  for (const [nth, lane] of lanes.entries()) {
    const label = make("div", { class: "lane none", "data-node": lane.name }, make("i"), lane.name);
    label.style.height = lane.tall + "px";
    label.onclick = () => setFilter(focus && focus.entity === lane.name ? "" : lane.name);
    lanes[nth].label = label;
    by("lanes").append(label);
  }
  const legend = [["accent", "action runs"], ["green-soft", "lease"], ["violet", "message"], ["teal", "status changes"], ["red", "fault"],
    ["down", "process is dead"], ["paused", "stands still"], ["amber", "cut off, lost, rolled back"]];
  for (const [name, text] of legend) {
    const mark = make("i"); mark.style.background = "var(--" + name + ")";
    by("legend").append(make("span", {}, mark, text));
  }
  by("slider").max = Math.max(0, size - 1);
}

const cell = (text, name) => make("td", name ? { class: name } : {}, text);
function showState() {
  const state = stateAt(now), time = size ? at[now] : 0;
  const counts = new Map();
  for (const { status } of state.executions.values()) counts.set(status, (counts.get(status) || 0) + 1);
  by("counts").replaceChildren(...[...counts].sort((a, b) => a[0] - b[0]).map(([status, count]) => {
    const name = run.statuses[status];
    return make("span", { class: "chip", "data-status": name, "data-count": count }, dot(STATUS_COLOR[name]), count + " " + name);
  }), make("span", { class: "chip" }, "messages: " + state.messages[0] + " sent, " + state.messages[1] + " delivered, " + state.messages[2] + " lost"));
  const holding = new Map();
  for (const [id, { status, lane }] of state.executions) {
    if (lane === null || !HOLDS.has(run.statuses[status])) continue;
    if (!holding.has(lane)) holding.set(lane, []);
    holding.get(lane).push("ex-" + id);
  }
  by("workers").replaceChildren(...lanes.flatMap((lane, nth) => {
    const is = (state.nodes.get(nth) || { is: "none" }).is;
    lane.label.className = "lane " + is;
    if (!lane.isWorker) return [];
    const row = state.workers.get(nth);
    const word = row ? run.words.worker_state[row.state] : "unknown";
    const left = row ? Math.round((row.lease - time) / 1e6) : 0;
    const lease = !row || row.state === 2 || row.state === 4 ? "" : left >= 0 ? "lease " + left + " ms" : "lease over for " + -left + " ms";
    return [make("tr", { "data-worker": lane.name, "data-is": is, "data-state": word },
      cell(lane.name, "id"), cell(is), cell(word), cell(lease, "num"), cell((holding.get(nth) || []).join(" "), "wide"))];
  }));
  const queues = [...queuesOf(state)].filter(([, queue]) => queue.held.length + queue.waiting > 0).sort();
  by("queues").replaceChildren(...queues.map(([name, queue]) => make("tr", { "data-queue": name, "data-held": queue.held.length, "data-waiting": queue.waiting },
    cell(name, "id"), cell(queue.held.length + " in slots", "num"), cell(queue.waiting + " waiting", "num"), cell(queue.held.map((id) => "ex-" + id).join(" "), "wide"))));
  const order = ([a, x], [b, y]) => (TERMINAL.has(run.statuses[x.status]) - TERMINAL.has(run.statuses[y.status])) || a - b;
  by("executions").replaceChildren(...[...state.executions].sort(order).slice(0, SHOWN).map(([id, execution]) => {
    const status = run.statuses[execution.status], subject = run.subjects[id] || ["?", "?", null];
    const where = execution.lane !== null && HOLDS.has(status) ? "on " + run.nodes[execution.lane] : "";
    const row = make("tr", { "data-execution": "ex-" + id, "data-status": status, class: state.last === id ? "changed" : "" },
      cell("ex-" + id, "id"), cell(subject[0]), make("td", {}, dot(STATUS_COLOR[status]), status),
      cell("#" + execution.attempt, "num"), cell([where, subject[2] ? "of ex-" + subject[2] : ""].join(" "), "wide"));
    row.firstChild.onclick = () => setFilter("ex-" + id);
    return row;
  }), ...more(state.executions.size - SHOWN));
}
// More than a person reads would only make each step slow.
const SHOWN = 400;
const more = (count) => (count > 0 ? [make("tr", {}, cell("and " + count + " more", "wide"))] : []);

// The table holds as many rows as can be seen.
const ROW = 20;
let listed = null;
const rowsInList = () => (listed ? listed.length : size);
function placeOf(step) {
  if (!listed) return step;
  let low = 0, high = listed.length;
  while (low < high) { const mid = (low + high) >> 1; if (listed[mid] < step) low = mid + 1; else high = mid; }
  return low;
}
function showLog() {
  const box = by("log"), first = Math.max(0, Math.floor(box.scrollTop / ROW) - 5);
  const last = Math.min(rowsInList(), first + Math.ceil(box.clientHeight / ROW) + 10);
  const made = [];
  for (let nth = first; nth < last; nth++) {
    const step = listed ? listed[nth] : nth, name = run.kinds[kind[step]].name;
    const what = FAULT_KINDS.has(kind[step]) ? "fault" : name === "execution" ? "status" : "";
    const row = make("div", { class: "row" + (step === now ? " now" : step > now ? " later" : "") + (step === FELL ? " fell" : ""), "data-step": step },
      make("span", { class: "n" }, String(step)), make("span", { class: "t" }, clock(at[step])),
      make("span", { class: "w" }, run.nodes[node[step]]), make("span", { class: what }, told(step)));
    row.style.top = nth * ROW + "px";
    row.onclick = () => goTo(step);
    made.push(row);
  }
  by("log-inner").replaceChildren(...made);
}
function scrollToNow() {
  by("log-inner").style.height = (rowsInList() + 2) * ROW + "px";
  const box = by("log"), top = placeOf(now) * ROW;
  if (top < box.scrollTop + ROW || top > box.scrollTop + box.clientHeight - 3 * ROW) box.scrollTop = Math.max(0, top - box.clientHeight / 2);
}

function goTo(step) {
  if (!size) return;
  now = Math.max(0, Math.min(size - 1, step));
  by("slider").value = now;
  by("where").textContent = "step " + now + " of " + (size - 1) + "   " + clock(at[now]);
  document.body.dataset.step = now;
  reveal(now); showState(); scrollToNow(); showLog(); drawSoon();
}
function move(by_) {
  if (!listed) return goTo(now + by_);
  const here = placeOf(now), exact = listed[here] === now;
  const next = by_ > 0 ? here + (exact ? by_ : by_ - 1) : here + by_;
  if (listed.length) goTo(listed[Math.max(0, Math.min(listed.length - 1, next))]);
}
function moveToFault(forward) {
  const next = forward ? faultSteps.find((step) => step > now) : [...faultSteps].reverse().find((step) => step < now);
  if (next !== undefined) goTo(next);
}
function setFilter(text) {
  const entity = text.trim();
  if (by("filter").value !== text) by("filter").value = text;
  focus = entity ? { entity, ...about(entity) } : null;
  listed = null;
  if (focus && focus.count) { listed = []; for (let step = 0; step < size; step++) if (focus.found[step]) listed.push(step); }
  by("matches").textContent = focus ? focus.count + " events" : "";
  by("matches").classList.toggle("none", Boolean(focus) && !focus.count);
  document.body.dataset.matches = focus ? focus.count : "";
  scrollToNow(); showLog(); drawSoon();
}

function listen() {
  const click = (id, act) => { by(id).onclick = act; };
  click("first", () => goTo(0)); click("end", () => goTo(size - 1));
  click("back", () => move(-1)); click("forth", () => move(1));
  click("fault-back", () => moveToFault(false)); click("fault-forth", () => moveToFault(true));
  click("fall", () => goTo(FELL >= 0 ? FELL : size - 1));
  click("in", () => zoom(.5, x(at[now]))); click("out", () => zoom(2, x(at[now]))); click("fit", fitAll);
  by("slider").oninput = () => goTo(Number(by("slider").value));
  by("filter").oninput = () => setFilter(by("filter").value);
  by("log").onscroll = showLog;
  window.onresize = () => { drawSoon(); showLog(); };
  window.onhashchange = fromAddress;
  window.matchMedia("(prefers-color-scheme: dark)").onchange = () => { readColors(); drawSoon(); };
  window.onkeydown = (event) => {
    if (event.target === by("filter") && event.key !== "Escape") return;
    const keys = {
      ArrowRight: () => (event.shiftKey ? moveToFault(true) : move(1)), ArrowLeft: () => (event.shiftKey ? moveToFault(false) : move(-1)),
      Home: () => goTo(0), End: () => goTo(size - 1), f: () => goTo(FELL >= 0 ? FELL : size - 1),
      "+": () => zoom(.5, x(at[now])), "-": () => zoom(2, x(at[now])), 0: fitAll, Escape: () => { setFilter(""); by("filter").blur(); },
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  };
  canvas.onwheel = (event) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const span = view.to - view.from;
      show(view.from + ((event.deltaX || event.deltaY) / width) * span, span);
    } else zoom(Math.exp(event.deltaY * .0015), event.offsetX);
  };
  let grip = null;
  canvas.onpointerdown = (event) => { grip = { px: event.offsetX, from: view.from, moved: false }; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointerup = (event) => { if (grip && !grip.moved) goTo(nearest(event.offsetX, event.offsetY)); grip = null; };
  canvas.onpointermove = (event) => {
    if (grip) {
      const span = view.to - view.from, by_ = event.offsetX - grip.px;
      grip.moved = grip.moved || Math.abs(by_) > 3;
      if (grip.moved) show(grip.from - (by_ / width) * span, span);
      return;
    }
    const step = nearest(event.offsetX, event.offsetY), tip = by("tip");
    if (!size) return;
    tip.hidden = false; tip.textContent = step + "  " + clock(at[step]) + "  " + run.nodes[node[step]] + "\n" + told(step);
    tip.style.left = Math.min(event.offsetX + GUTTER + 14, stage.clientWidth - 330) + "px";
    tip.style.top = Math.max(2, event.offsetY - 46) + "px";
  };
  canvas.onpointerleave = () => { by("tip").hidden = true; };
}

// The address may say where to look: #step=12&only=ex-7
function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.has("only")) setFilter(wanted.get("only"));
  if (wanted.has("span")) { const span = Number(wanted.get("span")) * 1e6; show(at[now] - span / 2, span); }
  goTo(wanted.has("step") ? Number(wanted.get("step")) : FELL >= 0 ? FELL : size - 1);
  if (wanted.has("span")) { const span = Number(wanted.get("span")) * 1e6; show(at[now] - span / 2, span); }
}

readColors(); head(); listen(); fitAll(); fromAddress(); draw();
document.body.dataset.ready = "yes";
document.body.dataset.lanes = lanes.length;
document.body.dataset.took = Math.round(performance.now());
