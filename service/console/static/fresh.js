// Keeps a page as the service would make it now: fetches it again and changes only what differs.

/** Refreshes `main` every `data-refresh` seconds while it has that attribute; returns a function that does so at once. */
export function refreshing(main) {
  let timer;
  let running = null;
  let again = false;
  localise(document);

  async function refresh() {
    clearTimeout(timer);
    if (running) {
      again = true;
      return running;
    }
    running = fetched().finally(() => (running = null));
    await running;
    if (again) {
      again = false;
      return refresh();
    }
    schedule();
  }

  async function fetched() {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(15000) });
      if (answer.redirected) return location.reload();
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(page);
      morph(main, page.querySelector("main"));
      document.title = page.title;
      connected(true);
    } catch {
      connected(false);
    }
  }

  function schedule() {
    clearTimeout(timer);
    const seconds = Number(main.dataset.refresh);
    if (seconds && !document.hidden) timer = setTimeout(refresh, seconds * 1000);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && main.dataset.refresh) refresh();
  });
  schedule();
  return refresh;
}

/** Says whether the service answers. */
export function connected(yes) {
  document.getElementById("connection").hidden = yes;
}

function localise(page) {
  for (const time of page.querySelectorAll("time[data-local]")) {
    time.textContent = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
}

// Elements with an id stay the same element wherever they move. What a reader opened, chose or typed stays as it is, and
// so does everything in an element with `data-keep`, which belongs to a script.
function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute("data-keep") || old.isEqualNode(fresh)) return;
  attributes(old, fresh);
  let next = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const had = wanted.id ? child(old, wanted.id) : alike(next, wanted) ? next : null;
    if (!had) old.insertBefore(wanted, next);
    else if (had === next) next = next.nextSibling;
    else old.insertBefore(had, next);
    if (had) morph(had, wanted);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function child(parent, id) {
  return [...parent.children].find((element) => element.id === id);
}

function alike(one, other) {
  return one && !one.id && one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}
