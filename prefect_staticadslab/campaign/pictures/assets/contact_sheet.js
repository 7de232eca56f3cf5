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
// Until the script has looked, what is far below is not laid out: that takes seconds for thousands.
document.documentElement.classList.add("loading");
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

// So many cards are on the page at first, and more with every step down.
const STEP = 300;

document.addEventListener("DOMContentLoaded", () => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const cards = [...document.querySelectorAll(".card")].map((card) => {
    const [row, key, cost, variantOf, facets, cells] = data.rows[card.dataset.place];
    const place = Number(card.dataset.place);
    return { card, place, row, key, cost, variantOf, facets, cells, home: card.parentElement };
  });
  const byCard = new Map(cards.map((one) => [one.card, one]));
  const homes = [...document.querySelectorAll("[data-home]")];
  const search = byId("search");
  const selects = [...document.querySelectorAll("select[data-facet]")];
  const group = byId("group");
  const only = byId("only");
  const more = byId("more");
  const { set: favourites, keep } = keptSet(`staticadslab-favourites-${data.id}`);
  if (isLost) byId("lost").hidden = false;

  const isFavourite = (one) => favourites.has(one.key);
  const facetOf = (one, name) => one.facets[data.facets.indexOf(name)];
  const adsAndCost = (count, cost) => (cost ? `${count}, ${cost.toFixed(2)} USD` : count);
  const ads = (count) => `${count} ${count === 1 ? "ad" : "ads"}`;

  // Which cards there are in which order; the first of them that fit are on the page.
  let ordered = cards;
  let fitting = [];
  let onPage = 0;
  let grids = new Map();

  function textOf(one) {
    one.text ??= [one.card.querySelector(".about").textContent, ...one.cells].join("\n").toLowerCase();
    return one.text;
  }

  // The group that a card is in by now: one of the page's own two, or that of its brand, say.
  function groupOf(one) {
    switch (group?.value ?? "") {
      case "": return one.home;
      case "variants": return one.isAlone ? "" : one.variantOf;
      default: return facetOf(one, group.value);
    }
  }

  function arrange() {
    const sizes = new Map();
    for (const one of cards) sizes.set(one.variantOf, (sizes.get(one.variantOf) ?? 0) + 1);
    for (const one of cards) one.isAlone = sizes.get(one.variantOf) === 1;
    if (!group?.value) {
      ordered = cards;
      return;
    }
    const compare = new Intl.Collator(undefined, { numeric: true }).compare;
    const byName = (a, b) => (a === "") - (b === "") || (typeof a === "number" ? a - b : compare(a, b));
    const ranks = new Map([...new Set(cards.map(groupOf))].sort(byName).map((name, rank) => [name, rank]));
    ordered = [...cards].sort((a, b) => ranks.get(groupOf(a)) - ranks.get(groupOf(b))
      || a.variantOf - b.variantOf || a.place - b.place);
  }

  // The grid for a group's cards, in a section of its own.
  function gridOf(name) {
    if (grids.has(name)) return grids.get(name);
    const content = fitting.filter((one) => groupOf(one) === name);
    let title = name || "not known";
    if (group.value === "variants") {
      title = name === "" ? "Without variants" : content[0].card.querySelector("h3").textContent;
    }
    const count = adsAndCost(ads(content.length), content.reduce((sum, one) => sum + one.cost, 0));
    const heading = element("h2", { id: `group-${grids.size}` }, `${title} `, element("small", {}, count));
    const grid = element("div", { className: "cards" });
    const section = element("section", { className: "group" }, heading, grid);
    section.setAttribute("aria-labelledby", heading.id);
    byId("ads").append(section);
    grids.set(name, grid);
    return grid;
  }

  // Puts the next cards on the page.
  function fill(count) {
    const end = Math.min(fitting.length, onPage + count);
    for (; onPage < end; onPage += 1) {
      const one = fitting[onPage];
      dress(one);
      const name = groupOf(one);
      (name instanceof Element ? name : gridOf(name)).append(one.card);
    }
    for (const home of homes) home.hidden = !home.querySelector(".card");
    more.hidden = onPage === fitting.length;
  }

  // Shows what fits the search and the filters, and says how many these are.
  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = selects.filter((s) => s.value).map((s) => [data.facets.indexOf(s.dataset.facet), s.value.trim()]);
    const onlyFavourites = only.getAttribute("aria-pressed") === "true";
    fitting = ordered.filter((one) => wanted.every(([facet, value]) => one.facets[facet] === value)
      && (!onlyFavourites || isFavourite(one))
      && words.every((word) => textOf(one).includes(word)));
    for (const section of document.querySelectorAll(".group:not([data-home])")) section.remove();
    for (const home of homes) home.querySelector(".cards").replaceChildren();
    grids = new Map();
    onPage = 0;
    fill(STEP);
    const all = fitting.length === cards.length ? ads(cards.length) : `${fitting.length} of ${ads(cards.length)}`;
    byId("shown").textContent = adsAndCost(all, fitting.reduce((sum, one) => sum + one.cost, 0));
    byId("none").hidden = fitting.length > 0;
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

  // Gives a card its buttons, once it is seen.
  function dress(one) {
    if (one.isDressed) return;
    one.isDressed = true;
    const star = element("button", { type: "button", className: "star" });
    star.setAttribute("aria-label", `Favourite, row ${one.row}`);
    const columns = element("button", { type: "button", className: "more" }, "All columns");
    columns.setAttribute("aria-label", `All columns of row ${one.row}`);
    columns.setAttribute("aria-expanded", "false");
    one.card.append(element("div", { className: "actions" }, star, columns));
    mark(one, star);
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
    byId("told").textContent = rows.value ? `Copied: ${rows.value}` : "Mark favourites with ☆ first.";
  });
  byId("clear").addEventListener("click", () => {
    search.value = "";
    for (const select of selects) select.value = "";
    if (group) group.value = "";
    only.setAttribute("aria-pressed", "false");
    arrange();
    show();
  });
  for (const select of selects) select.addEventListener("change", show);
  group?.addEventListener("change", () => { arrange(); show(); });
  search.addEventListener("input", show);
  more.addEventListener("click", () => fill(STEP));
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) fill(STEP);
  }, { rootMargin: "1500px" }).observe(more);
  window.addEventListener("beforeprint", () => {
    fill(Infinity);
    for (const image of document.querySelectorAll(".card img")) image.loading = "eager";
  });

  document.querySelector(".tools").hidden = false;
  if (window.matchMedia("(max-width: 700px)").matches) document.querySelector(".choices").open = false;
  tellFavourites();
  arrange();
  show();
  document.documentElement.classList.remove("loading");
});
