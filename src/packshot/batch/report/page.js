"use strict";
// The page works without this script, which only hides and sorts photos.
const AT_ONCE = 240; // cards; a new layout of 2,000 takes a second
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
  // For keyboard users: move the focus to the first new card.
  cards.filter((card) => !card.hidden)[next]?.querySelector("a, summary")?.focus();
});
// A link to a hidden card shows the card first, regardless of the filters.
addEventListener("hashchange", () => {
  const card = document.getElementById(location.hash.slice(1));
  if (card?.hidden) {
    card.hidden = false;
    card.scrollIntoView();
  }
});
show();
list.classList.add("ready");
