"use strict";
const cards = [...document.querySelectorAll(".card")].map(
  (element) => ({ element, text: element.textContent.toLowerCase() }),
);
const search = document.getElementById("search");
const none = document.getElementById("none");

search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const card of cards) {
    const fits = words.every((word) => card.text.includes(word));
    card.element.hidden = !fits;
    shown += fits;
  }
  none.hidden = shown > 0;
});
