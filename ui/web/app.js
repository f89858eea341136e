// @ts-check
// Refresh, theme, keys and charts. Every page works without this file; it never makes HTML from text.

const base = document.body?.dataset.base ?? "";
const $ = (/** @type {string} */ sel, /** @type {ParentNode} */ root = document) => /** @type {HTMLElement|null} */ (root.querySelector(sel));

// ---- theme: system, light, dark --------------------------------------------------------------------------------

const themes = ["system", "light", "dark"];

/** @returns {string} */
function storedTheme() {
  try { return localStorage.getItem("theme") || "system"; } catch { return "system"; }
}

/** @param {string} name */
function applyTheme(name) {
  if (name === "light" || name === "dark") document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

function nextTheme() {
  const name = themes[(themes.indexOf(storedTheme()) + 1) % themes.length];
  try { localStorage.setItem("theme", name); } catch { /* private windows may refuse: the choice lasts for the page */ }
  applyTheme(name);
  say("Theme: " + name);
}

applyTheme(storedTheme());

/** Shows a short word where the freshness stands. @param {string} text */
function say(text) {
  const el = $("#fresh");
  if (!el) return;
  const before = el.textContent;
  el.textContent = text;
  setTimeout(() => { if (el.textContent === text) el.textContent = before; }, 1500);
}

// ---- refresh ---------------------------------------------------------------------------------------------------

const every = 12_000;
let failed = 0, busy = false;

/** Whether somebody is in the middle of something that a refresh would disturb. */
function occupied() {
  if (document.hidden || drag || cursorOn || document.querySelector("dialog[open]")) return true;
  const sel = getSelection();
  if (sel && !sel.isCollapsed) return true;
  const a = document.activeElement;
  if (a instanceof HTMLInputElement || a instanceof HTMLSelectElement || a instanceof HTMLTextAreaElement) return true;
  if (document.querySelector("form[data-hold]")) return true;
  return [...document.querySelectorAll("main input, main textarea")].some((i) => i instanceof HTMLInputElement ? i.value !== i.defaultValue || i.checked !== i.defaultChecked : i instanceof HTMLTextAreaElement && i.value !== i.defaultValue);
}

async function refresh() {
  if (busy || occupied()) return;
  busy = true;
  try {
    const r = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(10_000) });
    if (!r.ok) throw new Error(String(r.status));
    const doc = new DOMParser().parseFromString(await r.text(), "text/html");
    if (!occupied()) swap(doc);
    failed = 0;
  } catch {
    failed++;
    const el = $("#fresh");
    if (el && failed > 1) { el.textContent = "no answer from the server"; el.classList.add("lost"); }
  } finally {
    busy = false;
  }
}

/** Puts the new page's parts in place of the old ones: focus, open details and scroll positions stay. @param {Document} doc */
function swap(doc) {
  const now = $("#main"), next = $("#main", doc);
  if (!now || !next) return;
  const open = [...now.querySelectorAll("details[id]")].filter((d) => /** @type {HTMLDetailsElement} */ (d).open).map((d) => d.id);
  const shifts = [...now.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
  const active = document.activeElement;
  const focusables = "a[href], button, summary, [tabindex]";
  const place = active && now.contains(active) ? [...now.querySelectorAll(focusables)].indexOf(/** @type {Element} */ (active)) : -1;
  for (const id of open) { const d = doc.getElementById(id); if (d) d.setAttribute("open", ""); }
  now.replaceChildren(...[...next.childNodes].map((n) => document.adoptNode(n)));
  now.querySelectorAll(".scroll").forEach((e, i) => { if (shifts[i]) e.scrollLeft = shifts[i]; });
  if (place >= 0) {
    const same = active?.id ? document.getElementById(active.id) : now.querySelectorAll(focusables)[place];
    if (same instanceof HTMLElement || same instanceof SVGElement) same.focus({ preventScroll: true });
  }
  for (const id of ["nav", "fresh"]) {
    const a = document.getElementById(id), b = doc.getElementById(id);
    if (a && b && !a.contains(document.activeElement)) a.replaceWith(document.adoptNode(b));
  }
  document.title = doc.title;
}

setInterval(refresh, every);
setInterval(() => { if ($("#running")) refresh(); }, 1500); // what goes on now is looked at more often
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

// ---- charts ----------------------------------------------------------------------------------------------------

/** @typedef {{box: HTMLElement, svg: SVGSVGElement, from: number, to: number, t: number[], s: string[]}} Chart */
/** @type {WeakMap<HTMLElement, Chart>} */
const charts = new WeakMap();
/** @type {{chart: Chart, x: number}|null} */
let drag = null;
let cursorOn = false;
/** @type {number|null} */
let anchor = null; // where a selection by keys began

/** @param {EventTarget|null} el @returns {Chart|null} */
function chartOf(el) {
  const box = el instanceof Element ? /** @type {HTMLElement|null} */ (el.closest("[data-chart]")) : null;
  const svg = box?.querySelector("svg");
  if (!box || !svg) return null;
  let c = charts.get(box);
  if (!c) {
    let data = { t: [], s: [] };
    try { data = JSON.parse(box.querySelector("script")?.textContent || "{}"); } catch { /* drawn without a cursor */ }
    c = { box, svg, from: Number(box.dataset.from), to: Number(box.dataset.to), t: data.t ?? [], s: data.s ?? [] };
    charts.set(box, c);
  }
  return c;
}

/** @param {Chart} c @param {PointerEvent} ev @returns {number} share of the width, 0–1 */
function share(c, ev) {
  const r = c.svg.getBoundingClientRect();
  return Math.min(1, Math.max(0, (ev.clientX - r.left) / r.width));
}

/** @param {Chart} c @param {number} f */
const timeAt = (c, f) => c.from + f * (c.to - c.from);
/** @param {Chart} c @param {number} t */
const shareAt = (c, t) => (t - c.from) / (c.to - c.from);

/** The element of a class in a chart, made when it is missing. @param {Chart} c @param {string} tag @param {string} cls @returns {SVGElement} */
function overlay(c, tag, cls) {
  let el = /** @type {SVGElement|null} */ (c.svg.querySelector(":scope > ." + cls));
  if (!el) {
    el = document.createElementNS("http://www.w3.org/2000/svg", tag);
    el.setAttribute("class", cls);
    el.setAttribute("pointer-events", "none");
    c.svg.append(el);
  }
  return el;
}

/** Moves the cursor of every chart on the page that covers t; each reads out its own value. @param {number} t */
function setCursor(t) {
  cursorOn = true;
  for (const box of document.querySelectorAll("[data-chart]")) {
    const c = chartOf(box);
    if (!c || t < c.from || t > c.to) continue;
    const i = nearest(c.t, t);
    const x = (shareAt(c, i < 0 ? t : c.t[i]) * 100).toFixed(3) + "%";
    const l = overlay(c, "line", "cursor");
    for (const [k, v] of [["x1", x], ["x2", x], ["y1", "16"], ["y2", String(c.svg.height.baseVal.value - 20)]]) l.setAttribute(k, v);
    const out = $(".readout", c.box);
    if (out && i >= 0) {
      out.textContent = stamp(c.t[i]) + " · " + c.s[i];
      out.classList.add("live");
    }
  }
}

function clearCursor() {
  cursorOn = false;
  anchor = null;
  for (const el of document.querySelectorAll(".chart > .cursor, .chart > .pick")) el.remove();
  for (const out of document.querySelectorAll(".readout.live")) {
    out.textContent = /** @type {HTMLElement} */ (out).dataset.default ?? "";
    out.classList.remove("live");
    out.removeAttribute("aria-live");
  }
}

/** Index of the element of a sorted list that is nearest to t, −1 when it is empty. @param {number[]} list @param {number} t */
function nearest(list, t) {
  let lo = 0, hi = list.length - 1;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (list[mid] < t) lo = mid + 1; else hi = mid;
  }
  return lo > 0 && t - list[lo - 1] < list[lo] - t ? lo - 1 : hi < 0 ? -1 : lo;
}

/** @param {number} t */
const stamp = (t) => new Date(t).toISOString().slice(0, 16).replace("T", " ") + " UTC";

/** Marks a selection. @param {Chart} c @param {number} a @param {number} b shares of the width */
function pick(c, a, b) {
  const r = overlay(c, "rect", "pick");
  r.setAttribute("x", (Math.min(a, b) * 100).toFixed(3) + "%");
  r.setAttribute("width", (Math.abs(a - b) * 100).toFixed(3) + "%");
  r.setAttribute("y", "16");
  r.setAttribute("height", String(Math.max(0, c.svg.height.baseVal.value - 36)));
}

/** Goes to a narrower range: the server draws it anew, at full resolution. @param {number} t0 @param {number} t1 */
function zoom(t0, t1) {
  const u = new URL(location.href);
  u.searchParams.delete("range");
  u.searchParams.set("from", String(Math.round(Math.min(t0, t1))));
  u.searchParams.set("to", String(Math.round(Math.max(t0, t1))));
  location.assign(u);
}

document.addEventListener("pointermove", (ev) => {
  if (drag) {
    const f = share(drag.chart, ev);
    pick(drag.chart, drag.x, f);
    setCursor(timeAt(drag.chart, f));
    return;
  }
  const c = ev.pointerType === "touch" ? null : chartOf(ev.target);
  if (c) setCursor(timeAt(c, share(c, ev)));
  else if (cursorOn && !document.activeElement?.closest("[data-chart]")) clearCursor();
});

document.addEventListener("pointerdown", (ev) => {
  const c = chartOf(ev.target);
  if (!c || ev.button !== 0 || !(ev.target instanceof Element) || !ev.target.closest("svg")) return;
  if (c.box.hasAttribute("data-zoom") && ev.pointerType !== "touch") {
    drag = { chart: c, x: share(c, ev) };
    ev.preventDefault();
    c.box.focus({ preventScroll: true });
  } else {
    setCursor(timeAt(c, share(c, ev)));
  }
});

document.addEventListener("pointerup", (ev) => {
  if (!drag) return;
  const { chart, x } = drag, f = share(chart, ev);
  drag = null;
  if (Math.abs(f - x) * chart.svg.getBoundingClientRect().width < 6) { clearCursor(); return; }
  zoom(timeAt(chart, x), timeAt(chart, f));
});

document.addEventListener("focusout", (ev) => { if (chartOf(ev.target)) clearCursor(); });

/** Arrow keys on a chart. @param {KeyboardEvent} ev @param {Chart} c @returns {boolean} whether the key was used */
function chartKey(ev, c) {
  if (c.t.length === 0) return false;
  const line = c.svg.querySelector(":scope > .cursor");
  let i = line ? nearest(c.t, timeAt(c, parseFloat(line.getAttribute("x1") ?? "100") / 100)) : c.t.length;
  const jump = ev.ctrlKey ? Math.max(1, Math.round(c.t.length / 12)) : 1;
  switch (ev.key) {
    case "ArrowLeft": i -= jump; break;
    case "ArrowRight": i += jump; break;
    case "Home": i = 0; break;
    case "End": i = c.t.length - 1; break;
    case "Enter":
      if (anchor === null || !line || !c.box.hasAttribute("data-zoom")) return false;
      zoom(anchor, c.t[i]);
      return true;
    case "Escape": clearCursor(); return true;
    default: return false;
  }
  i = Math.min(c.t.length - 1, Math.max(0, i));
  if (ev.shiftKey && anchor === null) anchor = line ? timeAt(c, parseFloat(line.getAttribute("x1") ?? "0") / 100) : c.t[i];
  if (!ev.shiftKey) { anchor = null; c.svg.querySelector(":scope > .pick")?.remove(); }
  $(".readout", c.box)?.setAttribute("aria-live", "polite");
  setCursor(c.t[i]);
  if (anchor !== null) pick(c, shareAt(c, anchor), shareAt(c, c.t[i]));
  return true;
}

// ---- keys and buttons ------------------------------------------------------------------------------------------

const places = new Map([["o", "/"], ["s", "/signals"], ["i", "/incidents"], ["c", "/changes"], ["r", "/receivers"], ["t", "/status"]]);
let afterG = 0;

document.addEventListener("keydown", (ev) => {
  const typing = ev.target instanceof HTMLInputElement || ev.target instanceof HTMLSelectElement || ev.target instanceof HTMLTextAreaElement;
  if (typing) {
    if (ev.key === "Escape") /** @type {HTMLElement} */ (ev.target).blur();
    return;
  }
  const c = chartOf(ev.target);
  if (c && !ev.metaKey && !ev.altKey && chartKey(ev, c)) { ev.preventDefault(); return; }
  if (ev.ctrlKey || ev.metaKey || ev.altKey || document.querySelector("dialog[open]")) return;
  if (afterG && Date.now() - afterG < 1500) {
    afterG = 0;
    const to = places.get(ev.key);
    if (to) { location.assign(base + to); ev.preventDefault(); return; }
  }
  switch (ev.key) {
    case "g": afterG = Date.now(); break;
    case "t": nextTheme(); break;
    case "?": help(); break;
    case "/": {
      ev.preventDefault();
      const f = $("#filter");
      if (f instanceof HTMLInputElement) { f.focus(); f.select(); } else location.assign(base + "/signals#filter");
      break;
    }
  }
});

function help() {
  const d = document.getElementById("help");
  if (d instanceof HTMLDialogElement) d.showModal();
}

document.addEventListener("click", async (ev) => {
  const b = ev.target instanceof Element ? /** @type {HTMLElement|null} */ (ev.target.closest("button")) : null;
  if (!b) return;
  if (b.dataset.act === "theme") nextTheme();
  if (b.dataset.act === "help") help();
  if (b.dataset.copy !== undefined) {
    const from = b.dataset.copy ? document.getElementById(b.dataset.copy) : b.parentElement?.querySelector("code");
    try { await navigator.clipboard.writeText(from?.textContent ?? ""); say("copied"); } catch { say("the browser does not allow copying here"); }
  }
});

document.addEventListener("change", (ev) => {
  if (ev.target instanceof HTMLInputElement && ev.target.dataset.all) {
    for (const i of document.querySelectorAll("input[type=checkbox]")) if (i instanceof HTMLInputElement && i.name === ev.target.dataset.all) i.checked = ev.target.checked;
  }
  if (ev.target instanceof HTMLSelectElement && ev.target.hasAttribute("data-submit")) ev.target.form?.requestSubmit();
});

if (location.hash === "#filter") $("#filter")?.focus();
