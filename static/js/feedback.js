// Thumbs and a comment under an answer of an agent, on any page:
//   <script src="…/static/js/feedback.js" data-token="…" data-url="…/api/v1/feedback/widget" defer></script>
// The token comes from your server (POST /api/v1/feedback/tokens) and holds a day. Optional: data-into="#selector" where the
// thumbs stand (else right here), data-question, data-thanks. Or, for pages that change: agentopsFeedback.mount(element, {token, url}).
(() => {
  "use strict";
  const STYLE = `
    :host { display: block; font: inherit; color: inherit; }
    .line { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; }
    button { display: inline-flex; align-items: center; justify-content: center; gap: 6px; min-width: 36px; min-height: 36px; padding: 4px 10px; border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-radius: 8px; background: transparent; color: inherit; font: inherit; cursor: pointer; }
    button:hover { background: color-mix(in srgb, currentColor 9%, transparent); }
    button[aria-pressed=true] { background: color-mix(in srgb, currentColor 18%, transparent); border-color: currentColor; }
    button:focus-visible, textarea:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
    button[disabled] { opacity: .55; cursor: progress; }
    svg { width: 18px; height: 18px; fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
    button[aria-pressed=true] svg { fill: color-mix(in srgb, currentColor 35%, transparent); }
    .down svg { rotate: 180deg; }
    form { display: grid; gap: 6px; max-width: 32rem; margin-top: 8px; }
    form[hidden] { display: none; }
    label { font-size: .9em; }
    textarea { box-sizing: border-box; width: 100%; min-height: 4.5em; padding: 6px 8px; border: 1px solid color-mix(in srgb, currentColor 45%, transparent); border-radius: 8px; background: transparent; color: inherit; font: inherit; resize: vertical; }
    .said { min-height: 1.4em; margin: 4px 0 0; font-size: .9em; }`;
  const THUMB = "M7 11v9H4v-9zM7 11l4-8c1.7 0 2.5 1.2 2.2 2.8L12.6 9H18c1.3 0 2.2 1.1 1.9 2.4l-1.5 6.9A2.1 2.1 0 0 1 16.3 20H7";
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  function thumb() {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", THUMB);
    svg.append(path);
    return svg;
  }

  function mount(place, { token, url, question = "Was this helpful?", thanks = "Thank you." }) {
    const root = place.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a style element could be against the page's policy
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const up = make("button", { type: "button", className: "up", ariaLabel: "Yes, this was helpful", ariaPressed: "false" }, thumb());
    const down = make("button", { type: "button", className: "down", ariaLabel: "No, this was not helpful", ariaPressed: "false" }, thumb());
    const comment = make("textarea", { id: "comment", maxLength: 2000 });
    const send = make("button", { type: "submit", textContent: "Send" });
    const form = make("form", { hidden: true }, make("label", { htmlFor: "comment", textContent: "What could be better? (optional)" }), comment, make("div", { className: "line" }, send));
    const said = make("p", { className: "said" });
    said.setAttribute("role", "status");
    const line = make("div", { className: "line" }, make("span", { id: "question", textContent: question }), up, down);
    line.setAttribute("role", "group");
    line.setAttribute("aria-labelledby", "question");
    root.append(line, form, said);

    let rating = "", isSending = false;
    async function tell(next, words) {
      if (isSending) return;
      isSending = true;
      for (const button of [up, down, send]) button.disabled = true;
      said.textContent = "";
      try {
        let answer;
        for (let left = 2; left >= 0; left -= 1) {
          answer = await fetch(url, { method: "POST", mode: "cors", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token, rating: next, comment: words }) });
          if (answer.status !== 429) break;
          await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get("Retry-After") || 1) + 100));
        }
        if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail || `The server answered ${answer.status}.`);
        rating = next;
        up.ariaPressed = String(next === "up");
        down.ariaPressed = String(next === "down");
        form.hidden = false;
        said.textContent = words ? `${thanks} Your words were sent.` : thanks;
        place.dispatchEvent(new CustomEvent("agentops:feedback", { bubbles: true, detail: { rating: next, comment: words } }));
      } catch (error) {
        said.textContent = `This was not sent. ${error instanceof TypeError ? "The server cannot be reached." : error.message}`;
      } finally {
        isSending = false;
        for (const button of [up, down, send]) button.disabled = false;
      }
    }
    up.addEventListener("click", () => tell("up", comment.value.trim()).then(() => up.focus()));
    down.addEventListener("click", () => tell("down", comment.value.trim()).then(() => down.focus()));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      tell(rating, comment.value.trim()).then(() => send.focus());
    });
  }

  window.agentopsFeedback = { mount };
  const script = document.currentScript;
  if (!script?.dataset.token) return;
  const { token, question, thanks, into } = script.dataset;
  const url = script.dataset.url || new URL("/api/v1/feedback/widget", script.src).href;
  const place = (into && document.querySelector(into)) || script.parentElement.insertBefore(document.createElement("div"), script.nextSibling);
  mount(place, { token, url, ...(question && { question }), ...(thanks && { thanks }) });
})();
