"use strict";
// Searches tables, questions and columns; without this script the page lacks only the search.
(() => {
  const form = document.getElementById("search");
  const field = form.querySelector("input");
  const count = form.querySelector("[role=status]");
  const columns = document.getElementById("columns");
  const rows = [...document.querySelectorAll("tr[data-text]")];
  const items = [...columns.querySelectorAll("li")];
  const sections = [...document.querySelectorAll("main > section")].filter((section) => section !== columns);
  const MOST = 60;

  function search() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (element) => words.every((word) => element.dataset.text.includes(word));
    for (const row of rows) row.hidden = !matches(row);
    const hits = words.length ? items.filter(matches) : [];
    for (const item of items) item.hidden = true;
    for (const item of hits.slice(0, MOST)) item.hidden = false;
    columns.hidden = !hits.length;
    for (const section of sections) {
      const own = [...section.querySelectorAll("tr[data-text]")];
      section.hidden = words.length > 0 && !own.some((row) => !row.hidden);
    }
    const listed = rows.filter((row) => !row.hidden).length;
    const more = hits.length > MOST ? `, of which the first ${MOST} are listed` : "";
    count.textContent = words.length ? `${listed} tables and questions, ${hits.length} columns${more}` : "";
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("input", search);
  search();
})();
