"use strict";
// The report's page without this script lacks nothing but comfort.
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  document.body.append(tip);

  let shown = null;
  function show(mark) {
    shown?.classList.remove("shown");
    shown = mark;
    tip.textContent = mark ? mark.tip : "";
    tip.classList.toggle("open", Boolean(mark));
    if (!mark) return;
    mark.classList.add("shown");
    const at = mark.getBoundingClientRect();
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    const left = Math.max(8, Math.min(at.left + at.width / 2 - tip.offsetWidth / 2, room));
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = `${left + scrollX}px`;
    tip.style.top = `${(above < 0 ? at.bottom + 8 : above) + scrollY}px`;
  }

  // How far a point is from a mark, 0 inside of it.
  function distance(mark, x, y) {
    const at = mark.getBoundingClientRect();
    return Math.hypot(Math.max(at.left - x, 0, x - at.right), Math.max(at.top - y, 0, y - at.bottom));
  }

  // A chart shows its values to a pointer, to a finger, and to the arrow keys.
  for (const chart of document.querySelectorAll("svg.chart")) {
    const marks = [...chart.querySelectorAll("title")].map((title) => {
      const mark = title.parentNode;
      mark.tip = title.textContent;
      title.remove(); // the browser's own would come on top, and late
      return mark;
    });
    if (!marks.length) continue;
    const near = (event) => {
      const far = marks.map((mark) => distance(mark, event.clientX, event.clientY));
      const least = Math.min(...far);
      show(least < 24 ? marks[far.indexOf(least)] : null);
    };
    chart.addEventListener("pointermove", near);
    chart.addEventListener("pointerdown", near);
    chart.addEventListener("pointerleave", () => show(null));
    chart.addEventListener("blur", () => show(null));
    chart.addEventListener("focus", () => {
      // From left to right, bars from top to bottom: not as the rows stand.
      const place = new Map(marks.map((mark) => [mark, mark.getBoundingClientRect()]));
      marks.sort((a, b) => Math.round(place.get(a).left - place.get(b).left) || place.get(a).top - place.get(b).top);
      if (chart.matches(":focus-visible")) show(marks[0]);
    });
    chart.addEventListener("keydown", (event) => {
      const place = marks.indexOf(shown);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") show(null);
      else if (event.key === "Home") show(marks[0]);
      else if (event.key === "End") show(marks.at(-1));
      else if (step) show(marks[Math.max(0, Math.min(place + step, marks.length - 1))]);
      else return;
      event.preventDefault();
    });
    chart.tabIndex = 0;
  }

  // What is open is what paper shows: all of a kind can be opened at once.
  for (const button of document.querySelectorAll("button[data-opens]")) {
    const all = [...document.querySelectorAll(`details.${button.dataset.opens}`)];
    const update = () => button.setAttribute("aria-pressed", String(all.every((details) => details.open)));
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-pressed") !== "true";
      for (const details of all) details.open = open;
      update();
    });
    for (const details of all) details.addEventListener("toggle", update);
    button.hidden = !all.length;
    update();
  }
})();
