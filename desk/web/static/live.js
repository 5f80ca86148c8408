// Keeps the page current: replaces a panel when the desk sends it anew, and shows ages and local times.

import "./readings.js";

for (const one of document.querySelectorAll("footer")) one.dataset.origin = location.origin; // read on paper
const live = document.body.hasAttribute("data-live");
const wanted = new WeakMap(); // chart: the span that was chosen last
let late = null; // what comes while a button of the mouse or the space bar is down: a click on what is replaced or moves away is lost
let releasing = 0;

function openDetails(box) {
  return [...box.querySelectorAll("details")].map((one) => one.open);
}

const FOCUSABLE = "a[href], button, summary, input, select, [tabindex]";

/** What a reader takes for the same thing when its panel is drawn anew: a link by its target, a button by its words. */
function keyOf(one) {
  const words = one.matches("[data-points]") ? "" : one.getAttribute("href") ?? one.getAttribute("aria-label") ?? one.textContent;
  return [one.tagName, one.closest("[data-chart]")?.dataset.chart, words].join(" ");
}

/** How the focus gets back into a panel that is replaced; nothing where it is elsewhere. */
function focusIn(box) {
  const focused = document.activeElement;
  if (!box.contains(focused)) return () => {};
  const key = keyOf(focused);
  const alike = (root) => [...root.querySelectorAll(FOCUSABLE)].filter((one) => keyOf(one) === key);
  const place = alike(box).indexOf(focused);
  return (fresh) => {
    const found = alike(fresh);
    (found[place] ?? found.at(-1) ?? fresh.querySelector(FOCUSABLE))?.focus({ preventScroll: true });
  };
}

function replacePanel(name, html) {
  const box = document.getElementById(name);
  if (!box || box.dataset.panel !== name) return;
  const holder = document.createElement("template");
  holder.innerHTML = html; // drawn by the desk, which escapes every text from outside
  const fresh = holder.content.firstElementChild;
  if (box.outerHTML === fresh.outerHTML) return;
  const chosen = [...box.querySelectorAll("[data-chart]")].map((chart) => [
    chart.dataset.chart,
    wanted.get(chart) ?? chart.querySelector('[aria-pressed="true"]')?.dataset.span,
  ]);
  const open = openDetails(box);
  const focus = focusIn(box);
  const scrolled = [...box.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  fresh.classList.add("changed");
  if (box.classList.contains("broad")) fresh.classList.add("broad");
  box.replaceWith(fresh);
  [...fresh.querySelectorAll("details")].forEach((one, at) => { one.open = open[at] ?? one.open; });
  for (const [view, span] of chosen) {
    const chart = fresh.querySelector(`[data-chart="${CSS.escape(view)}"]`);
    const usual = chart?.querySelector('[aria-pressed="true"]')?.dataset.span;
    if (chart && span && span !== usual) choose(chart, span);
  }
  [...fresh.querySelectorAll(".scroll")].forEach((one, at) => { [one.scrollLeft, one.scrollTop] = scrolled[at] ?? [0, 0]; });
  focus(fresh);
  showLocalTimes(fresh);
}

async function choose(chart, span) {
  wanted.set(chart, span);
  const then = chart.dataset.height ? `?height=${encodeURIComponent(chart.dataset.height)}` : "";
  const path = `/chart/${encodeURIComponent(chart.dataset.chart)}/${encodeURIComponent(span)}${then}`;
  let drawn;
  try {
    const answer = await fetch(path);
    if (!answer.ok) return; // the chart stays, and its button with it
    drawn = await answer.text();
  } catch { return; }
  if (wanted.get(chart) !== span) return;
  const box = chart.querySelector(".drawn");
  const focus = focusIn(box);
  box.innerHTML = drawn;
  focus(box);
  for (const button of chart.querySelectorAll("[data-span]")) {
    button.setAttribute("aria-pressed", String(button.dataset.span === span));
  }
}

function showLocalTimes(root) {
  for (const one of root.querySelectorAll("time[datetime]")) {
    const local = new Date(one.getAttribute("datetime"));
    one.title = `${local.toLocaleString()} (local time)`;
  }
}

function age(seconds) {
  if (seconds < 120) return `${Math.round(seconds)}\u00a0s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}\u00a0min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)}\u00a0h`;
  return `${Math.round(seconds / 86400)}\u00a0days`;
}

function showAges() {
  for (const one of document.querySelectorAll("time[data-age]")) {
    const seconds = (Date.now() - new Date(one.getAttribute("datetime"))) / 1000;
    if (seconds >= 0) one.textContent = age(seconds);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-span]");
  const chart = button?.closest("[data-chart]");
  if (chart) choose(chart, button.dataset.span);
});

function show(name, change) {
  if (late) late.set(name, change);
  else change();
}

function press() {
  clearTimeout(releasing);
  late ??= new Map();
}

function release() {
  const changes = late ?? new Map();
  late = null;
  for (const change of changes.values()) change();
}

window.addEventListener("pointerdown", press, true);
window.addEventListener("keydown", (event) => { if (event.key === " ") press(); }, true);
for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) {
  window.addEventListener(end, () => { // the click follows it, after a touch in a later task
    clearTimeout(releasing);
    releasing = setTimeout(release, 100);
  });
}

const RETRY_MS = 2_000;
let lost = ""; // why nothing comes; empty while the desk answers

function lose(words) {
  if (lost === words) return;
  lost = words;
  document.body.dataset.live = "lost";
  const said = document.createElement("span");
  said.className = "bad lost";
  said.textContent = words;
  document.querySelector("#line .lost")?.remove();
  document.getElementById("line").append(said);
}

function connect() {
  const events = new EventSource("/events");
  events.addEventListener("panel", (event) => {
    const { name, html } = JSON.parse(event.data);
    show(name, () => replacePanel(name, html));
  });
  events.addEventListener("line", (event) => {
    const { html } = JSON.parse(event.data);
    show("line", () => {
      document.getElementById("line").innerHTML = html;
      document.body.dataset.live = "current";
      showLocalTimes(document.getElementById("line"));
      showAges();
    });
  });
  events.addEventListener("open", () => { lost = ""; });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) connectAnew(); // an answer that is no stream: the browser does not ask again
    else lose("the desk does not answer: these are the last figures");
  });
}

/** After a refusal of the desk, or of what stands before it. A session may have ended, and be opened anew in another tab. */
async function connectAnew() {
  const status = await fetch("/events", { method: "HEAD" }).then((answer) => answer.status, () => 0);
  lose(status === 401 ? "this session has ended: open the page anew; these are the last figures"
    : "the desk does not answer: these are the last figures");
  setTimeout(connect, RETRY_MS);
}

showLocalTimes(document);
showAges();
setInterval(showAges, 1000);
if (live) connect();
