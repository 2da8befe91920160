// The banner for problems that stop all work, with a button that helps.

import { find } from "./dom.js";
import { t } from "./language.js";

/** Show problems of the connection and the key. Returns a function that follows the work too. settings: shows rejected choices. */
export function followTrouble({ connection, keys }) {
  let work = null;
  const show = () => {
    const [words, action, act] = banner({ connection, keys, work });
    find("banner").hidden = !words;
    find("banner-text").textContent = words;
    find("banner-button").textContent = action;
    find("banner-button").onclick = act;
  };
  connection.addEventListener("change", show);
  keys.addEventListener("change", show);
  return (begun, settings) => {
    work = begun;
    work.addEventListener("stopped", () => {
      if (work.stopped?.problem.slug === "invalid-option") settings.complain(work.stopped.problem.message);
      show();
    });
  };
}

function banner({ connection, keys, work }) {
  const tryNow = [t("app.try-now"), () => connection.tryNow()];
  if (connection.state === "gone") return [t("app.gone"), ...tryNow];
  if (keys.putOff) return [t("app.key-waits"), t("app.enter-key"), () => keys.ask()];
  if (connection.state === "busy") return [t("app.busy", { count: Math.max(1, Math.ceil(connection.pauseS)) }), ...tryNow];
  if (keys.notice) return [keys.notice, t("app.close"), () => keys.dismiss()];
  const problem = work?.stopped?.problem;
  if (!problem || problem.slug === "invalid-option") return ["", "", null];
  return [t("app.no-credits", { why: problem.message }), t("app.try-again"), () => work.resume()];
}
