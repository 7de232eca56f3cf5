"use strict";
const cards = [...document.querySelectorAll(".card")].map(
  (element) => ({ element, status: element.dataset.status, text: element.textContent.toLowerCase() }),
);
const buttons = [...document.querySelectorAll("button[data-status]")];
const search = document.getElementById("search");
const none = document.getElementById("none");
let status = "";

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const card of cards) {
    const fits = (!status || card.status === status) && words.every((w) => card.text.includes(w));
    card.element.hidden = !fits;
    shown += fits;
  }
  none.hidden = shown > 0;
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    status = button.dataset.status;
    for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
    show();
  });
}
search.addEventListener("input", show);
// A picture to compare with may be gone; the one that counts is shown all the same.
for (const image of document.querySelectorAll(".pictures > :not(:last-child) img")) {
  const hide = () => { image.parentElement.hidden = true; };
  image.addEventListener("error", hide);
}
