// The SQL console: editor with completion, parameters, history, link, result, export, cancel.

import { choicesAt, parametersIn, placeOf, wordBefore } from "./completion.js";

const HISTORY = "counterpoise-sql-history";
const KEPT = 50;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const LONGEST_ANSWER_MS = 15_000; // longer than the desk waits for a free connection
const at = (id) => document.getElementById(id);
const base = new URL("sql/", document.baseURI);
const editor = at("sql");
const choices = at("choices");
let names = { tables: [], functions: [], keywords: [], queries: [] };
let offered = [];
let chosen = 0;
let running = null;

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  if (text !== "") made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function say(text, isError = false) {
  at("state").textContent = text;
  at("state").classList.toggle("error", isError);
}

// Parameters

function parameterValues() {
  return Object.fromEntries([...at("parameters").querySelectorAll("input")].map((one) => [one.name, one.value]));
}

function showParameters(given = {}) {
  const before = { ...parameterValues(), ...given };
  const query = names.queries.find((one) => one.name === at("named").value);
  const fields = parametersIn(editor.value).map(({ name, type }) => {
    const known = query?.parameters.find((one) => one.name === name);
    const label = element("label", `${name} (${type}) `);
    label.append(element("input", "", { name, value: before[name] ?? known?.default ?? "", title: known?.meaning ?? type }));
    return label;
  });
  at("parameters").replaceChildren(...fields);
}

// Completion

function closeChoices() {
  offered = [];
  choices.hidden = true;
  at("offered").textContent = "";
  editor.removeAttribute("aria-activedescendant");
}

function showChoices(asked) {
  const { word, owner } = wordBefore(editor.value, editor.selectionStart);
  if (!asked && word.length < 2 && !owner) return closeChoices();
  offered = choicesAt(editor.value, editor.selectionStart, names);
  if (!offered.length) return closeChoices();
  chosen = 0;
  choices.replaceChildren(...offered.map((one, place) => {
    const item = element("li", "", { role: "option", id: `choice-${place}`, "aria-selected": String(place === 0) });
    item.append(element("b", one.text), element("span", one.kind), element("small", one.detail));
    item.addEventListener("mousedown", (event) => { event.preventDefault(); take(place); });
    return item;
  }));
  choices.hidden = false;
  at("offered").textContent = `${offered.length} completions`;
  editor.setAttribute("aria-activedescendant", "choice-0");
}

function move(step) {
  chosen = (chosen + step + offered.length) % offered.length;
  [...choices.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === chosen)));
  choices.children[chosen].scrollIntoView({ block: "nearest" });
  editor.setAttribute("aria-activedescendant", `choice-${chosen}`);
}

function take(place) {
  const { start } = wordBefore(editor.value, editor.selectionStart);
  editor.setRangeText(offered[place].text, start, editor.selectionStart, "end");
  closeChoices();
  showParameters();
  editor.focus();
}

editor.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); closeChoices(); return void run(); }
  if (event.key === " " && event.ctrlKey) { event.preventDefault(); return showChoices(true); }
  if (!offered.length) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); move(event.key === "ArrowDown" ? 1 : -1); }
  else if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); take(chosen); }
  else if (event.key === "Escape") { event.preventDefault(); closeChoices(); }
});
editor.addEventListener("input", (event) => {
  showParameters();
  if (event.inputType === "insertText" || event.inputType === "deleteContentBackward") showChoices(false);
  else closeChoices(); // pasted or replaced: no word is half typed
});
editor.addEventListener("blur", closeChoices);

// History and link

function readHistory() {
  try {
    const found = JSON.parse(localStorage.getItem(HISTORY) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one?.sql === "string") : [];
  } catch { return []; }
}

function remember(sql, parameters) {
  const kept = [{ sql, parameters, when: new Date().toISOString() }, ...readHistory().filter((one) => one.sql !== sql)];
  try { localStorage.setItem(HISTORY, JSON.stringify(kept.slice(0, KEPT))); } catch { /* a full or closed store keeps nothing */ }
  showHistory();
}

function showHistory() {
  const items = readHistory().map((one, place) =>
    element("option", `${one.when?.slice(0, 16).replace("T", " ")}  ${one.sql.replace(/\s+/g, " ").slice(0, 70)}`, { value: place }));
  at("history").replaceChildren(element("option", items.length ? "choose" : "none", { value: "" }), ...items);
}

at("history").addEventListener("change", () => {
  const one = readHistory()[Number(at("history").value)];
  if (one) write(one.sql, one.parameters);
});

function write(sql, parameters = {}) {
  editor.value = sql;
  showParameters(parameters);
}

function linkOf(sql, parameters) {
  const query = new URLSearchParams({ sql });
  for (const [name, value] of Object.entries(parameters)) query.set(`p.${name}`, value);
  return `${location.href.split("#")[0]}#${query}`;
}

function readLink() {
  const query = new URLSearchParams(location.hash.slice(1));
  if (!query.has("sql")) return;
  const parameters = [...query].filter(([name]) => name.startsWith("p.")).map(([name, value]) => [name.slice(2), value]);
  write(query.get("sql"), Object.fromEntries(parameters));
}

at("link").addEventListener("click", async () => {
  const link = linkOf(editor.value, parameterValues());
  history.replaceState(null, "", link);
  try { await navigator.clipboard.writeText(link); say("The link is in the clipboard and in the address bar."); }
  catch { say("The link is in the address bar."); }
});
addEventListener("hashchange", readLink);

// Statements

function statement() {
  return { sql: editor.value, parameters: parameterValues(), query_id: crypto.randomUUID() };
}

function send(path, body) {
  return fetch(new URL(path, base), {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "same-origin",
  });
}

function busy(id) {
  running = id;
  at("run").disabled = id !== null;
  at("cancel").disabled = id === null;
  for (const one of document.querySelectorAll(".export")) one.disabled = id !== null;
}

/** What a refusal says: JSON with a message, or the plain line of whatever stands before the console. */
async function refusalOf(answer) {
  const text = await answer.text().catch(() => "");
  try {
    const found = JSON.parse(text);
    if (typeof found?.message === "string") return found;
  } catch { /* a plain line */ }
  return { message: text.trim().slice(0, 500) || `The desk answers ${answer.status}.` };
}

function showError(found) {
  say(found.message, true);
  at("pointer").textContent = found.pointer ?? "";
  at("pointer").hidden = !found.pointer;
  if (found.line) {
    const place = placeOf(editor.value, found.line, found.column);
    editor.focus();
    editor.setSelectionRange(place, place + 1);
  }
}

async function during(asked, path, show) {
  if (running !== null || !asked.sql.trim()) return;
  busy(asked.query_id);
  at("pointer").hidden = true;
  say("running");
  try {
    const answer = await send(path, asked);
    if (answer.ok) await show(answer);
    else showError(await refusalOf(answer));
  } catch { say("The desk does not answer.", true); }
  finally { busy(null); }
}

async function run() {
  const asked = statement();
  await during(asked, "run", async (answer) => {
    const found = await answer.json();
    remember(asked.sql, asked.parameters);
    history.replaceState(null, "", linkOf(asked.sql, asked.parameters));
    showResult(found);
    const rows = `${found.rows.length.toLocaleString("en")} row${found.rows.length === 1 ? "" : "s"}`;
    say(`${rows}${found.more ? " shown, there are more: export them, or set LIMIT" : ""}, ${found.seconds} s`);
  });
}

function showResult(found) {
  const table = document.querySelector("#result table");
  const head = element("tr");
  head.append(...found.columns.map((one) => element("th", one.name, { scope: "col", title: one.type })));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...found.rows.map((row) => {
    const line = element("tr");
    line.append(...row.map((cell, place) => element("td", cell, found.columns[place].numeric ? { class: "number" } : {})));
    return line;
  }));
  const plot = found.plot ? new DOMParser().parseFromString(found.plot, "image/svg+xml").documentElement : null;
  at("plot").replaceChildren(...(plot ? [document.importNode(plot, true)] : []));
  at("result").hidden = false;
}

for (const button of document.querySelectorAll(".export")) {
  button.addEventListener("click", () => {
    const format = button.dataset.format;
    during({ ...statement(), format }, "export", async (answer) => {
      const link = element("a", "", { download: `result.${format}` });
      link.href = URL.createObjectURL(await answer.blob());
      link.click();
      URL.revokeObjectURL(link.href);
      const first = Number(answer.headers.get("X-First-Rows"));
      say(first ? `result.${format} is saved with the first ${first.toLocaleString("en")} rows; there are more.`
        : `result.${format} is saved.`, first > 0);
    });
  });
}
at("run").addEventListener("click", run);
at("cancel").addEventListener("click", () => { if (running) send("cancel", { query_id: running }); });

// Named queries and tables

at("named").addEventListener("change", () => {
  const query = names.queries.find((one) => one.name === at("named").value);
  at("about-query").hidden = !query;
  if (!query) return;
  at("about-query").textContent = query.description;
  at("parameters").replaceChildren();
  write(query.sql);
});

function showTables() {
  const wanted = at("filter").value.toLowerCase();
  const shown = names.tables.filter((table) =>
    table.name.includes(wanted) || table.columns.some((one) => one.name.includes(wanted)));
  at("tables").replaceChildren(...shown.map((table) => {
    const entry = element("details");
    entry.append(element("summary", table.name, { title: table.comment }), element("p", table.comment, { class: "about" }));
    const list = element("dl");
    for (const one of table.columns) list.append(element("dt", `${one.name} ${one.type}`), element("dd", one.comment));
    entry.append(list);
    return entry;
  }));
}
at("filter").addEventListener("input", showTables);

async function readNames() {
  let answer;
  const signal = AbortSignal.timeout(LONGEST_ANSWER_MS);
  try { answer = await fetch(new URL("schema", base), { credentials: "same-origin", signal }); }
  catch { throw new Error("The desk does not answer."); }
  if (!answer.ok) throw new Error((await refusalOf(answer)).message);
  try { return await answer.json(); }
  catch { throw new Error("The desk's answer was cut off."); }
}

/** The names, asked for again until they come; statements run without them, and what they say stays. */
async function start() {
  showHistory();
  readLink();
  let own = "";
  const sayOwn = (text, isError = false) => {
    if (at("state").textContent !== own) return;
    own = text;
    say(text, isError);
  };
  sayOwn("reading the names of tables");
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try { names = await readNames(); break; }
    catch (error) { sayOwn(`${error.message} The names of tables will be asked for again.`, true); }
    await new Promise((done) => setTimeout(done, pause));
  }
  at("limits").textContent = `Limits: ${names.limits.join(", ")}.`;
  at("named").append(...names.queries.map((one) => element("option", one.name, { value: one.name })));
  showTables();
  showParameters();
  sayOwn("ready");
}
start();
