"use strict";
// Sorting by a column: its button. Numbers as numbers, cells without one last.
const number = (text) => parseFloat(text.replaceAll(",", ""));

function sortBy(table, column, ascending) {
  const numeric = table.tHead.rows[0].cells[column].classList.contains("number");
  const key = (row) => (numeric ? number(row.cells[column].textContent) : row.cells[column].textContent);
  const compare = (a, b) => (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [key(row), row]);
  const known = keyed.filter(([value]) => !Number.isNaN(value)).sort(([a], [b]) => (ascending ? compare(a, b) : compare(b, a)));
  const unknown = keyed.filter(([value]) => Number.isNaN(value));
  body.append(...[...known, ...unknown].map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const ascending = now ? now === "descending" : !head.classList.contains("number");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortBy(table, column, ascending);
    });
  });
}

// Gene tables: which model, and which genes (any of the words typed).
for (const genes of document.querySelectorAll(".genes")) {
  const [select, input, count] = ["select", "input", ".count"].map((name) => genes.querySelector(name));
  const show = () => {
    const words = input.value.toLowerCase().split(/[\s,;]+/).filter(Boolean);
    for (const part of genes.querySelectorAll("[data-model]")) {
      part.hidden = part.dataset.model !== select.value;
      if (part.hidden) continue;
      const rows = [...part.querySelectorAll("tbody tr")];
      for (const row of rows) {
        const gene = row.cells[0].textContent.toLowerCase();
        row.hidden = words.length > 0 && !words.some((word) => gene.includes(word));
      }
      count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} genes`;
    }
  };
  select.addEventListener("change", show);
  input.addEventListener("input", show);
  show();
}
