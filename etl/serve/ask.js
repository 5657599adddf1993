// The page to ask on: sends what is typed, shows what comes back. All of it is set as text, never as HTML.
"use strict";

const KINDS = { none: "none", bar: "bars", column: "columns", line: "line", heatmap: "heatmap" };
const token = document.querySelector("meta[name=token]").content;
const at = (id) => document.getElementById(id);
const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
const isWide = () => matchMedia("(min-width: 56rem)").matches;
let shown = null; // the question whose rows are on the page, or that is waited for
let examples = [];
let picture = ""; // the address of the chart that is shown

function made(kind, text, className) {
  const one = document.createElement(kind);
  if (text !== undefined) one.textContent = text;
  if (className) one.className = className;
  return one;
}

function link(text, act) {
  const one = made("button", text, "link");
  one.type = "button";
  one.addEventListener("click", act);
  return one;
}

async function call(path, body) {
  const headers = { "X-Warehouse-Token": token, "Content-Type": "application/json" };
  const given = body === undefined ? {} : { method: "POST", headers, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, given);
  } catch {
    throw new Error("the server does not answer; start ./warehouse serve again, then load this page again");
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function tell(text, className = "") {
  at("status").textContent = text;
  at("status").className = className;
}

const guarded = (act) => (...given) => act(...given).catch((error) => tell(error.message, "failed"));
const counted = (number, what) => `${number.toLocaleString("en-GB")} ${what}${number === 1 ? "" : "s"}`;
const lasted = (seconds) => `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;

// What can be asked about

function insert(name) {
  const box = at("sql");
  box.setRangeText(name, box.selectionStart, box.selectionEnd, "end");
  box.focus();
}

function shelved(table) {
  const one = made("details");
  one.append(made("summary", table.name), made("p", table.title, "quiet"));
  const list = made("ul");
  for (const column of [{ name: table.name, type: "", comment: "the table" }, ...table.columns]) {
    const item = made("li");
    const type = column.type.length > 40 ? `${column.type.slice(0, 40)}…` : column.type;
    item.append(link(column.name, () => insert(column.name)), made("span", ` ${type}`, "quiet"));
    if (column.comment) item.append(made("p", column.comment, "quiet"));
    list.append(item);
  }
  one.append(list);
  return one;
}

async function fill() {
  const found = await call("/api/shelf");
  examples = found.examples;
  for (const example of examples) {
    const item = made("li");
    item.append(link(example.title, () => {
      at("sql").value = example.sql;
      at("examples").open = isWide();
      at("sql").focus();
    }));
    at("examples").querySelector("ul").append(item);
  }
  at("tables").append(...found.tables.map(shelved));
  at("examples").open = at("tables").open = isWide();
}

// Asking

async function run() {
  at("result").hidden = true;
  tell("");
  await follow(await call("/api/questions", { sql: at("sql").value }));
}

async function follow(question) {
  shown = question.id;
  for (let pause = 0.1; question.state === "running"; pause = Math.min(1, pause * 1.5)) {
    waiting(question);
    await wait(pause);
    if (shown !== question.id) return; // another one was asked for meanwhile
    question = await call(`/api/questions/${question.id}`);
  }
  at("cancel").hidden = true;
  at("progress").textContent = "";
  show(question);
  await list();
}

function waiting(question) {
  const share = question.share === null ? "" : `, ${Math.round(100 * question.share)}% done`;
  at("cancel").hidden = false;
  at("cancel").disabled = question.is_given_up;
  at("progress").textContent = `${question.seconds.toFixed(0)} s${share}`;
  const text = question.is_given_up ? "Cancelling…" : "Running…";
  if (at("status").textContent !== text) {
    tell(text);
    guarded(list)();
  }
}

function ending(question) {
  const after = lasted(question.seconds);
  if (question.state === "done") {
    const cut = question.is_cut ? ", the first of more" : "";
    return `${counted(question.row_count, "row")}${cut}, in ${after}`;
  }
  return question.state === "cancelled" ? `cancelled after ${after}` : question.error;
}

function show(question) {
  tell(ending(question), question.state);
  at("result").hidden = question.state !== "done" || !question.rows;
  if (at("result").hidden) return;
  const head = made("tr");
  question.columns.forEach((name, place) => {
    const cell = made("th", name, question.numeric[place] ? "number" : "");
    cell.scope = "col";
    head.append(cell);
  });
  const body = made("tbody");
  for (const row of question.rows) {
    const line = made("tr");
    row.forEach((value, place) => {
      const kinds = [value === null && "null", value?.includes("\n") && "lines", question.numeric[place] && "number"];
      line.append(made("td", value ?? "NULL", kinds.filter(Boolean).join(" ")));
    });
    body.append(line);
  }
  const top = made("thead");
  top.append(head);
  at("rows").replaceChildren(top, body);
  at("file").href = `/api/questions/${question.id}/rows.csv`;
  at("about-file").textContent = question.is_cut ? ": asked again, for all of its rows" : ": these rows";
  offer(question);
}

// The chart

function offer(question) {
  const numbers = question.columns.filter((_, place) => question.numeric[place]);
  at("drawing").hidden = !numbers.length || !question.rows.length;
  if (at("drawing").hidden) return;
  const example = examples.find((one) => one.sql === question.sql);
  const { kind, x, y, color } = example ? example.chart : question.chart;
  const [measure, axis, second] = { bar: [x, y, color], heatmap: [color, x, y] }[kind] || [y, x, color];
  choose("kind", Object.keys(KINDS), kind, KINDS);
  choose("measure", numbers, measure || numbers.at(-1));
  choose("axis", question.columns, axis || question.columns[0]);
  choose("second", ["", ...question.columns], second, { "": "nothing else" });
  for (const id of ["kind", "measure", "axis", "second"]) at(id).onchange = guarded(() => draw(question));
  guarded(() => draw(question))();
}

function choose(id, values, chosen, names = {}) {
  at(id).replaceChildren(...values.map((value) => {
    const one = made("option", names[value] ?? value);
    one.value = value;
    one.selected = value === chosen;
    return one;
  }));
}

async function draw(question) {
  const [kind, measure, axis, second] = ["kind", "measure", "axis", "second"].map((id) => at(id).value);
  for (const id of ["measure", "axis", "second"]) at(id).parentElement.hidden = kind === "none";
  at("chart").hidden = true;
  at("caption").textContent = "";
  if (kind === "none") return;
  if (kind === "heatmap" && !second) {
    at("caption").textContent = "A heatmap has two axes: choose a second one.";
    return;
  }
  const channels = {
    bar: { x: measure, y: axis, color: second },
    heatmap: { x: axis, y: second, color: measure },
  }[kind] || { x: axis, y: measure, color: second };
  const width = at("drawing").clientWidth < 560 ? "narrow" : "wide";
  const answer = await fetch(`/api/questions/${question.id}/chart.svg?${new URLSearchParams({ kind, width, ...channels })}`);
  if (!answer.ok) throw new Error((await answer.json()).error);
  URL.revokeObjectURL(picture);
  picture = URL.createObjectURL(await answer.blob());
  at("chart").src = picture;
  at("chart").alt = `${KINDS[kind]}: ${measure} by ${axis}${second ? ` and ${second}` : ""}; the rows below say the same`;
  at("chart").hidden = false;
  const drawn = Number(answer.headers.get("X-Rows-Drawn"));
  if (drawn < question.rows.length) at("caption").textContent = `Drawn from the first ${counted(drawn, "row")}.`;
}

// What was asked

function kept(question) {
  const item = made("li");
  const sql = question.sql.trim().replace(/\s+/g, " ");
  const name = link(sql.length > 160 ? `${sql.slice(0, 160)}…` : sql || "(nothing)", guarded(async () => {
    at("sql").value = question.sql;
    await follow(await call(`/api/questions/${question.id}`));
  }));
  const time = new Date(question.asked_at).toLocaleTimeString("en-GB");
  const state = question.state === "running" ? `running for ${lasted(question.seconds)} ` : ending(question);
  const line = made("p", `${time}${question.is_file ? ", as CSV" : ""}: `, "quiet");
  line.append(made("span", state, question.state));
  if (question.state === "running" && !question.is_given_up) line.append(link("cancel", () => cancel(question.id)));
  item.append(name, line);
  return item;
}

async function list() {
  const { questions } = await call("/api/questions");
  at("past").hidden = !questions.length;
  at("past").querySelector("ol").replaceChildren(...questions.map(kept));
}

const cancel = guarded(async (id) => {
  await call(`/api/questions/${id}/cancel`, {});
  if (id === shown) {
    at("cancel").disabled = true;
    tell("Cancelling…");
  }
  await list();
});

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(run)();
});
at("sql").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("form").requestSubmit();
});
at("cancel").addEventListener("click", () => cancel(shown));
document.addEventListener("visibilitychange", () => document.hidden || guarded(list)());
guarded(fill)();
guarded(list)();
