// The waterfall of a run by mouse and keyboard: folding, loading what is inside, moving, opening a span beside it.
(() => {
  "use strict";
  const narrow = matchMedia("(max-width: 1100px)"); // as in static/css/runs.css: here a span opens as a page
  const rowsOf = (tree) => Array.from(tree.querySelectorAll(".span-row"));
  const nameOf = (row) => row.querySelector(".span-name");
  const twigOf = (row) => row.querySelector("button.span-twig");
  const depthOf = (row) => Number(row.dataset.depth);
  const isFolded = (twig) => twig.getAttribute("aria-expanded") === "false";

  // Folding hides every deeper row up to the next of the same depth.
  function fold(tree) {
    let hiddenBelow = Infinity;
    for (const row of rowsOf(tree)) {
      const depth = depthOf(row);
      if (depth <= hiddenBelow) hiddenBelow = Infinity;
      row.hidden = depth > hiddenBelow;
      const twig = twigOf(row);
      if (!row.hidden && twig && isFolded(twig)) hiddenBelow = depth;
    }
  }
  function turn(twig, isOpen) {
    twig.setAttribute("aria-expanded", String(isOpen));
    if (isOpen && twig.hasAttribute("hx-get") && !twig.dataset.loading) {
      twig.dataset.loading = "true"; // once; again only after a failure
      window.htmx.trigger(twig, "unfold");
    }
    fold(twig.closest("[data-tree]"));
  }

  // One row of a tree is a stop of the Tab key: the one that was last looked at.
  function stopAt(tree, name) {
    for (const other of tree.querySelectorAll(".span-name")) other.tabIndex = other === name ? 0 : -1;
  }
  function prepare() {
    for (const tree of document.querySelectorAll("[data-tree]")) {
      fold(tree);
      const names = rowsOf(tree).filter((row) => !row.hidden).map(nameOf).filter(Boolean);
      const here = names.find((name) => name === document.activeElement) || names.find((name) => name.getAttribute("tabindex") === "0");
      stopAt(tree, here || names.find((name) => name.hasAttribute("aria-current")) || names[0]);
    }
  }

  function target(row, key) {
    const tree = row.closest("[data-tree]");
    const rows = rowsOf(tree).filter((other) => !other.hidden && nameOf(other));
    const here = rows.indexOf(row);
    const twig = twigOf(row);
    switch (key) {
      case "ArrowDown": return rows[here + 1];
      case "ArrowUp": return rows[here - 1];
      case "Home": return rows[0];
      case "End": return rows[rows.length - 1];
      case "ArrowRight":
        if (twig && isFolded(twig)) return turn(twig, true), row;
        return rows[here + 1] && depthOf(rows[here + 1]) > depthOf(row) ? rows[here + 1] : row;
      case "ArrowLeft":
        if (twig && !isFolded(twig)) return turn(twig, false), row;
        return rows.slice(0, here).reverse().find((other) => depthOf(other) < depthOf(row)) || row;
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (!event.target.matches("[data-tree] .span-name")) return;
    if (!["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    const row = target(event.target.closest(".span-row"), event.key);
    if (!row) return;
    nameOf(row).focus({ focusVisible: true });
    row.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-tree] .span-name")) stopAt(event.target.closest("[data-tree]"), event.target);
  });
  document.addEventListener("click", (event) => {
    const twig = event.target.closest("[data-tree] button.span-twig");
    if (twig) turn(twig, isFolded(twig));
  });
  // A new tab, or a screen without room for two columns: the link is a link, and htmx does not hear of it.
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-tree] .span-name[hx-get]")) return;
    if (narrow.matches || event.ctrlKey || event.metaKey || event.shiftKey) event.stopPropagation();
  }, true);

  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, successful } = event.detail;
    if (!elt.matches("[data-tree] button.span-twig") || successful) return;
    delete elt.dataset.loading;
    turn(elt, false);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const name = event.detail.requestConfig?.elt;
    if (!name || !name.matches("[data-tree] .span-name")) return;
    const tree = name.closest("[data-tree]");
    for (const row of rowsOf(tree)) {
      const isCurrent = row.contains(name);
      row.classList.toggle("is-current", isCurrent);
      if (isCurrent) name.setAttribute("aria-current", "true");
      else nameOf(row)?.removeAttribute("aria-current");
    }
    event.detail.target.scrollTop = 0;
  });
  document.addEventListener("htmx:afterSettle", prepare);
  prepare();
})();
