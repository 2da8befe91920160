// The session's stored records. Blobs are stored separately, so that each is written once, even if several records use it.

const BLOB = "packshot blob"; // in a record, { [BLOB]: 3 } refers to the blob with the number 3

/** Marks a record with a missing blob. */
export const MISSING = Symbol("a blob that is not there");

const isPlain = (value) => [Object.prototype, null].includes(Object.getPrototypeOf(value));

/** A copy of a record with a number in place of each blob. number(blob): its number. */
export function emptied(value, number) {
  if (value instanceof Blob) return { [BLOB]: number(value) };
  if (Array.isArray(value)) return value.map((each) => emptied(each, number));
  if (value === null || typeof value !== "object" || !isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, emptied(each, number)]));
}

/** A record with its blobs restored, or MISSING if one is missing. blobs: a map by number. */
export function filled(value, blobs) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return wholly(value.map((each) => filled(each, blobs)));
  if (!isPlain(value)) return value;
  if (BLOB in value) return blobs.get(value[BLOB]) ?? MISSING;
  const entries = Object.entries(value).map(([name, each]) => [name, filled(each, blobs)]);
  return entries.some(([, each]) => each === MISSING) ? MISSING : Object.fromEntries(entries);
}

const wholly = (values) => (values.includes(MISSING) ? MISSING : values);

/** The numbers of the blobs of a record. */
export function numbersIn(value, found = new Set()) {
  if (value === null || typeof value !== "object") return found;
  if (BLOB in value) found.add(value[BLOB]);
  else if (Array.isArray(value) || isPlain(value)) Object.values(value).forEach((each) => numbersIn(each, found));
  return found;
}
