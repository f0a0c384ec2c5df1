"use strict";
// Follows the local Discord as one person in one channel. Every address is relative to the page's own, which has
// the token in it.
const $ = (id) => document.getElementById(id);
const EVERY = 1000;
const me = { person: "alice", channel: "", revision: "" };
let state = null, asking = null, commands = [];
const drawn = new Map();

const post = (action, body) => fetch(action, {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ ...me, ...body }),
});
async function ask(action, body) {
  const answer = await post(action, body);
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}
/** Do it; what is wrong with it, if anything. */
async function act(action, body) {
  const answer = await post(action, body);
  if (answer.ok) return "";
  try { return (await answer.json()).error; } catch { return "The sandbox did not take that."; }
}
/** Do it, and say below the messages what is wrong with it, if anything. */
async function attempt(action, body) {
  try { $("problem").textContent = await act(action, body); }
  catch { $("problem").textContent = "The sandbox has ended. Start it again with: make sandbox"; }
  return !$("problem").textContent;
}

// What the person sees

async function follow() {
  while (true) {
    asking = new AbortController();
    try {
      const query = new URLSearchParams({ person: me.person, channel: me.channel, after: me.revision });
      const answer = await fetch(`state?${query}`, { signal: asking.signal });
      if (!answer.ok) { me.channel = ""; me.revision = ""; await pause(300); continue; }
      state = await answer.json();
      me.revision = String(state.revision);
      show();
    } catch (error) {
      if (error.name === "AbortError") continue;
      $("state").textContent = "The sandbox has ended";
      $("state").className = "pill bad";
      await pause(EVERY);
    }
  }
}
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
function goTo(changes) {
  Object.assign(me, changes, { revision: "" });
  if (asking) asking.abort();
}

function show() {
  me.channel = state.channel;
  commands = state.commands;
  choices($("person"), state.people.map((name) => [name, name]), me.person);
  choices($("channel"), state.channels.map((each) => [each.id, `${mark(each)}${each.name}`]), me.channel);
  const here = state.channels.find((each) => each.id === me.channel);
  $("place").textContent = `${mark(here)}${here.name}`;
  const { running, connected } = state.bot;
  $("state").textContent = connected ? "bot connected" : running ? "bot connecting" : "bot not running";
  $("state").className = `pill ${connected ? "good" : "bad"}`;
  $("bot").textContent = running ? "Kill the bot" : "Start the bot";
  showMessages();
  showForm();
  showFaults();
}
const mark = (channel) => ({ direct: "@ ", thread: "↳ " })[channel.kind] || "# ";
function choices(select, options, chosen) {
  const key = JSON.stringify([options, chosen]);
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value, false, value === chosen)));
}

function showMessages() {
  const list = $("messages"), log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const seen = new Set();
  let before = null;
  for (const entry of state.entries) {
    const known = drawn.get(entry.id) || { element: message(entry) };
    const key = JSON.stringify(entry), row = JSON.stringify([entry.buttons, state.menu, entry.loading]);
    if (known.key && (known.key !== key || known.row !== row)) redraw(known, message(entry), known.row === row);
    drawn.set(entry.id, Object.assign(known, { key, row }));
    seen.add(entry.id);
    const place = before ? before.nextSibling : list.firstChild;
    if (place !== known.element) list.insertBefore(known.element, place);
    before = known.element;
  }
  for (const [id, { element }] of drawn) if (!seen.has(id)) { element.remove(); drawn.delete(id); }
  if (atEnd) log.scrollTop = log.scrollHeight;
}
/** Redraw a message that was edited. Its row of buttons stays if it is the same: somebody may be at one of them. */
function redraw(known, fresh, sameRow) {
  const before = known.element;
  if (sameRow) {
    while (before.childNodes.length > 1) before.firstChild.remove();
    before.prepend(...[...fresh.childNodes].slice(0, -1));
    return;
  }
  const focused = before.contains(document.activeElement);
  before.replaceWith(fresh);
  known.element = fresh;
  if (focused) fresh.querySelector("button")?.focus();
}
function message(entry) {
  const item = make("li", "", entry.bot ? "bot" : "person");
  item.dataset.id = entry.id;
  if (entry.private) item.classList.add("private");
  if (entry.context) item.append(make("div", entry.context, "context"));
  const head = make("div", [make("span", entry.author, "who")]);
  if (entry.edited) head.append(make("span", " (edited)", "note"));
  item.append(head);
  if (entry.loading) item.append(make("div", `${entry.author} is thinking …`, "note loading"));
  else item.append(markdown(entry.text));
  for (const file of entry.files) item.append(fileOf(entry, file));
  if (entry.private) item.append(make("div", "Only you can see this", "note"));
  item.append(actions(entry));
  return item;
}
function fileOf(entry, file) {
  const label = `${file.name} (${file.size.toLocaleString("en")} bytes)`;
  if (!entry.bot) return make("div", label, "note");
  const made = make("a", label);
  made.href = `files/${entry.id}/${encodeURIComponent(file.name)}?${new URLSearchParams({ person: me.person })}`;
  made.download = file.name;
  return make("div", [made]);
}
function actions(entry) {
  const row = make("div", "", "actions");
  for (const each of entry.buttons) {
    const button = make("button", each.label, { 1: "primary", 4: "danger" }[each.style] || "");
    button.addEventListener("click", () => attempt("press", { message: entry.id, button: each.id }));
    row.append(button);
  }
  if (state.menu.length && !entry.loading) {
    const menu = make("details", [make("summary", "More")]);
    for (const name of state.menu) {
      const button = make("button", name);
      button.addEventListener("click", () => { menu.open = false; attempt("menu", { message: entry.id, command: name }); });
      menu.append(button);
    }
    row.append(menu);
  }
  return row;
}

// Forms

function showForm() {
  const dialog = $("form"), form = state.form;
  if (form && dialog.dataset.id !== form.id) {
    dialog.dataset.id = form.id;
    $("form-title").textContent = form.title;
    $("form-label").textContent = form.label;
    $("field").value = $("form-problem").textContent = "";
    if (!dialog.open) dialog.showModal();
  } else if (!form && dialog.open) dialog.close();
}
$("fields").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("form-problem").textContent = await act("submit", { form: $("form").dataset.id, text: $("field").value });
});
for (const [element, kind] of [[$("dismiss"), "click"], [$("form"), "cancel"]])
  element.addEventListener(kind, (event) => {
    event.preventDefault();
    attempt("dismiss", { form: $("form").dataset.id });
  });

// The composer and its command picker

let picked = -1;
const suggested = new Map();
function suggestions() {
  const typed = $("line").value;
  const [command, ...rest] = typed.split(" ");
  if (!command.startsWith("/")) return [];
  if (!rest.length)
    return commands.filter((each) => `/${each.name}`.startsWith(command))
      .map((each) => [`/${each.name} `, `/${each.name}`, each.description]);
  const found = commands.find((each) => `/${each.name}` === command);
  const word = rest.at(-1), before = typed.slice(0, typed.length - word.length);
  if (!found) return [];
  return found.options.slice(1).filter((each) => !each.file && !typed.includes(` ${each.name}:`) || word.startsWith(`${each.name}:`))
    .flatMap((each) => choicesOf(found, each, word).map((value) =>
      [`${before}${each.name}:${value}${value ? " " : ""}`, `${each.name}:${value}`, each.description]))
    .filter(([, text]) => word && text.toLowerCase().startsWith(word.toLowerCase()) && text !== word);
}
/** An option's values: those that are declared, or what the bot suggests, once it has. */
function choicesOf(command, option, word) {
  if (!option.autocomplete || !word.startsWith(`${option.name}:`)) return option.choices.length ? option.choices : [""];
  const typed = word.slice(option.name.length + 1), key = JSON.stringify([command.name, option.name, typed]);
  if (!suggested.has(key)) {
    suggested.set(key, []);
    ask("suggest", { command: command.name, option: option.name, typed })
      .then(({ choices }) => { suggested.set(key, choices); showPicker(); }, () => suggested.delete(key));
  }
  return suggested.get(key);
}
function showPicker() {
  const found = suggestions(), picker = $("picker");
  picked = Math.min(picked, found.length - 1);
  picker.replaceChildren(...found.map(([whole, text, description], at) => {
    const item = make("li", [make("strong", text), ` ${description}`]);
    item.id = `picker-${at}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(at === picked));
    item.addEventListener("mousedown", (event) => { event.preventDefault(); take(whole); });
    return item;
  }));
  picker.hidden = !found.length;
  $("line").setAttribute("aria-expanded", String(!!found.length));
  if (picked >= 0) $("line").setAttribute("aria-activedescendant", `picker-${picked}`);
  else $("line").removeAttribute("aria-activedescendant");
}
function take(whole) {
  $("line").value = whole;
  $("line").focus();
  picked = -1;
  showPicker();
}
$("line").addEventListener("input", () => { picked = -1; showPicker(); });
$("line").addEventListener("blur", () => { $("picker").hidden = true; $("line").setAttribute("aria-expanded", "false"); });
$("line").addEventListener("keydown", (event) => {
  const found = suggestions();
  if ($("picker").hidden || !found.length) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) picked = (picked + step + found.length) % found.length;
  else if (event.key === "Escape") { $("picker").hidden = true; return; }
  else if (event.key === "Tab" && picked < 0) picked = 0;
  if (step || (picked >= 0 && (event.key === "Tab" || event.key === "Enter"))) {
    event.preventDefault();
    if (step) showPicker();
    else take(found[picked][0]);
  }
});
$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = $("file").files[0];
  const sent = await attempt("send", { line: $("line").value, ...(file && { file: await contentOf(file) }) });
  if (sent) { $("line").value = $("file").value = ""; showPicker(); }
});
/** The file in base64. */
function contentOf(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done({ name: file.name, base64: reader.result.slice(reader.result.indexOf(",") + 1) });
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

// People, channels, the bot, faults

$("person").addEventListener("change", () => goTo({ person: $("person").value, channel: "" }));
$("channel").addEventListener("change", () => goTo({ channel: $("channel").value }));
$("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (await attempt("join", { name })) { $("name").value = ""; goTo({ person: name, channel: "" }); }
});
$("bot").addEventListener("click", () => attempt("bot", { on: !state.bot.running }));
$("heal").addEventListener("click", () => attempt("heal", {}));

function showFaults() {
  const place = $("faults");
  if (!place.childElementCount) {
    const by = new Map();
    for (const fault of state.faults) by.set(fault.group, [...(by.get(fault.group) || []), fault]);
    for (const [group, faults] of by)
      place.append(make("details", [make("summary", group), make("ul", faults.map(faultSwitch))]));
  }
  for (const fault of state.faults)
    if (fault.lasts) $(`fault-${fault.name}`).setAttribute("aria-pressed", String(fault.on));
}
function faultSwitch(fault) {
  const button = make("button", fault.name);
  button.id = `fault-${fault.name}`;
  button.type = "button";
  button.addEventListener("click", () =>
    attempt("fault", { name: fault.name, on: button.getAttribute("aria-pressed") !== "true" }));
  return make("li", [button, make("span", fault.help, "quiet")]);
}

// The bot's figures

function duration(value) {
  if (value < 60) return `${Math.round(value)} s`;
  return value < 3600 ? `${Math.floor(value / 60)} min` : `${Math.floor(value / 3600)} h`;
}
const figure = (value) => Number.isFinite(Number(value)) ? Math.round(Number(value)).toLocaleString("en") : "no limit";

function showConnections(now) {
  const pools = [...Object.values(now.providers).map((each) => [each.label, each.pool]), ["Discord", now.discord_pool]];
  const rows = pools.filter(([, pool]) => pool).flatMap(([label, pool]) => [
    ...pool.connections.map((each) => [label, each.origin, each.protocol, `${each.streams} of ${each.capacity}`,
      duration(each.age), each.last_ping === null ? "none yet" : `${duration(each.last_ping)} ago`]),
    ...Object.entries(pool.protocols).filter(([, protocol]) => protocol === "HTTP/1.1")
      .map(([origin, protocol]) => [label, origin, protocol, `${pool.http1_requests} requests`, "", ""])]);
  $("connections").replaceChildren(...(rows.length ? rows.map((cells) => make("tr", cells.map((cell) => make("td", cell))))
    : [make("tr", [Object.assign(make("td", "none yet"), { colSpan: 6 })])]));
}
function meter(value, most, label) {
  const made = document.createElement("meter");
  made.min = 0;
  made.max = Math.max(most, 1);
  made.value = value;
  made.setAttribute("aria-label", label);
  return made;
}
function budget(provider) {
  const { dispatch, pool } = provider;
  const slots = pool ? pool.max_connections : dispatch.limit;
  const rows = [
    ["In flight", [meter(dispatch.in_flight, slots, `In flight at ${provider.label}`), ` ${dispatch.in_flight} of ${slots}`]],
    ["Waiting", [String(dispatch.waiting)]],
    ["Requests left", [`${figure(dispatch.requests_left)} of ${figure(dispatch.requests_limit)} a minute`]],
    ["Tokens left", [figure(dispatch.tokens_left)]],
    ["Circuit breaker", [dispatch.breaker]],
  ];
  return [make("h3", `${provider.label} · ${provider.model}`),
    make("dl", rows.flatMap(([name, value]) => [make("dt", name), make("dd", value)]))];
}
async function followFigures() {
  while (true) {
    if (!document.hidden) try {
      const answer = await fetch("figures");
      const now = answer.ok ? await answer.json() : null;
      if (now) {
        showConnections(now);
        $("budgets").replaceChildren(...Object.values(now.providers).flatMap(budget));
      } else $("budgets").replaceChildren(make("p", "The bot does not answer.", "quiet"));
    } catch { /* `follow` says that the sandbox has ended */ }
    await pause(EVERY);
  }
}

follow();
followFigures();
