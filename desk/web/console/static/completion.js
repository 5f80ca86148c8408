// What the editor offers at a place of a statement. Pure: text, place and names in, choices out.

const WORD = /[A-Za-z_][A-Za-z0-9_]*$/;

/** The word that ends at `at`, and the table name with a dot before it ("" without one). */
export function wordBefore(text, at) {
  const head = text.slice(0, at);
  const word = WORD.exec(head)?.[0] ?? "";
  const before = head.slice(0, head.length - word.length);
  const owner = before.endsWith(".") ? WORD.exec(before.slice(0, -1))?.[0] ?? "" : "";
  return { word, owner, start: at - word.length };
}

/** Tables that a statement names after FROM or JOIN, by alias and by name. */
export function tablesIn(text, tables) {
  const known = new Map(tables.map((table) => [table.name, table]));
  const found = new Map();
  for (const [, name, , alias] of text.matchAll(/\b(?:FROM|JOIN)\s+([A-Za-z_]\w*)(\s+(?:AS\s+)?([A-Za-z_]\w*))?/gi)) {
    const table = known.get(name);
    if (!table) continue;
    found.set(name, table);
    if (alias) found.set(alias, table);
  }
  return found;
}

/** At most `most` choices {text, kind, detail} for the place `at`: columns of the named tables first. */
export function choicesAt(text, at, names, most = 12) {
  const { word, owner, start } = wordBefore(text, at);
  const used = tablesIn(text, names.tables);
  const columns = (table) =>
    table.columns.map((one) => ({ text: one.name, kind: "column", detail: `${one.type}  ${one.comment}` }));
  let pool;
  if (owner) {
    const table = used.get(owner) ?? names.tables.find((one) => one.name === owner);
    pool = table ? columns(table) : [];
  } else {
    const own = [...new Set(used.values())].flatMap(columns);
    const tables = names.tables.map((one) => ({ text: one.name, kind: "table", detail: one.comment }));
    const afterFrom = /\b(?:FROM|JOIN)\s+$/i.test(text.slice(0, start));
    const functions = names.functions.map((one) => ({
      text: `${one.name}(`, kind: "function", detail: one.aggregate ? "aggregate" : "",
    }));
    const keywords = names.keywords.map((one) => ({ text: one, kind: "keyword", detail: "" }));
    pool = afterFrom ? tables : [...own, ...tables, ...keywords, ...functions];
  }
  const wanted = word.toLowerCase();
  if (wanted && pool.some((one) => one.text.toLowerCase() === wanted)) return []; // the word is whole
  const seen = new Set();
  const fits = pool.filter((one) => {
    const name = one.text.toLowerCase();
    if (!name.includes(wanted) || seen.has(one.text)) return false;
    seen.add(one.text);
    return true;
  });
  const rank = (one) => (one.text.toLowerCase().startsWith(wanted) ? 0 : 1);
  return fits
    .map((one, place) => ({ one, place }))
    .sort((a, b) => rank(a.one) - rank(b.one) || a.place - b.place)
    .slice(0, most)
    .map(({ one }) => one);
}

/** The names of {name:Type} parameters of a statement, in order. */
export function parametersIn(text) {
  const found = new Map();
  for (const [, name, type] of text.matchAll(/\{(\w+):([^}]+)\}/g)) found.set(name, type);
  return [...found].map(([name, type]) => ({ name, type }));
}

/** The index of a line and column (both from 1) in a text. */
export function placeOf(text, line, column) {
  const lines = text.split("\n");
  return lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
}
