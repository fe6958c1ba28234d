// Conveniences over pages that work without them: keys, copying, theme, dialogs, fresh times, figures.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("has-script");
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const isTyping = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;

  // -- theme: a cookie, so that the server writes data-theme and nothing flashes
  function showTheme() {
    const chosen = root.dataset.theme || "";
    for (const button of all("[data-theme-choice]")) button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
  }
  function chooseTheme(theme) {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${theme}; path=/; samesite=lax; max-age=${theme ? 31536000 : 0}${secure}`;
    showTheme();
    document.dispatchEvent(new CustomEvent("agentops:theme"));
  }

  // -- times: the same table as `ago_text` in agentops/portal/templatetags/words.py
  function agoText(moment, at) {
    const difference = (at - moment) / 1000;
    const seconds = Math.abs(difference);
    if (seconds >= 30 * 86400) return moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
    if (seconds < 10) return difference >= 0 ? "just now" : "in a moment";
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const [size, unit] = units.find(([limit]) => seconds >= limit);
    const text = `${Math.floor(seconds / size)}\u00a0${unit}`;
    return difference >= 0 ? `${text} ago` : `in ${text}`;
  }
  function freshenTimes() {
    const at = new Date();
    for (const element of all("time[data-ago]")) {
      const text = agoText(new Date(element.dateTime), at);
      if (element.textContent !== text) element.textContent = text;
    }
  }

  // -- what is left of a time: the same table as `duration_text`, to the second
  function leftText(seconds) {
    const whole = Math.max(0, Math.ceil(seconds));
    const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
    const first = Math.min(parts.findIndex(([amount]) => amount) >= 0 ? parts.findIndex(([amount]) => amount) : 3, 3);
    return parts.slice(first, first + 2).filter(([amount], place) => amount || !place).map(([amount, unit]) => `${amount}\u00a0${unit}`).join(" ");
  }
  function countDown() {
    for (const element of all("[data-countdown]")) {
      const text = leftText((new Date(element.dataset.countdown) - Date.now()) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
  }

  // -- what must be meant is never sent by Enter: not from a field, not from a button that happens to have the focus
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.closest("[data-deliberate]") || event.target.closest("a, textarea")) return;
    event.preventDefault();
    toast("Enter does nothing here. Press the button itself: click it, or use the space bar.");
  }, true);

  // -- toasts: quiet confirmations; the server may send one with HX-Trigger: {"toast": "Saved"}
  function toast(text) {
    const place = document.getElementById("toasts");
    if (!place) return;
    const element = document.createElement("div");
    element.className = "toast";
    element.textContent = text;
    place.replaceChildren(element);
    setTimeout(() => element.remove(), 5000);
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      const area = document.createElement("textarea"); // no clipboard outside a secure context
      area.value = button.dataset.copy;
      (button.closest("dialog") || document.body).append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.classList.add("is-done");
    setTimeout(() => button.classList.remove("is-done"), 1500);
    toast("Copied");
  }

  // -- rows: j and k move between the links that open a row (or its box to choose it); Enter is the link's own
  function moveRow(step) {
    const links = all("[data-rows] :is(.row-link, .span-name, .row-stop)").filter((link) => link.offsetParent !== null);
    if (!links.length) return;
    const row = document.activeElement.closest("[data-rows] :is(tr, .span-row)");
    const here = links.findIndex((link) => link === document.activeElement || (row && row.contains(link)));
    const next = here < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(here + step, 0), links.length - 1);
    links[next].focus({ focusVisible: true });
    links[next].scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy], [data-dialog], [data-close], [data-theme-choice], dialog");
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    if (!target) return;
    if (target.matches("[data-copy]")) copy(target);
    else if (target.matches("[data-theme-choice]")) chooseTheme(target.dataset.themeChoice);
    else if (target.matches("[data-close]")) target.closest("dialog").close();
    else if (target.matches("[data-dialog]")) {
      const dialog = document.getElementById(target.dataset.dialog);
      if (!dialog) return;
      event.preventDefault();
      // what the dialog asked about another row must not be there to be confirmed while this row's question loads
      if (target.hasAttribute("hx-target")) document.querySelector(target.getAttribute("hx-target"))?.replaceChildren();
      dialog.showModal();
    } else if (target === event.target && target.matches("dialog.dialog")) {
      const box = target.getBoundingClientRect(); // a click on the backdrop
      if (event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom) target.close();
    }
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-choose-all]")) return;
    for (const box of event.target.form.elements) if (box.name === event.target.dataset.chooseAll) box.checked = event.target.checked;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of all("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      const search = document.querySelector("[data-search]") || document.querySelector("main input[type=search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "?") document.getElementById("help")?.showModal();
    else if (event.key === "j") moveRow(1);
    else if (event.key === "k") moveRow(-1);
  });

  // -- htmx: no empty parameters in the URL, refusals are shown, an answer from elsewhere is fresh
  const asked = new WeakMap(); // what each filter bar asked for last, and when
  document.addEventListener("htmx:configRequest", (event) => {
    if (!event.detail.elt.matches("[data-drop-empty]")) return;
    const { elt, parameters, triggeringEvent } = event.detail;
    for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
    const words = Object.keys(parameters).map((name) => `${name}=${parameters[name]}`).join("&");
    const isRepeated = asked.get(elt)?.words === words && (triggeringEvent?.type !== "submit" || performance.now() - asked.get(elt).at < 1000);
    if (isRepeated) return event.preventDefault(); // typing, leaving the field and Enter say the same thing up to three times
    asked.set(elt, { words, at: performance.now() });
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-drop-empty]") || event.target.hasAttribute("hx-get")) return;
    for (const field of event.target.elements) if (field.value === "") field.disabled = true;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, elt } = event.detail;
    if (/^\s*<!doctype html/i.test(xhr.responseText)) {
      event.detail.shouldSwap = false; // a whole page where a fragment was asked for: signed out meanwhile, or broken
      if (xhr.status < 400) location.assign(xhr.responseURL);
      else toast("The server failed. What was saved before is safe; try again in a minute.");
    } else if (xhr.status >= 400 && xhr.status !== 422) {
      // a refusal (_refusal.html) is shown above; what it was asked from stays as it is
      event.detail.target = elt.closest("dialog")?.querySelector("[data-refusals]") || document.getElementById("messages");
      event.detail.target.dataset.refused = "";
      event.detail.swapOverride = "innerHTML show:window:top";
      event.detail.isError = false;
    }
  });
  document.addEventListener("htmx:beforeRequest", () => {
    for (const place of all("[data-refused]")) {
      place.replaceChildren();
      delete place.dataset.refused;
    }
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => toast("The server did not answer. Nothing was changed; try again."));
  }
  document.addEventListener("toast", (event) => toast(event.detail.value ?? ""));
  document.addEventListener("htmx:afterSettle", () => prepare());
  // Whoever has followed a link is on the way: an answer that would load this page anew must not call them back.
  let isLeaving = 0;
  const LEAVING_MOST = 5000; // a link to a file leaves the page where it is
  addEventListener("beforeunload", () => { isLeaving = Date.now(); });
  addEventListener("pageshow", () => { isLeaving = 0; });
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (Date.now() - isLeaving < LEAVING_MOST && event.detail.xhr.getResponseHeader("HX-Refresh")) event.preventDefault();
  });

  // -- passkeys: allauth says why one was not used; people should read it
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const exception = event.detail.exception || {};
    const place = document.getElementById("passkey-error");
    const text = {
      NotAllowedError: "The passkey was not used: it was cancelled or took too long.",
      InvalidStateError: "This device already holds a passkey for your account.",
      SecurityError: "Passkeys do not work at this address. Open the portal by its name, over HTTPS.",
      NotSupportedError: "This browser or device cannot hold this kind of passkey.",
    }[exception.name] || `The passkey was not used: ${exception.message || exception}`;
    if (!place) return toast(text);
    place.querySelector("p").textContent = text;
    place.hidden = false;
  });

  // -- figures: plotly is fetched when the first comes into view
  const drawn = new Set();
  let plotly = null;
  const MAPS_STYLE = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53"; // of maplibre, inside plotly 7.1
  const token = (name, element = root) => {
    const canvas = token.canvas ||= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    canvas.clearRect(0, 0, 1, 1);
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    element.append(probe);
    canvas.fillStyle = getComputedStyle(probe).color; // plotly reads no oklch: have it painted, and read the pixel
    probe.remove();
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return `rgb(${red},${green},${blue})`;
  };
  function themed(figure) {
    const [ink, quiet, line, raised] = ["--ink", "--ink-3", "--line", "--raised"].map((name) => token(name));
    const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, automargin: true, fixedrange: true, title: { font: { color: quiet } } };
    const layout = { ...figure.layout };
    if (layout.shapes) layout.shapes = layout.shapes.map((shape) => ({ ...shape, line: { color: quiet, ...shape.line } })); // plotly's own is black
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))])) layout[name] = { ...axis, showgrid: name.startsWith("y"), ...layout[name] };
    return {
      data: figure.data,
      layout: {
        margin: { l: 8, r: 8, t: 8, b: 8 },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: quiet },
        colorway: ["--accent", "--kind-tool", "--kind-side_effect", "--kind-guardrail", "--kind-llm", "--kind-retrieval", "--kind-run"].map((name) => token(name)),
        hoverlabel: { bgcolor: raised, bordercolor: line, font: { color: ink } },
        legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
        hovermode: "x unified",
        bargap: 0.3,
        ...layout,
      },
    };
  }
  function loadPlotly(address) {
    plotly ||= new Promise((resolve, reject) => {
      // plotly adds style elements unless it finds theirs; the rules that our figures need are in static/css/chart.css
      for (const id of ["plotly.js-style-global", MAPS_STYLE]) document.head.append(Object.assign(document.createElement("link"), { id, className: "no-inline-styles" }));
      const script = Object.assign(document.createElement("script"), { src: address, onload: () => resolve(window.Plotly), onerror: reject });
      document.head.append(script);
    });
    return plotly;
  }
  async function draw(box) {
    const source = document.getElementById(box.dataset.chart);
    try {
      const Plotly = await loadPlotly(box.dataset.plotly);
      const { data, layout } = themed(JSON.parse(source.textContent));
      if (box.dataset.state === "waiting") box.replaceChildren();
      box.dataset.state = "drawn";
      await Plotly.react(box, data, layout, { displayModeBar: false, responsive: true, locale: "en" });
      drawn.add(box);
    } catch (error) {
      box.dataset.state = "waiting";
      box.textContent = "The figure could not be drawn; the table below has the same numbers.";
      console.error(error);
    }
  }
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      draw(target);
    }
  }, { rootMargin: "200px" });
  const redraw = () => drawn.forEach((box) => (box.isConnected ? draw(box) : drawn.delete(box)));
  document.addEventListener("agentops:theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  // A table wider than the screen, with nothing inside to tab to, is scrolled by the arrow keys once it has the focus.
  function letTablesScroll() {
    for (const box of all(".table-box")) {
      if (box.scrollWidth > box.clientWidth && !box.querySelector("a[href], button, input, summary")) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
  addEventListener("resize", letTablesScroll);

  // Tabs that are wider than the screen begin at the one that is open.
  function showOpenTab() {
    for (const tab of all(".tabs > [aria-current]")) {
      const bar = tab.parentElement;
      const [inside, outside] = [tab.getBoundingClientRect(), bar.getBoundingClientRect()];
      if (inside.right > outside.right) bar.scrollLeft += inside.right - outside.right + outside.width / 4;
    }
  }

  function prepare() {
    freshenTimes();
    countDown();
    letTablesScroll();
    all("[data-chart][data-state=waiting]").forEach((box) => seen.observe(box));
  }
  showTheme();
  prepare();
  showOpenTab();
  setInterval(freshenTimes, 15000);
  setInterval(countDown, 1000);
})();
