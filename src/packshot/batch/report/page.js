"use strict";
// The page is whole without this: it only hides and sorts what is there.
const AT_ONCE = 240; // cards; to lay out 2,000 anew takes a second
const form = document.getElementById("controls");
const list = document.getElementById("photos");
const more = document.getElementById("more");
const cards = [...list.children];
const words = new Intl.Collator(undefined, { numeric: true });
const sure = (card) => (card.dataset.confidence === "" ? -1 : Number(card.dataset.confidence));
const orders = {
  place: (a, b) => a.dataset.place - b.dataset.place,
  confidence: (a, b) => sure(a) - sure(b) || a.dataset.place - b.dataset.place,
  name: (a, b) => words.compare(a.dataset.name, b.dataset.name),
};
let limit = AT_ONCE;

function show() {
  const state = form.elements.state.value;
  const part = form.elements.name.value.trim().toLowerCase();
  const fits = ({ dataset }) => (state === "" || dataset.states.split(" ").includes(state)) && dataset.name.includes(part);
  let count = 0;
  for (const card of cards) {
    const wanted = fits(card);
    count += wanted;
    card.hidden = !wanted || count > limit;
  }
  more.hidden = count <= limit;
  const shown = Math.min(count, limit).toLocaleString();
  form.querySelector("output").textContent = more.hidden ? `${shown} shown` : `${shown} of ${count.toLocaleString()} shown`;
}

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", (event) => {
  if (event.target.name === "sort") list.append(...cards.sort(orders[event.target.value]));
  limit = AT_ONCE;
  show();
});
more.addEventListener("click", () => {
  const next = cards.filter((card) => !card.hidden).length;
  limit += AT_ONCE;
  show();
  // For who has no mouse: go on at the first of the new ones, not at the end of them.
  cards.filter((card) => !card.hidden)[next]?.querySelector("a, summary")?.focus();
});
// A link to a card that is hidden shows it first, whatever was chosen.
addEventListener("hashchange", () => {
  const card = document.getElementById(location.hash.slice(1));
  if (card?.hidden) {
    card.hidden = false;
    card.scrollIntoView();
  }
});
show();
list.classList.add("ready");
