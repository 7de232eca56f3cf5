"use strict";
// A picture that is not where the page expects it. Heard from the start: the first may be missing
// before the rest of the page is there.
function findElsewhere(image) {
  const place = image.closest(".picture");
  if (!place) return;
  const { web } = image.dataset;
  if (web) {
    delete image.dataset.web;
    image.src = web;
    if (place.href) place.href = web;
  } else if (place.nextElementSibling?.classList.contains("picture")) {
    // A picture to compare with may be gone; the one that counts is shown all the same.
    place.hidden = true;
    return;
  } else {
    place.classList.add("empty");
    place.textContent = "The picture is not here.";
    place.removeAttribute("href");
  }
  const lost = document.getElementById("lost");
  if (lost) lost.hidden = false;
}
let isLost = false;
document.addEventListener("error", (event) => {
  if (!(event.target instanceof HTMLImageElement)) return;
  isLost = true;
  findElsewhere(event.target);
}, true);

// Rows as a command takes them: 2-10,15.
function ranges(numbers) {
  const rows = [...new Set(numbers)].sort((a, b) => a - b);
  const spans = [];
  for (const row of rows) {
    const last = spans.at(-1);
    if (last && row === last[1] + 1) last[1] = row;
    else spans.push([row, row]);
  }
  return spans.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

// What is kept in the browser for this sheet, or, where it keeps nothing, until the page is closed.
function keptSet(name) {
  let values = [];
  try {
    values = JSON.parse(localStorage.getItem(name) ?? "[]");
  } catch { /* this browser keeps nothing for files */ }
  const set = new Set(Array.isArray(values) ? values : []);
  const keep = () => {
    try {
      localStorage.setItem(name, JSON.stringify([...set]));
      return true;
    } catch {
      return false;
    }
  };
  return { set, keep };
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

document.addEventListener("DOMContentLoaded", () => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const homes = [...document.querySelectorAll("[data-home]")];
  const cards = [...document.querySelectorAll(".card")].map((card) => {
    const [row, key, cost, variantOf, facets, cells] = data.rows[card.dataset.place];
    const place = Number(card.dataset.place);
    return { card, place, row, key, cost, variantOf, facets, cells, home: card.parentElement };
  });
  const search = byId("search");
  const selects = [...document.querySelectorAll("select[data-facet]")];
  const group = byId("group");
  const only = byId("only");
  const { set: favourites, keep } = keptSet(`staticadslab-favourites-${data.id}`);
  if (isLost) byId("lost").hidden = false;

  const isFavourite = (one) => favourites.has(one.key);
  const facetOf = (one, name) => one.facets[data.facets.indexOf(name)];

  function textOf(one) {
    one.text ??= [one.card.querySelector(".about").textContent, ...one.cells].join("\n").toLowerCase();
    return one.text;
  }

  // Says what is shown, and hides what is not.
  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = selects.filter((s) => s.value).map((s) => [data.facets.indexOf(s.dataset.facet), s.value.trim()]);
    const onlyFavourites = only.getAttribute("aria-pressed") === "true";
    let shown = 0;
    let cost = 0;
    for (const one of cards) {
      const fits = wanted.every(([facet, value]) => one.facets[facet] === value)
        && (!onlyFavourites || isFavourite(one))
        && words.every((word) => textOf(one).includes(word));
      if (one.card.hidden === fits) one.card.hidden = !fits;
      if (fits) {
        shown += 1;
        cost += one.cost;
      }
    }
    for (const section of document.querySelectorAll(".group")) {
      section.hidden = !section.querySelector(".card:not([hidden])");
    }
    const all = shown === cards.length ? `${shown} ads` : `${shown} of ${cards.length} ads`;
    byId("shown").textContent = cost ? `${all}, ${cost.toFixed(2)} USD` : all;
    byId("none").hidden = shown > 0;
  }

  // Puts the cards into sections, variants of one another side by side.
  function arrange() {
    const by = group?.value ?? "";
    for (const section of document.querySelectorAll(".group:not([data-home])")) section.remove();
    for (const home of homes) home.hidden = Boolean(by);
    if (!by) {
      const contents = new Map(homes.map((home) => [home.querySelector(".cards"), []]));
      for (const one of [...cards].sort((a, b) => a.place - b.place)) contents.get(one.home).push(one.card);
      for (const [grid, content] of contents) grid.replaceChildren(...content);
      return;
    }
    const groups = new Map();
    const sizes = new Map();
    for (const one of cards) sizes.set(one.variantOf, (sizes.get(one.variantOf) ?? 0) + 1);
    for (const one of cards) {
      const alone = sizes.get(one.variantOf) === 1;
      const name = by === "variants" ? (alone ? "" : one.variantOf) : facetOf(one, by);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(one);
    }
    const order = (a, b) => (a === "") - (b === "") || (typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
    const sections = [...groups.keys()].sort(order).map((name, number) => {
      const content = groups.get(name).sort((a, b) => a.variantOf - b.variantOf || a.place - b.place);
      const cost = content.reduce((sum, one) => sum + one.cost, 0);
      let title = name || "not known";
      if (by === "variants") title = name === "" ? "Without variants" : content[0].card.querySelector("h3").textContent;
      const heading = element("h2", { id: `group-${number}` }, `${title} `,
        element("small", {}, `${content.length} ads${cost ? `, ${cost.toFixed(2)} USD` : ""}`));
      const grid = element("div", { className: "cards" }, ...content.map((one) => one.card));
      const section = element("section", { className: "group" }, heading, grid);
      section.setAttribute("aria-labelledby", heading.id);
      return section;
    });
    byId("ads").append(...sections);
  }

  function tellFavourites() {
    const marked = cards.filter(isFavourite);
    byId("count").textContent = String(marked.length);
    byId("rows").value = ranges(marked.map((one) => one.row));
  }

  function mark(one, star) {
    const is = isFavourite(one);
    star.setAttribute("aria-pressed", String(is));
    star.textContent = is ? "★" : "☆";
    one.card.toggleAttribute("data-favourite", is);
  }

  function toggleColumns(one, button) {
    const opened = one.card.querySelector(".columns");
    button.setAttribute("aria-expanded", String(!opened));
    if (opened) {
      opened.remove();
      return;
    }
    const list = element("dl", { className: "columns" });
    one.cells.forEach((cell, column) => {
      if (cell) list.append(element("dt", {}, data.columns[column]), element("dd", {}, cell));
    });
    one.card.append(list);
  }

  for (const one of cards) {
    const star = element("button", { type: "button", className: "star" });
    star.setAttribute("aria-label", `Favourite, row ${one.row}`);
    const more = element("button", { type: "button", className: "more" }, "All columns");
    more.setAttribute("aria-label", `All columns of row ${one.row}`);
    more.setAttribute("aria-expanded", "false");
    one.card.append(element("div", { className: "actions" }, star, more));
    mark(one, star);
  }
  const byCard = new Map(cards.map((one) => [one.card, one]));
  byId("ads").addEventListener("click", (event) => {
    const button = event.target.closest(".actions button");
    const one = button && byCard.get(button.closest(".card"));
    if (!one) return;
    if (button.classList.contains("more")) {
      toggleColumns(one, button);
      return;
    }
    if (!favourites.delete(one.key)) favourites.add(one.key);
    mark(one, button);
    tellFavourites();
    byId("told").textContent = keep() ? "" : "This browser forgets them when the page is closed.";
  });
  only.addEventListener("click", () => {
    only.setAttribute("aria-pressed", String(only.getAttribute("aria-pressed") !== "true"));
    show();
  });
  byId("copy").addEventListener("click", async () => {
    const rows = byId("rows");
    rows.select();
    try {
      await navigator.clipboard.writeText(rows.value);
    } catch {
      document.execCommand("copy");
    }
    byId("told").textContent = rows.value ? "Copied." : "Mark favourites with ☆ first.";
  });
  byId("clear").addEventListener("click", () => {
    search.value = "";
    for (const select of selects) select.value = "";
    only.setAttribute("aria-pressed", "false");
    if (group?.value) {
      group.value = "";
      arrange();
    }
    show();
  });
  for (const select of selects) select.addEventListener("change", show);
  group?.addEventListener("change", () => { arrange(); show(); });
  search.addEventListener("input", show);
  window.addEventListener("beforeprint", () => {
    for (const image of document.querySelectorAll(".card:not([hidden]) img")) image.loading = "eager";
  });

  document.querySelector(".tools").hidden = false;
  if (window.matchMedia("(max-width: 700px)").matches) document.querySelector(".choices").open = false;
  tellFavourites();
  show();
});
