// Undo and redo on the page: buttons, keys, and a toast after a removal.

import { find, say } from "./dom.js";
import { t } from "./language.js";

const TOAST_MS = 10_000;

/** Connect the page's buttons and keys to the history. onMoved(): called after each step, undo and redo. */
export function followHistory(history, onMoved) {
  const undone = (step) => step && say(t("history.undone", { words: step.words }));
  const redone = (step) => step && say(t("history.redone", { words: step.words }));
  find("page-undo").addEventListener("click", () => undone(history.undo()));
  find("page-redo").addEventListener("click", () => redone(history.redo()));
  find("toast-undo").addEventListener("click", () => { undone(history.undo()); hideToast(); find("photos").focus(); });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]") || event.target.matches("input[type=text]")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) redone(history.redo());
    else undone(history.undo());
  });
  history.addEventListener("change", () => {
    for (const [id, step, words] of [["page-undo", history.last(), "history.undo"], ["page-redo", history.next(), "history.redo"]]) {
      const button = find(id);
      if (!step && document.activeElement === button) find("photos").focus();
      button.disabled = !step;
      button.title = step ? t(words, { words: step.words }) : "";
    }
    if (toasted !== history.last()) hideToast();
    onMoved();
  });
}

let toasted = null;
let toastTimer = 0;

/** Show the last step, with a button to undo it. */
export function showToast(words, step) {
  toasted = step;
  find("toast-words").textContent = words;
  find("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(hideToast, TOAST_MS);
}

function hideToast() {
  if (find("toast").matches(":focus-within, :hover")) toastTimer = setTimeout(hideToast, TOAST_MS);
  else find("toast").hidden = true;
}
