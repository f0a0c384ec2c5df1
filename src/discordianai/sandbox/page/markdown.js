"use strict";
// Discord's Markdown as elements. Text only ever becomes text nodes, and an address only a link's `href`, of http
// or https: whatever a message says, it cannot become markup.

/** An element with this text or these children. */
function make(kind, content = "", className = "") {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (typeof content === "string") made.textContent = content;
  else made.append(...content);
  return made;
}

function link(text, address) {
  let url;
  try { url = new URL(address); } catch { return make("span", text); }
  if (url.protocol !== "http:" && url.protocol !== "https:") return make("span", text);
  const made = make("a", text);
  made.href = url.href;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  made.title = url.href;
  return made;
}

const DEEPEST = 6;
const SPECIAL = /[\\`*_~|[<h]/;
/** Patterns at a place in the text, and what each becomes; the first that matches is taken. */
const INLINE = [
  [/^\\([^\sA-Za-z0-9])/, (m) => m[1]],
  [/^``([\s\S]+?)``(?!`)/, (m) => make("code", m[1])],
  [/^`([^`]+)`/, (m) => make("code", m[1])],
  [/^\*\*([\s\S]+?)\*\*(?!\*)/, (m, deep) => make("strong", inline(m[1], deep))],
  [/^__([\s\S]+?)__(?!_)/, (m, deep) => make("u", inline(m[1], deep))],
  [/^\*(?=\S)([^*]+)\*(?!\*)/, (m, deep) => make("em", inline(m[1], deep))],
  [/^_(?=\S)([^_]+)_(?!\w)/, (m, deep) => make("em", inline(m[1], deep))],
  [/^~~([\s\S]+?)~~/, (m, deep) => make("s", inline(m[1], deep))],
  [/^\|\|([\s\S]+?)\|\|/, (m, deep) => make("span", inline(m[1], deep), "spoiler")],
  [/^\[((?:\\.|\[[^[\]]*\]|[^[\]\\])+)\]\(<(https?:\/\/[^\s<>]+)>\)/, (m, deep) => link(inline(m[1], deep), m[2])],
  [/^\[((?:\\.|\[[^[\]]*\]|[^[\]\\])+)\]\((https?:\/\/[^\s<>()]+)\)/, (m, deep) => link(inline(m[1], deep), m[2])],
  [/^<(https?:\/\/[^\s<>]+)>/, (m) => link(m[1], m[1])],
  [/^https?:\/\/[^\s<>]*[^\s<>.,:;"')\]*_|]/, (m) => link(m[0], m[0])],
  [/^<t:(\d{1,12})(?::[a-zA-Z])?>/, (m) => make("time", new Date(m[1] * 1000).toLocaleString())],
  [/^<@[!&]?(\d+)>/, () => make("code", "@mention")],
];

/** The nodes of one line's text. */
function inline(text, deep = 0) {
  if (deep > DEEPEST) return [text];
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length;) {
    const found = SPECIAL.test(text[at]) ? match(text.slice(at)) : null;
    if (found && !(text[at] === "_" && /\w/.test(text[at - 1] || ""))) {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(found.become(found.match, deep + 1));
      at += found.match[0].length;
    } else plain += text[at++];
  }
  if (plain) nodes.push(plain);
  return nodes;
}
function match(text) {
  for (const [pattern, become] of INLINE) {
    const found = pattern.exec(text);
    if (found) return { match: found, become };
  }
  return null;
}

/** One line that is not in a code block; `list` is the list that the line before belongs to. */
function line(text, list) {
  let found;
  if ((found = /^(#{1,3}) +(.+)/.exec(text))) return make(`h${found[1].length + 2}`, inline(found[2]));
  if ((found = /^-# +(.+)/.exec(text))) return make("div", inline(found[1]), "small");
  if ((found = /^> (.*)/.exec(text))) return make("blockquote", inline(found[1]));
  if ((found = /^(\s*)([-*]|\d{1,3}\.) +(.+)/.exec(text))) {
    const item = make("li", inline(found[3]));
    item.style.marginLeft = `${Math.min(found[1].length, 12) / 2}rem`;
    if (/\d/.test(found[2])) item.style.listStyle = `"${found[2]} "`;
    if (!list) return make("ul", [item]);
    list.append(item);
    return list;
  }
  return make("div", inline(text));
}

/** A message's text as an element. */
function markdown(text) {
  const whole = make("div", "", "text");
  const parts = text.split(/^[ \t]*```([\w+#.-]*)[ \t]*\n([\s\S]*?)(?:\n[ \t]*```[ \t]*$|$(?![\s\S]))/m);
  for (let at = 0; at < parts.length; at += 3) {
    let list = null;
    const lines = parts[at].replace(at ? /^\n/ : /^$/, "").replace(at + 1 < parts.length ? /\n$/ : /$^/, "");
    if (lines) for (const each of lines.split("\n")) {
      const made = line(each, list);
      list = made.tagName === "UL" ? made : null;
      if (made.parentNode !== whole) whole.append(made);
    }
    if (at + 2 < parts.length) {
      const block = make("pre", [make("code", parts[at + 2])]);
      block.tabIndex = 0;
      block.setAttribute("role", "region");
      block.setAttribute("aria-label", parts[at + 1] ? `Code: ${parts[at + 1]}` : "Code");
      whole.append(block);
    }
  }
  return whole;
}
