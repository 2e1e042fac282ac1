// The canvas: lanes, bars, arrows, marks. Only what is in view is drawn.

const AXIS = 24, GUTTER = 118;
const canvas = document.getElementById("canvas"), pen = canvas.getContext("2d");
const stage = document.getElementById("stage");
let view = { from: 0, to: LAST_TIME }, width = 800, height = 200, now = 0, focus = null;
let color = {};

const lanes = run.nodes.map((name, nth) => {
  const isWorker = name.startsWith("worker");
  // Many at once are thin bars without names.
  const bar = rows[nth] <= 4 ? 13 : 7;
  const tall = isWorker ? 24 + Math.max(1, rows[nth]) * bar : 24;
  return { name, isWorker, bar, tall, top: 0 };
});
(function placeLanes() {
  let top = AXIS;
  for (const lane of lanes) { lane.top = top; top += lane.tall; }
  height = top;
})();

function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "faint", "line", "band", "card", "accent", "red", "green", "green-soft",
    "amber", "violet", "blue", "teal", "grey", "down", "paused"]) color[name] = style.getPropertyValue("--" + name).trim();
}
const STATUS_COLOR = {
  requested: "grey", queued: "amber", ready: "blue", offered: "blue", accepted: "blue", running: "accent",
  backoff: "amber", completed: "green", failed: "red", timed_out: "red", cancelled: "soft", abandoned: "red",
};
const TICK = run.kinds.map(({ name }) => {
  if (name === "execution") return "teal";
  if (name === "committed") return "accent";
  if (["published", "delivered", "settled"].includes(name)) return "violet";
  if (name === "lost" || name === "returned" || name === "rolled_back") return "amber";
  if (["started", "restarted", "resumed", "healed"].includes(name)) return "green";
  return "grey";
});

const x = (time) => ((time - view.from) / (view.to - view.from)) * width;
const timeAt = (px) => view.from + (px / width) * (view.to - view.from);
function firstAt(time) {
  let low = 0, high = size;
  while (low < high) { const mid = (low + high) >> 1; if (at[mid] < time) low = mid + 1; else high = mid; }
  return low;
}
const inView = (bar) => bar.to >= view.from && bar.from <= view.to;
const isDim = (step) => focus && !focus.found[step];

function rectangle(from, to, y, tall, fill, least = 1.5) {
  const left = Math.max(-4, x(from)), right = Math.min(width + 4, x(to));
  pen.fillStyle = fill;
  pen.fillRect(left, y, Math.max(least, right - left), tall);
}

function drawAxis() {
  const span = view.to - view.from;
  let gap = 1;
  while (gap * width / span < 90) gap *= String(gap)[0] === "2" ? 2.5 : 2;
  pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "middle";
  for (let time = Math.ceil(view.from / gap) * gap; time <= view.to; time += gap) {
    const px = Math.round(x(time)) + .5;
    pen.strokeStyle = color.line; pen.beginPath(); pen.moveTo(px, AXIS - 5); pen.lineTo(px, height); pen.stroke();
    pen.fillStyle = color.soft; pen.fillText(shortTime(time, gap), px + 4, 10);
  }
  if (healed < Infinity) {
    const px = x(healed);
    pen.strokeStyle = color.green; pen.setLineDash([3, 3]);
    pen.beginPath(); pen.moveTo(px, AXIS - 6); pen.lineTo(px, height); pen.stroke(); pen.setLineDash([]);
    pen.fillStyle = color.green; pen.fillText("all is healed", px + 4, AXIS - 3 - 1);
  }
}
function shortTime(ns, gap) {
  if (gap >= 1e9) return clock(ns).slice(0, -4);
  if (gap >= 1e6) return clock(ns);
  return clock(ns) + " +" + Math.round((ns % 1e6) / 1e3) + "µs";
}

function drawBars() {
  for (const bar of absences) if (inView(bar)) {
    const lane = lanes[bar.lane];
    const fill = bar.why === "down" ? color.down : bar.why === "paused" ? color.paused : null;
    if (fill) rectangle(bar.from, bar.to, lane.top, lane.tall - 1, fill, 2);
    else {
      // Cut off: it lives, and nobody hears it.
      rectangle(bar.from, bar.to, lane.top, 1.5, color.amber); rectangle(bar.from, bar.to, lane.top + lane.tall - 3, 1.5, color.amber);
    }
  }
  for (const bar of leases) if (inView(bar)) {
    const fill = bar.state === 0 ? color["green-soft"] : bar.state === 1 ? color.amber : color.blue;
    rectangle(bar.from, bar.to, lanes[bar.lane].top + 3, 4, fill);
  }
  pen.font = "10px system-ui, sans-serif"; pen.textBaseline = "middle";
  for (const bar of bars) if (inView(bar)) {
    const tall = lanes[bar.lane].bar, y = lanes[bar.lane].top + 9 + bar.row * tall;
    pen.globalAlpha = isDim(bar.step) ? .2 : 1;
    rectangle(bar.from, bar.to, y, tall - 1, color.accent, 2);
    const wide = Math.min(width, x(bar.to)) - Math.max(0, x(bar.from));
    if (wide > 40 && tall > 10) { pen.fillStyle = "#fff"; pen.fillText("ex-" + bar.execution + (bar.attempt > 1 ? " #" + bar.attempt : ""), Math.max(0, x(bar.from)) + 3, y + tall / 2); }
  }
  pen.globalAlpha = 1;
}

const middle = (lane) => lanes[lane].top + lanes[lane].tall - 7;
function drawArrows() {
  const wanted = focus && focus.entity.startsWith("ex-") ? Number(focus.entity.slice(3)) : null;
  const single = focus && focus.entity.startsWith("msg-") ? Number(focus.entity.slice(4)) : null;
  const seen = arrows.filter((arrow) => inView(arrow) && (wanted === null || arrow.about === wanted) && (single === null || arrow.message === single));
  if (!seen.length) return;
  pen.globalAlpha = Math.max(.1, Math.min(.75, 160 / seen.length));
  pen.strokeStyle = pen.fillStyle = color.violet; pen.lineWidth = 1;
  const step = Math.ceil(seen.length / 4000);
  for (let nth = 0; nth < seen.length; nth += step) {
    const arrow = seen[nth];
    const [x0, y0, x1, y1] = [x(arrow.from), middle(arrow.a), x(arrow.to), middle(arrow.b)];
    pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke();
    const angle = Math.atan2(y1 - y0, x1 - x0);
    pen.beginPath(); pen.moveTo(x1, y1);
    pen.lineTo(x1 - 6 * Math.cos(angle - .4), y1 - 6 * Math.sin(angle - .4));
    pen.lineTo(x1 - 6 * Math.cos(angle + .4), y1 - 6 * Math.sin(angle + .4)); pen.fill();
  }
  pen.globalAlpha = 1;
}

function drawTicks() {
  const from = firstAt(view.from), to = firstAt(view.to + 1);
  const last = new Map();
  for (let step = from; step < to; step++) {
    const lane = node[step], name = TICK[kind[step]], dim = isDim(step);
    const px = Math.round(x(at[step])), key = lane * 16 + (dim ? 8 : 0) + (name === "grey" ? 0 : name.length % 7 + 1);
    if (last.get(key) === px) continue;
    last.set(key, px);
    pen.globalAlpha = dim ? .12 : name === "grey" ? .55 : 1;
    pen.fillStyle = color[name];
    const tall = name === "grey" ? 5 : 9;
    pen.fillRect(px, lanes[lane].top + lanes[lane].tall - 3 - tall, 1.2, tall);
  }
  pen.globalAlpha = 1;
  for (const step of faultSteps) if (at[step] >= view.from && at[step] <= view.to) {
    pen.globalAlpha = isDim(step) ? .25 : 1;
    diamond(x(at[step]), middle(node[step]) - 1, 5);
  }
  pen.globalAlpha = 1;
}
function diamond(px, py, r) {
  pen.fillStyle = color.red; pen.strokeStyle = color.card; pen.lineWidth = 1;
  pen.beginPath(); pen.moveTo(px, py - r); pen.lineTo(px + r, py); pen.lineTo(px, py + r); pen.lineTo(px - r, py); pen.closePath();
  pen.fill(); pen.stroke();
}
function line(time, paint, text, wide) {
  const px = Math.round(x(time)) + .5;
  if (px < -2 || px > width + 2) return;
  pen.strokeStyle = paint; pen.lineWidth = wide;
  pen.beginPath(); pen.moveTo(px, 2); pen.lineTo(px, height); pen.stroke();
  if (!text) return;
  pen.font = "600 11px system-ui, sans-serif";
  const room = pen.measureText(text).width + 10, left = px + room > width ? px - room : px;
  pen.fillStyle = paint; pen.fillRect(left, 2, room, 15); pen.fillStyle = "#fff"; pen.textBaseline = "middle"; pen.fillText(text, left + 5, 10);
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  width = Math.max(200, stage.clientWidth - GUTTER);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    canvas.style.width = width + "px"; canvas.style.height = height + "px";
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  for (const lane of lanes) { pen.fillStyle = color.line; pen.fillRect(0, lane.top + lane.tall - 1, width, 1); }
  drawAxis(); drawBars(); drawTicks(); drawArrows();
  if (FELL >= 0) line(at[FELL], color.red, run.laws[0].code || run.laws[0].name, 2);
  if (size) line(at[now], color.accent, now === FELL ? null : "step " + now, 1.5);
}

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; draw(); });
}
function zoom(factor, px = width / 2) {
  const around = timeAt(px), span = Math.min(LAST_TIME * 1.04, Math.max(200, (view.to - view.from) * factor));
  show(around - (px / width) * span, span);
}
function show(from, span) {
  const start = Math.max(-LAST_TIME * .02, Math.min(from, LAST_TIME * 1.02 - span));
  view = { from: start, to: start + span };
  drawSoon();
}
const fitAll = () => show(-LAST_TIME * .01, LAST_TIME * 1.03);
function reveal(step) {
  const span = view.to - view.from;
  if (at[step] < view.from + span * .02 || at[step] > view.to - span * .02) show(at[step] - span / 2, span);
}

// The event that is nearest to a place on the canvas.
function nearest(px, py) {
  const lane = lanes.findIndex((lane) => py >= lane.top && py < lane.top + lane.tall);
  const time = timeAt(px);
  let best = -1, distance = 12;
  for (let step = firstAt(timeAt(px - 12)); step < size && at[step] <= timeAt(px + 12); step++) {
    if ((lane >= 0 && node[step] !== lane) || isDim(step)) continue;
    const weight = FAULT_KINDS.has(kind[step]) ? .5 : TICK[kind[step]] === "grey" ? 1.5 : 1;
    const away = Math.abs(x(at[step]) - px) * weight;
    if (away < distance) { distance = away; best = step; }
  }
  return best >= 0 ? best : Math.max(0, firstAt(time) - 1);
}
