// Keeps a page fresh: when something happens that it is about, the page is fetched again, and what differs is
// changed in place. Without this script the page is whole, too; it only gets old.
"use strict";
(() => {
  const main = document.querySelector("main[data-events]");
  const button = document.getElementById("pause");
  const said = document.getElementById("said");
  if (!main || !button || !said) return;

  const EVENTS = ["asked", "begun", "progress", "ended", "changed", "delivered", "resync"];
  // At most one fetch in so many milliseconds, and one after so many without any event.
  const SHORTEST = 2000;
  const LONGEST = 30000;

  let stream = null;
  let timer = null;
  let fetching = false;
  let paused = false;
  let last = Date.now();

  const isOn = () => !paused && !document.hidden;

  // Fetches the page, in so many milliseconds or sooner.
  function plan(delay) {
    if (!isOn()) return;
    const at = Math.max(Date.now() + delay, last + SHORTEST);
    if (timer && timer.at <= at) return;
    if (timer) clearTimeout(timer.id);
    timer = { at, id: setTimeout(refresh, at - Date.now()) };
  }

  async function refresh() {
    timer = null;
    if (!isOn() || fetching) return;
    fetching = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) {
        stop();
        said.textContent = "The session has ended. Load the page again to log in.";
        return;
      }
      if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The service may be starting again; the next try tells.
    } finally {
      fetching = false;
    }
    plan(LONGEST);
  }

  function show(page) {
    const fresh = page.querySelector("main");
    const foot = page.querySelector("footer");
    if (!isOn() || !fresh || !foot) return;
    const was = main.dataset.announce;
    morph(main, fresh);
    morph(document.querySelector("footer > p"), foot.querySelector("p"));
    document.title = page.title;
    const icon = page.querySelector("link[rel=icon]");
    if (icon) document.querySelector("link[rel=icon]").href = icon.getAttribute("href");
    document.documentElement.dataset.revision = page.documentElement.dataset.revision;
    if (was !== main.dataset.announce) said.textContent = main.dataset.announce;
    if (!main.dataset.events) stop();
  }

  // Makes `old` what `fresh` is. What has the focus stays where it is and keeps it.
  function morph(old, fresh) {
    if (!old || !fresh) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      if (!old.contains(document.activeElement)) old.replaceWith(document.importNode(fresh, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    morphChildren(old, fresh);
  }

  // Children with an id are told apart by it, so that a row that moves stays the same row.
  function morphChildren(old, fresh) {
    const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
    for (const child of [...old.children]) {
      if (child.id && !wanted.has(child.id) && !child.contains(document.activeElement)) child.remove();
    }
    const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id ? known.get(child.id) : place && !place.id ? place : null;
      if (!same) {
        old.insertBefore(document.importNode(child, true), place);
        continue;
      }
      if (same === place) {
        place = place.nextSibling;
      } else {
        const focused = same.contains(document.activeElement) ? document.activeElement : null;
        old.insertBefore(same, place);
        if (focused) focused.focus({ preventScroll: true });
      }
      morph(same, child);
    }
    while (place) {
      const next = place.nextSibling;
      if (!place.contains(document.activeElement)) place.remove();
      place = next;
    }
  }

  function start() {
    if (!isOn()) return;
    plan(LONGEST);
    if (stream || !window.EventSource) return;
    stream = new EventSource(main.dataset.events);
    for (const name of EVENTS) stream.addEventListener(name, () => plan(0));
    // A stream that was refused is not asked for again by itself.
    stream.addEventListener("error", () => {
      if (!stream || stream.readyState !== EventSource.CLOSED) return;
      stream = null;
      setTimeout(start, LONGEST);
    });
  }

  function stop() {
    if (stream) stream.close();
    stream = null;
    if (timer) clearTimeout(timer.id);
    timer = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return stop();
    start();
    plan(0);
  });
  // A page that is kept for the button "Back" must not keep a stream.
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", start);

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume updates" : "Pause updates";
    said.textContent = paused ? "Updates are paused." : "Updates go on.";
    if (paused) return stop();
    start();
    plan(0);
  });

  start();
})();
