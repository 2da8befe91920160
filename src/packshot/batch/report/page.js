"use strict";
// The page is whole without this: it only hides and sorts what is there.
const form = document.getElementById("controls");
const list = document.getElementById("photos");
const cards = [...list.children];
const words = new Intl.Collator(undefined, { numeric: true });
const sure = (card) => (card.dataset.confidence === "" ? -1 : Number(card.dataset.confidence));
const orders = {
  place: (a, b) => a.dataset.place - b.dataset.place,
  confidence: (a, b) => sure(a) - sure(b) || a.dataset.place - b.dataset.place,
  name: (a, b) => words.compare(a.dataset.name, b.dataset.name),
};

function show() {
  const state = form.elements.state.value;
  const part = form.elements.name.value.trim().toLowerCase();
  let count = 0;
  for (const card of cards) {
    card.hidden = (state !== "" && !card.dataset.states.split(" ").includes(state)) || !card.dataset.name.includes(part);
    count += !card.hidden;
  }
  form.querySelector("output").textContent = `${count.toLocaleString()} shown`;
}

form.hidden = false;
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
form.elements.sort.addEventListener("change", () => list.append(...cards.sort(orders[form.elements.sort.value])));
show();
