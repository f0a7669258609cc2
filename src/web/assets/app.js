// Loads what is dear to make after the page, and shows the page anew when something has changed. Without it every
// page works: what is loaded is a link, and the page is as it was when it was opened.
"use strict";
(() => {
  const main = document.getElementById("main");
  const say = (text) => { document.getElementById("announce").textContent = text; };

  const fetched = async (path) => {
    const answer = await fetch(path, { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
  };

  // What is still being worked out is asked for again, ever less often.
  const load = async (place, wait = 400) => {
    if (!place.isConnected) return;
    try {
      const html = await fetched(place.dataset.load);
      if (!busy(place)) place.innerHTML = html;
    } catch {
      if (!place.dataset.loaded) place.insertAdjacentText("beforeend", " (could not be loaded)");
    }
    place.dataset.loaded = "1";
    if (place.querySelector("[data-again]")) setTimeout(load, wait, place, Math.min(wait * 1.5, 10000));
  };

  const loadAll = () => Promise.all([...document.querySelectorAll("[data-load]")].map((place) => load(place)));

  // Nobody's words are lost: a page with an open deed, or a field in use, is left alone.
  const busy = (place) => place.querySelector("details.deed[open]") ||
    (place.contains(document.activeElement) && ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement.tagName));

  const renew = async () => {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    if (!next || busy(main)) return;
    const open = [...document.querySelectorAll("main details")].map((one) => one.open);
    for (const place of next.querySelectorAll("[data-load]")) {
      const known = document.querySelector(`[data-load="${CSS.escape(place.dataset.load)}"]`);
      if (known?.dataset.loaded) { place.innerHTML = known.innerHTML; place.dataset.loaded = "1"; }
    }
    const focused = document.activeElement?.closest("main") ? document.activeElement.id : "";
    main.replaceChildren(...next.childNodes);
    [...document.querySelectorAll("main details")].forEach((one, at) => { if (open[at]) one.open = true; });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    await loadAll();
    say("The page shows the newest state.");
  };

  loadAll();
  if (!main.hasAttribute("data-live")) return;
  let wanted = 0;
  const soon = () => {
    if (wanted) return;
    wanted = setTimeout(() => { wanted = 0; if (!document.hidden) renew().catch(() => {}); }, 1500);
  };
  new EventSource("/live").addEventListener("changed", soon);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
})();
