// Checks the entries that are on the page: hashes and a signature, worked out in this browser (RFC 9162, C2SP signed-note).
(() => {
  "use strict";
  const encoder = new TextEncoder();
  const MEMORY = "agentops:audit:"; // what this browser saw before of one log: the key, and the largest checkpoint
  const OUTCOMES = ["success", "failure", "denied", "pending", "unknown"];

  const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
  const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const isSame = (one, other) => hexOf(one) === hexOf(other);
  async function sha256(...parts) {
    const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
    let place = 0;
    for (const part of parts) {
      whole.set(part, place);
      place += part.length;
    }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
  }
  const leafHash = (text) => sha256(Uint8Array.of(0), encoder.encode(text));
  const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

  // RFC 8785 of a personal value: members in order, numbers and texts as JSON.stringify writes them
  function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value && typeof value === "object") return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
    return JSON.stringify(value);
  }

  // RFC 9162, 2.1.3.2: the root that an audit path leads to
  async function rootOf(hash, index, size, path) {
    let node = BigInt(index);
    let last = BigInt(size) - 1n;
    if (node > last) throw new Error("the leaf is not inside the tree");
    let root = hash;
    for (const sibling of path) {
      if (last === 0n) throw new Error("the path is too long");
      if (node & 1n || node === last) {
        root = await nodeHash(sibling, root);
        while (!(node & 1n) && node) [node, last] = [node >> 1n, last >> 1n];
      } else root = await nodeHash(root, sibling);
      [node, last] = [node >> 1n, last >> 1n];
    }
    if (last) throw new Error("the path is too short");
    return root;
  }

  // C2SP signed-note around a tlog-checkpoint: origin, size, root; then signatures, each by name and the hash of name and key
  async function readCheckpoint(note, keys) {
    const split = note.indexOf("\n\n");
    const text = note.slice(0, split + 1);
    const [origin, size, root] = text.split("\n");
    for (const line of note.slice(split + 2).split("\n")) {
      const found = /^\u2014 (\S+) (\S+)$/.exec(line);
      if (!found) continue;
      const signature = fromBase64(found[2]);
      for (const key of keys) {
        const raw = fromBase64(key.public_key);
        const id = (await sha256(encoder.encode(`${key.name}\n`), Uint8Array.of(1), raw)).slice(0, 4);
        if (key.name !== found[1] || !isSame(id, signature.slice(0, 4))) continue;
        const imported = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
        const isSound = await crypto.subtle.verify("Ed25519", imported, signature.slice(4), encoder.encode(text));
        return { origin, size: Number(size), root: fromBase64(root), key: hexOf((await sha256(raw)).slice(0, 8)), since: key.created_at, isSound };
      }
    }
    return { origin, size: Number(size), root: fromBase64(root), key: null, isSound: false };
  }

  // does the row say what the sealed bytes say?
  function differences(row, entry, values) {
    const found = [];
    const moment = row.querySelector("time");
    if (entry.id !== row.dataset.entry) found.push("its id");
    if (entry.action !== row.dataset.action) found.push("its action");
    if (!OUTCOMES.includes(entry.outcome) || entry.outcome !== row.dataset.outcome) found.push("how it ended");
    const shown = moment.getAttribute("datetime").replace(/\+00:00$/, "");
    if (!entry.recorded_at.startsWith(shown.includes(".") ? shown : `${shown}.000000`)) found.push("its time");
    if (!moment.hidden && moment.textContent.trim() !== entry.recorded_at.slice(11, 19)) found.push("its time");
    const actor = row.querySelector("[data-actor]");
    const names = [values.actor_label, entry.actor.label, entry.actor.id].filter((name) => name !== undefined);
    if (actor && !("actor_label" in (entry.commitments || {}) && values.actor_label === undefined) && !names.includes(actor.textContent)) found.push("who did it");
    return found;
  }

  async function privateValues(told, entry) {
    const commitments = entry.commitments || {};
    const values = {};
    for (const [name, [salt, value]] of Object.entries(told.private)) {
      const hash = await sha256(Uint8Array.of(2), bytesOf(salt), encoder.encode(name), Uint8Array.of(0), encoder.encode(canonical(value)));
      if (hexOf(hash) !== commitments[name]) throw new Error(`${name} is not what was committed to`);
      values[name] = value;
    }
    return values;
  }

  async function checkRow(row, told, checkpoint) {
    if (!told || told.state === "unknown") return { is: "wrong", why: "there is no such entry" };
    if (told.state === "pending") return { is: "pending" };
    try {
      if (told.entry === undefined) return { is: "pending" };
      const hash = await leafHash(told.entry);
      const root = await rootOf(hash, told.leaf, checkpoint.size, told.path.map(bytesOf));
      if (!isSame(root, checkpoint.root)) return { is: "wrong", why: "its bytes do not lead to the signed root" };
      const entry = JSON.parse(told.entry);
      const wrong = differences(row, entry, await privateValues(told, entry));
      return wrong.length ? { is: "wrong", why: `the page shows other than what is sealed: ${wrong.join(", ")}` } : { is: "sound" };
    } catch (error) {
      return { is: "wrong", why: error.message };
    }
  }

  // what this browser saw before: a tree never shrinks, and one size has one root
  function compareWithMemory(checkpoint) {
    const name = MEMORY + checkpoint.origin;
    let before = null;
    try {
      before = JSON.parse(localStorage.getItem(name));
      if (!before || before.size <= checkpoint.size) localStorage.setItem(name, JSON.stringify({ size: checkpoint.size, root: hexOf(checkpoint.root), key: before ? before.key : checkpoint.key, at: before ? before.at : new Date().toISOString() }));
    } catch {
      return { wrong: [], words: "" };
    }
    if (!before) return { wrong: [], words: "This browser sees this log's key for the first time." };
    const wrong = [];
    if (before.size > checkpoint.size) wrong.push(`This browser saw a checkpoint of ${before.size} entries before; the log has become shorter.`);
    if (before.size === checkpoint.size && before.root !== hexOf(checkpoint.root)) wrong.push("This browser saw another checkpoint of the same size before; there are two logs.");
    const words = before.key === checkpoint.key ? `It is the key that this browser has known since ${before.at.slice(0, 10)}.` : `This browser has known another key (${before.key}) since ${before.at.slice(0, 10)}; a change of keys is an entry of the log.`;
    return { wrong, words };
  }

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  // the notice's shape, as components/notice.html has it, drawn here because the page does not know the answer before
  function shape(tone) {
    const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({ viewBox: "0 0 12 12", width: "14", height: "14", "aria-hidden": "true" })) drawing.setAttribute(name, value);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const line = { ok: "M2 6.6 4.8 9.4 10.2 3", bad: "M2.75 2.75l6.5 6.5m0-6.5l-6.5 6.5" }[tone] || "M6 2.5v4.2M6 9.2v.3";
    for (const [name, value] of Object.entries({ d: line, fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round" })) path.setAttribute(name, value);
    drawing.append(path);
    return drawing;
  }

  function tell(place, tone, title, lines) {
    const list = element("ul", {}, ...lines.filter(Boolean).map((line) => element("li", { textContent: line })));
    const body = element("div", {}, element("strong", { textContent: title }), list);
    const notice = element("div", { className: `notice is-${tone}` }, shape(tone), body);
    place.replaceChildren(notice);
    place.hidden = false;
  }

  function markRow(row, result) {
    const cell = row.querySelector("[data-seal]");
    row.dataset.checked = result.is;
    if (result.is === "sound") cell.title = "Checked in this browser";
    if (result.is === "wrong") cell.replaceChildren(element("span", { className: "is-wrong", textContent: "Does not check", title: result.why }));
  }

  async function check(button, url) {
    const scope = button.closest("section, .panel") || document;
    const rows = Array.from(scope.querySelectorAll("[data-entry]"));
    const place = scope.querySelector("[data-audit-result]");
    const query = new URLSearchParams(rows.map((row) => ["entry", row.dataset.entry]));
    const answer = await (await fetch(`${url}?${query}`, { headers: { Accept: "application/json" } })).json();
    if (!answer.checkpoint) return tell(place, "warn", "Nothing is sealed yet", ["Entries are sealed within a minute; then they can be checked."]);
    const { keys } = await (await fetch(answer.keys_url)).json();
    let checkpoint;
    try {
      checkpoint = await readCheckpoint(answer.checkpoint.note, keys);
    } catch {
      return tell(place, "warn", "This browser cannot check Ed25519 signatures", ["Nothing was checked. A newer browser can, and so can the verifier on the page of proofs."]);
    }
    if (!checkpoint.isSound) return tell(place, "bad", "The checkpoint is not signed by any of the known keys", ["So nothing on this page is proven. Tell whoever looks after the log, and keep this page."]);
    const memory = compareWithMemory(checkpoint);
    const results = await Promise.all(rows.map((row) => checkRow(row, answer.entries.find((told) => told.id === row.dataset.entry), checkpoint)));
    results.forEach((result, at) => markRow(rows[at], result));
    const count = (is) => results.filter((result) => result.is === is).length;
    const [sound, pending] = [count("sound"), count("pending")];
    const wrong = results.map((result, at) => [result, rows[at]]).filter(([result]) => result.is === "wrong").map(([result, row]) => `Entry ${row.dataset.entry}: ${result.why}.`);
    const rest = pending ? `${pending} ${pending === 1 ? "is" : "are"} not sealed yet, so nothing proves ${pending === 1 ? "it" : "them"}.` : "";
    if (wrong.length || memory.wrong.length) return tell(place, "bad", "Something does not check", [...memory.wrong, ...wrong, rest]);
    const size = checkpoint.size.toLocaleString("en");
    const title = rows.length === 1 ? (sound ? "This entry is as it was sealed" : "This entry is not sealed yet") : `${sound} of ${rows.length} entries are as they were sealed`;
    return tell(place, sound ? "ok" : "info", title, [
      sound && `Checked in this browser: ${rows.length === 1 ? "its bytes lead" : "the bytes of each lead"} to the root of ${size} entries, its personal values to their commitments; id, time, who, action and outcome are as shown here.`,
      `The root is signed by the key ${checkpoint.key}. ${memory.words}`,
      rows.length > 1 && "That no entry is missing between them, only an export of the whole time and the verifier can tell.",
      rest,
    ]);
  }

  function ready() {
    if (!window.crypto || !crypto.subtle) return; // no secure context: the verifier remains
    for (const box of document.querySelectorAll("[data-audit-check][hidden]")) {
      const button = box.querySelector("button");
      box.hidden = false;
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          await check(button, box.dataset.auditCheck);
        } catch (error) {
          const place = (button.closest("section, .panel") || document).querySelector("[data-audit-result]");
          tell(place, "warn", "It could not be checked", [`${error.message}. Nothing is said about the entries; try again.`]);
        } finally {
          button.disabled = false;
        }
      });
    }
  }
  ready();
  document.addEventListener("htmx:afterSwap", ready);
})();
