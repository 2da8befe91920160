// The client of the page's service: its features, and making one photo's pictures. The page talks to no other server.

import { problemText } from "./explain.js";
import { t } from "./language.js";

/**
 * An error response of the service. said: its problem details, { slug, detail, hint, field, ... }, or only { slug } with
 * the message's figures. retryAfterS: seconds, or null if the response has none.
 */
export class Problem extends Error {
  constructor({ status = 0, slug = "", field = "", retryAfterS = null, ...said }) {
    super(problemText({ slug, field, ...said }));
    Object.assign(this, { status, slug, field, retryAfterS, said });
  }
}

/** No response: the service or the network is down. */
export class Gone extends Error {}

const address = (path) => new URL(path, document.baseURI);

/** The service's options, presets and limits, from GET /v1/about. */
export async function about() {
  const response = await reach(address("v1/about"), { cache: "no-store" });
  return response.json();
}

/** Check that the service accepts a key; throws a Problem otherwise. Costs nothing. */
export async function checkKey(key) {
  await reach(address("v1/account"), { cache: "no-store", headers: { Authorization: `Bearer ${key}` } });
}

/**
 * Make one picture of a photo, or one for each preset in `options`. Sends the photo with `options` (texts) and `files`
 * (blobs), then fetches the results: { photoId, pictures: [{ facts, blob }] }, in the order of the presets.
 * named: the photo's id from an earlier request, so that its file is not sent again; or null.
 * once: the idempotency key, so that a retry after a broken connection is done and paid for only once.
 * onSent: called with the sent share of the photo, 0..1.
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

// The link starts with the service's public URL, but this page may have another origin.
async function picture(url, signal) {
  const { pathname, search } = new URL(url, document.baseURI);
  return bodyOf(await reach(new URL(pathname + search, document.baseURI), { signal }));
}

// XMLHttpRequest, because fetch reports no upload progress.
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

/** The response to a request. Throws Gone, or Problem for an error response. */
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
  // If the service is down, a proxy in front of it answers with its own error.
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

// Retry-After has seconds or a date.
function wait(retryAfter) {
  if (!retryAfter) return null;
  const seconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, seconds) : 1;
}
