"use strict";
// Asks for a snapshot every two seconds, and draws each figure with its last five minutes. What comes from the
// bot is only ever put in as text.
const EVERY = 2000, KEPT = 150, MOST_COSTS = 12, NOTES_EVERY = 5;
const COSTS = "Cost this month · US dollars, months and days in UTC";
const SVG = "http://www.w3.org/2000/svg";
const histories = new Map();
const tiles = new Map();
let before = null, looks = 0;

const $ = (id) => document.getElementById(id);
const number = (value) => Number(value);  // "Infinity" comes as text
const sum = (object) => Object.values(object).reduce((a, b) => a + b, 0);

function seconds(value) {
  if (value >= 100) return `${Math.round(value)} s`;
  if (value >= 1) return `${value.toFixed(1)} s`;
  return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
}
function count(value) {
  if (!Number.isFinite(value)) return "no limit";
  const digits = Math.abs(value) < 10 && value % 1 ? 1 : 0;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}
const budget = (left, what) => Number.isFinite(left) ? `${count(left)} ${what}` : `any number of ${what}`;
const dollars = (value) => `$${value.toLocaleString("en",
  { minimumFractionDigits: 2, maximumFractionDigits: value >= 1 ? 2 : 4 })}`;
const total_cost = (models) => sum(Object.fromEntries(
  Object.entries(models).map(([model, spent]) => [model, spent.cost / 1e9])));
/** How a latency reads: a provider that was never asked has none. */
const measured = (latency) => sum(latency.counts) > 0;
const half = (latency) => (value) => measured(latency) ? seconds(value) : "none yet";
const tail = (latency) => measured(latency) ? `99 %: ${seconds(latency.p99)}` : "";
const percent = (value) => `${Math.round(value * 100)} %`;
const megabytes = (value) => `${(value / 2 ** 20).toFixed(0)} MB`;
function duration(value) {
  const minutes = Math.floor(value / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min` : `${Math.floor(value)} s`;
}

/** What a total grew by in a minute, between this snapshot and the one before. */
function perMinute(now, of) {
  if (!before) return 0;
  const passed = now.process.taken_at - before.process.taken_at;
  return passed > 0 ? Math.max(of(now) - of(before), 0) * 60 / passed : 0;
}

/** Each tile: its name, the figure that is drawn, how it is written, what stands below, whether it is well. */
function providerTiles(now, name) {
  const of = (snapshot) => snapshot.providers[name].dispatch;
  const dispatch = of(now), pool = now.providers[name].pool;
  const most = now.settings[`connection_pool.${name}.max_connections`] || (pool && pool.max_connections) || 1;
  const used = dispatch.in_flight / most;
  const left = number(dispatch.requests_left), limit = number(dispatch.requests_limit);
  const total = (snapshot, what) => sum(Object.fromEntries(
    Object.entries(of(snapshot).models).map(([model, figures]) => [model, what(figures)])));
  const tokens = (snapshot) => total(snapshot, (figures) => figures.input_tokens + figures.output_tokens);
  const { today, this_month } = now.spending[name] || { today: {}, this_month: {} };
  const failed = (snapshot) => total(snapshot, (figures) =>
    sum(figures.outcomes) - (figures.outcomes.answered || 0) - (figures.outcomes.stopped || 0));
  return [
    ["Utilisation", used, percent(used), `${dispatch.in_flight} of ${most} in flight, peak ${dispatch.busiest}`,
      used > 0.8 ? "warn" : ""],
    ["429s a minute", perMinute(now, (s) => of(s).rate_limited), count, `${count(dispatch.rate_limited)} since start`,
      perMinute(now, (s) => of(s).rate_limited) ? "warn" : ""],
    ["Whole answer", dispatch.last_chunk.p50, half(dispatch.last_chunk), tail(dispatch.last_chunk)],
    ["First words", dispatch.first_chunk.p50, half(dispatch.first_chunk), tail(dispatch.first_chunk)],
    ["Waiting", dispatch.waiting, count,
      measured(dispatch.waited) ? `99 % waited up to ${seconds(dispatch.waited.p99)}` : "none yet",
      dispatch.waiting ? "warn" : ""],
    ["Requests a minute", perMinute(now, (s) => of(s).requests), count, `${count(dispatch.requests)} since start`],
    ["Failed a minute", perMinute(now, failed), count, `${count(failed(now))} since start`,
      perMinute(now, failed) ? "warn" : ""],
    ["Budget left", Number.isFinite(limit) && limit > 0 ? left / limit : 1,
      Number.isFinite(limit) ? percent(limit > 0 ? left / limit : 0) : "no limit",
      `${budget(left, "requests")}, ${budget(number(dispatch.tokens_left), "tokens")}`],
    ["Circuit breaker", dispatch.breaker === "closed" ? 0 : 1, dispatch.breaker,
      number(dispatch.pause) > 0 ? `paused for ${seconds(number(dispatch.pause))}` : `up to ${dispatch.limit} in flight now`,
      dispatch.breaker === "closed" ? "" : "bad"],
    ["Connections", pool ? pool.open_connections : 0, pool ? count : "HTTP/1.1",
      pool ? `${pool.idle_connections} idle, ${pool.connections_lost} lost` : "no figures of its pool"],
    ["Tokens a minute", perMinute(now, tokens), count, `${count(tokens(now))} since start`],
    ["Cost this month", total_cost(this_month), dollars, `${dollars(total_cost(today))} today (UTC)`],
  ];
}
function botTiles(now) {
  const { questions, store, process, discord, health } = now;
  const ready = discord.connected_since;
  const refused = sum(discord.unacknowledged);
  const busy = before ? (process.cpu_seconds - before.process.cpu_seconds) /
    Math.max(process.taken_at - before.process.taken_at, 0.001) : 0;
  return [
    ["Questions open", questions.open, count, `${count(questions.answered)} answered since start`],
    ["Answered a minute", perMinute(now, (s) => s.questions.answered), count,
      `${questions.unprotected} unprotected, ${questions.replayed} replayed`],
    ["Acknowledgement", discord.acknowledged.p50, half(discord.acknowledged),
      [tail(discord.acknowledged), `${refused} not taken`].filter(Boolean).join(", ")],
    ["Gateway", ready ? 1 : 0, ready ? "connected" : "not connected",
      ready ? `for ${duration(process.taken_at - ready)}, ${discord.losses} lost` : `${discord.losses} lost`,
      ready ? "" : "bad"],
    store.conversations === null
      ? ["Database", store.commits, store.engine, `${count(store.commits)} commits since start`]
      : ["Conversations", store.conversations, count, `${megabytes(store.cached_bytes)} in memory`],
    ["Store write", store.writes.p50, half(store.writes), tail(store.writes), health.writable ? "" : "bad"],
    ["Store read", store.reads.p50, half(store.reads), tail(store.reads)],
    ["Memory", process.memory_bytes, megabytes, "resident"],
    ["CPU", busy, percent, `${count(process.cpu_seconds)} s since start`],
    ["Lag of trio", process.lag.longest, seconds, `99 %: ${seconds(process.lag.p99)}`, process.lag.longest > 1 ? "warn" : ""],
    ["Lag of asyncio", Math.max(discord.lag.longest, discord.overdue), seconds, `99 %: ${seconds(discord.lag.p99)}`,
      discord.lag.longest > 1 || discord.overdue > 1 ? "warn" : ""],
  ];
}

/** What each model has cost, the dearest first. What is unpriced has only its tokens. */
function costTiles(now) {
  const tiles = [];
  for (const [name, { today, this_month }] of Object.entries(now.spending))
    for (const [model, month] of Object.entries(this_month)) {
      const label = now.providers[name] ? now.providers[name].label : name;
      const tokens = `${count(month.input_tokens + month.output_tokens)} tokens`;
      const unpriced = month.unpriced ? `, ${count(month.unpriced)} answers without a price` : "";
      tiles.push([`${label} · ${model}`, month.cost / 1e9, dollars,
        `${dollars(today[model] ? today[model].cost / 1e9 : 0)} today, ${tokens}${unpriced}`]);
    }
  return tiles.sort((one, other) => other[1] - one[1]).slice(0, MOST_COSTS);
}

/** A model that is not among them any more, as in a new month, loses its tile. */
function drawCosts(listed) {
  const keys = new Set(listed.map(([name]) => `${COSTS} ${name}`));
  for (const [key, { box }] of tiles)
    if (key.startsWith(`${COSTS} `) && !keys.has(key)) {
      box.remove();
      tiles.delete(key);
      histories.delete(key);
    }
  for (const each of listed) draw(COSTS, each);
}

function make(kind, parent, text = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  parent.append(made);
  return made;
}
function tile(section, name) {
  const key = `${section} ${name}`;
  if (tiles.has(key)) return tiles.get(key);
  let grid = tiles.get(section);
  if (!grid) {
    const part = make("section", $("sections"));
    const [title, more] = section.split(" · ");
    const heading = make("h2", part, title);
    if (more) make("small", heading, more);
    grid = make("div", part);
    grid.className = "grid";
    tiles.set(section, grid);
  }
  const box = make("article", grid);
  box.className = "tile";
  make("h3", box, name);
  const made = { box, value: make("b", box), below: make("span", box) };
  const svg = drawing();
  for (const kind of ["area", "trace"]) {
    made[kind] = document.createElementNS(SVG, "path");
    made[kind].setAttribute("class", kind);
    svg.append(made[kind]);
  }
  box.append(svg);
  tiles.set(key, made);
  return made;
}
function drawing() {
  const svg = document.createElementNS(SVG, "svg");
  for (const [attribute, value] of [["viewBox", "0 0 100 30"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]])
    svg.setAttribute(attribute, value);
  return svg;
}
function draw(section, [name, figure, written, below, mood = ""]) {
  const key = `${section} ${name}`, made = tile(section, name);
  const history = histories.get(key) || [];
  histories.set(key, history);
  history.push(Number.isFinite(figure) ? figure : 0);
  if (history.length > KEPT) history.shift();
  made.value.textContent = typeof written === "string" ? written : written(figure);
  made.value.className = mood;
  made.below.textContent = below;
  const top = Math.max(...history) || 1;
  const points = history.map((value, place) =>
    `${(100 - (history.length - 1 - place) * 100 / (KEPT - 1)).toFixed(2)} ${(28.5 - 27 * value / top).toFixed(2)}`);
  const line = `M${points.join("L")}`;
  made.trace.setAttribute("d", line);
  made.area.setAttribute("d", `${line}L100 30L${points[0].split(" ")[0]} 30Z`);
}

function show(health, now) {
  $("state").textContent = health.ready ? "ready" : health.live ? "not ready" : "stuck";
  $("state").className = `pill ${health.ready ? (health.remarks.length ? "warn" : "good") : "bad"}`;
  $("reasons").replaceChildren();
  for (const reason of [...health.reasons, ...health.remarks]) make("li", $("reasons"), reason);
  if (!now) return;
  const { version, started_at, taken_at } = now.process;
  $("about").textContent = `${version}, up ${duration(taken_at - started_at)}`;
  if (before && before.process.started_at !== started_at) before = null;
  draw_all(now);
  before = now;
}
function draw_all(now) {
  for (const [name, provider] of Object.entries(now.providers))
    for (const each of providerTiles(now, name)) draw(`${provider.label} · ${provider.model}`, each);
  for (const each of botTiles(now)) draw("The bot", each);
  drawCosts(costTiles(now));
  showLatencies(now);
  showConnections(now);
}

/** One histogram each: how many took how long. */
function showLatencies(now) {
  const shown = Object.values(now.providers).flatMap(({ label, dispatch }) => [
    [`${label}: first words`, dispatch.first_chunk], [`${label}: whole answer`, dispatch.last_chunk]]);
  shown.push(["Acknowledgement", now.discord.acknowledged], ["Store write", now.store.writes]);
  $("latencies").replaceChildren(...shown.map(([name, latency]) => histogram(name, latency)));
}
function histogram(name, latency) {
  const box = document.createElement("article"), total = sum(latency.counts);
  box.className = "tile";
  make("h3", box, name);
  make("span", box, total ? `${count(total)}: half under ${seconds(latency.p50)}, 99 % under ${seconds(latency.p99)}` : "none yet");
  if (!total) return box;
  const bounds = $("latencies").dataset.bounds.split(" ").map(Number), most = Math.max(...latency.counts);
  const first = latency.counts.findIndex(Boolean), last = latency.counts.findLastIndex(Boolean);
  const svg = drawing(), width = 100 / (last - first + 1);
  latency.counts.slice(first, last + 1).forEach((value, place) => {
    const bar = document.createElementNS(SVG, "rect"), height = value ? Math.max(28 * value / most, 1) : 0;
    for (const [attribute, number] of [["x", place * width + width * .06], ["width", width * .88], ["y", 30 - height], ["height", height]])
      bar.setAttribute(attribute, number.toFixed(2));
    svg.append(bar);
  });
  box.append(svg);
  const least = first ? seconds(bounds[first - 1]) : "0 s";
  make("span", box, `from ${least} to ${last < bounds.length ? seconds(bounds[last]) : `over ${seconds(bounds.at(-1))}`}`);
  return box;
}
function showConnections(now) {
  const pools = Object.entries(now.providers).map(([name, { pool }]) => [name, pool]);
  const rows = document.createDocumentFragment();
  for (const [name, pool] of [...pools, ["discord", now.discord_pool]]) {
    if (!pool) continue;
    for (const each of pool.connections)
      row(rows, [name, each.origin, each.protocol, `${each.streams} of ${each.capacity}${each.draining ? ", draining" : ""}`,
        duration(each.age), each.last_ping === null ? "none yet" : `${duration(each.last_ping)} ago`]);
    for (const [origin, protocol] of Object.entries(pool.protocols))
      if (protocol === "HTTP/1.1") row(rows, [name, origin, protocol, `${pool.http1_requests} requests`, "", ""]);
  }
  if (!rows.childElementCount) row(rows, ["none yet"]).firstChild.colSpan = $("connections").closest("table").tHead.rows[0].cells.length;
  $("connections").replaceChildren(rows);
}
function row(parent, cells) {
  const made = make("tr", parent);
  for (const cell of cells) make("td", made, cell);
  return made;
}

/** What `advise` says, and what the log warned of: asked for less often, since it changes less often. */
async function lookAtNotes() {
  if (looks++ % NOTES_EVERY) return;
  const [advice, warnings] = await Promise.all(["api/advice", "api/warnings"].map((path) => fetch(path)));
  if (advice.ok) list("advice", (await advice.json()).map(({ title, figures, changes, urgent }) =>
    [`${title}. ${figures} ${changes.map(({ key, now, to }) => `${key}: ${now} → ${to}`).join("; ")}`, urgent ? "bad" : ""]),
    "Nothing needs to change.");
  if (warnings.ok) list("warnings", (await warnings.json()).map(({ time, level, logger, text }) =>
    [`${new Date(time * 1000).toLocaleTimeString()} ${text} (${logger})`, level === "warning" ? "" : "bad"]), "None yet.");
}
function list(id, lines, none) {
  const items = document.createDocumentFragment();
  for (const [text, mood] of lines) make("li", items, text).className = mood;
  if (!lines.length) make("li", items, none).className = "quiet";
  $(id).replaceChildren(items);
}

/** All that the bot counts, by its own account: asked for only while somebody looks at it. */
async function lookAtMetrics() {
  if (!$("all").open) return;
  const answer = await fetch("api/metrics");
  if (!answer.ok) return;
  const rows = document.createDocumentFragment();
  for (const metric of await answer.json())
    for (const { labels, value } of metric.samples) {
      const row = make("tr", rows);
      make("td", row, metric.help).title = metric.name;
      make("td", row, Object.values(labels).join(" · "));
      make("td", row, metric.kind === "histogram" ? latency(value) : written(metric.unit, number(value)));
    }
  $("metrics").replaceChildren(rows);
}
function latency(value) {
  return `half under ${seconds(value.p50)}, 99 % under ${seconds(value.p99)}`;
}
function written(unit, value) {
  if (unit === "seconds") return value > 1e9 ? new Date(value * 1000).toLocaleString() : seconds(value);
  if (unit === "bytes") return megabytes(value);
  if (unit === "ratio") return percent(value);
  return Number.isFinite(value) ? value.toLocaleString("en", { maximumFractionDigits: 4 }) : "no limit";
}

async function look() {
  try {
    const [health, snapshot] = await Promise.all(["health", "api/snapshot"].map((path) => fetch(path)));
    show(await health.json(), snapshot.ok ? await snapshot.json() : null);
    await lookAtNotes();
    await lookAtMetrics();
    document.body.classList.remove("stale");
  } catch {
    $("state").textContent = "no answer";
    $("state").className = "pill bad";
    document.body.classList.add("stale");
  }
}
async function keepLooking() {
  while (true) {
    if (!document.hidden) await look();
    await new Promise((done) => setTimeout(done, EVERY));
  }
}
$("all").addEventListener("toggle", () => lookAtMetrics().catch(() => {}));
keepLooking();
