// Keys over the form of one run in the review queue. Without them it is a form like any other.
(() => {
  "use strict";
  const form = document.querySelector("[data-review]");
  const groups = form ? Array.from(form.querySelectorAll("[data-criterion]")) : [];
  let current = Math.max(0, groups.findIndex((group) => !group.querySelector(":checked")));

  function show(place, isFocused) {
    current = Math.min(Math.max(place, 0), groups.length - 1);
    groups.forEach((group, at) => group.classList.toggle("is-current", at === current));
    const group = groups[current];
    if (!isFocused || !group) return;
    (group.querySelector(":checked") || group.querySelector("input")).focus({ focusVisible: true });
    group.scrollIntoView({ block: "nearest" });
  }
  const follow = (selector) => document.querySelector(selector)?.click();
  function choose(input) {
    input.checked = true;
    show(groups.indexOf(input.closest("[data-criterion]")) + 1, true);
  }
  function verdict(key) {
    const input = form.querySelector(`[data-key=${key}]`);
    input.checked = true;
    show(groups.length - 1, true);
  }
  const save = () => form.requestSubmit(form.querySelector("button[type=submit]"));

  document.addEventListener("focusin", (event) => {
    const at = groups.findIndex((group) => group.contains(event.target));
    if (at >= 0) show(at, false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const { key, target } = event;
    if (form && target.matches("textarea") && form.contains(target)) {
      if (key === "Escape") target.blur();
      else if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        save();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input:not([type=radio]), textarea, select")) return;
    if (key === "n") return follow("[data-review-next]");
    if (key === "p") return follow("[data-review-previous]");
    if (key === "o") return follow("[data-review-open]");
    if (!form) return;
    if (key === "j") show(current + 1, true);
    else if (key === "k") show(current - 1, true);
    else if (/^[1-9]$/.test(key)) {
      const input = groups[current]?.querySelectorAll("input")[Number(key) - 1];
      if (input) choose(input);
    } else if ("gbu".includes(key)) verdict(key);
    else if (key === "c") form.querySelector("textarea").focus();
    else if (key === "Enter" && !target.closest("a, button, summary")) save();
    else return;
    event.preventDefault();
  });
  show(current, false);
})();
