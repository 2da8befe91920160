// The service that this page talks to, and nothing else: what it offers, and one photo into its pictures.

import { problemText } from "./explain.js";
import { t } from "./language.js";

/**
 * A refusal, in words for people. said: problem details as the service answers them, { slug, detail, hint, field, ... },
 * or just { slug } with the figures that its message has. retryAfterS: seconds, or null when it names none.
 */
export class Problem extends Error {
  constructor({ status = 0, slug = "", field = "", retryAfterS = null, ...said }) {
    super(problemText({ slug, field, ...said }));
    Object.assign(this, { status, slug, field, retryAfterS, said });
  }
}

/** No answer: the service, or the way to it, is not there. */
export class Gone extends Error {}

const address = (path) => new URL(path, document.baseURI);

/** What the service can do: options, presets and limits, as GET /v1/about says. */
export async function about() {
  const response = await reach(address("v1/about"), { cache: "no-store" });
  return response.json();
}

/** Whether the service takes a key; a Problem where it does not. Costs nothing. */
export async function checkKey(key) {
  await reach(address("v1/account"), { cache: "no-store", headers: { Authorization: `Bearer ${key}` } });
}

/**
 * One photo into a picture for each preset that `options` names, or into one. Sends `options` (texts) and `files` (blobs)
 * beside the photo, then fetches the results: { photoId, pictures: [{ facts, blob }] }, in the order of the presets.
 * named: how the service knows the photo from an earlier request, or null; then its file is not sent again.
 * once: a name for this request; sent again after a broken connection it is done, and paid for, only once.
 * onSent: called with the share of the photo that is on its way, 0..1.
 */
export async function makePackshots({ photo, named, options, files, key, once, onSent, signal }) {
  const body = new FormData();
  if (named) body.append("photo_id", named);
  else body.append("image", photo, photo.name || "photo");
  for (const [name, value] of Object.entries(options)) body.append(name, value);
  for (const [name, file] of Object.entries(files)) body.append(name, file, file.name || `${name}.png`);
  const headers = { Accept: "application/json", Authorization: `Bearer ${key}`, "Idempotency-Key": once };
  const answer = await post(address("v1/packshots"), { body, headers, onSent, signal });
  const fetched = async (facts) => ({ facts, blob: await picture(facts.url, signal) });
  return { photoId: answer.photo_id, pictures: await Promise.all((answer.packshots?.length ? answer.packshots : [answer]).map(fetched)) };
}

// The link begins with the service's public address; this page may have come by another one.
async function picture(url, signal) {
  const { pathname, search } = new URL(url, document.baseURI);
  return bodyOf(await reach(new URL(pathname + search, document.baseURI), { signal }));
}

// XMLHttpRequest, because fetch says nothing while a large photo is on its way.
function post(url, { body, headers, onSent, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onSent?.(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 200) return resolve(JSON.parse(request.responseText));
      return reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new Gone());
    request.onabort = () => reject(signal.reason);
    request.onloadend = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop);
    request.send(body);
  });
}

/** The answer to a request. Raises Gone, and Problem for a refusal. */
export async function reach(url, init) {
  let response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Gone();
  }
  if (response.ok) return response;
  throw refusal(response.status, await response.text(), response.headers.get("Retry-After"));
}

async function bodyOf(response) {
  try {
    return await response.blob();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Gone();
  }
}

function refusal(status, text, retryAfter) {
  const problem = parsed(text);
  // What stands in front of a service that is down answers in its place, in its own words.
  if (!problem && [502, 503, 504].includes(status) && !retryAfter) return new Gone();
  return new Problem({ title: t("service.answered", { status: String(status) }), ...problem, status, retryAfterS: wait(retryAfter) });
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

// Seconds, or a date.
function wait(retryAfter) {
  if (!retryAfter) return null;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, seconds) : 1;
}
