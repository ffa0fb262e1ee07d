// Wakes the islands, and sends forms without leaving the page: what was typed stays when something is
// wrong with it, and the button says that it works. Without this a form is a plain post.
let awake = false;
const wake = () => {
  if (!awake) return;
  for (const part of document.querySelectorAll("leptos-island")) {
    if (part.woken) continue;
    part.woken = true;
    try {
      parts[part.dataset.component]?.(part);
    } catch (error) {
      console.warn(error);
    }
  }
};

const say = (form, text, link) => {
  let place = form.querySelector(":scope > .answered");
  if (!place) {
    place = document.createElement("div");
    place.className = "answered";
    place.setAttribute("aria-live", "polite");
    form.append(place);
  }
  const told = document.createElement("p");
  told.className = "said";
  told.dataset.tone = "ill";
  told.textContent = text;
  if (link) told.append(" ", Object.assign(document.createElement("a"), link));
  place.replaceChildren(told);
};

const sessionEnded = [
  "Your session has ended, and nothing was done. Sign in and send this again.",
  { href: "/login", target: "_blank", textContent: "Sign in in another tab" },
];
const signedOut = "Your session has ended. What stands here may be old.";
const unreachable = "Regrant could not be reached. Nothing may have happened yet; try again.";

const busy = (form, is) => (form.ariaBusy = is ? "true" : null);
// A page that the browser kept and shows again is not at work any more.
addEventListener("pageshow", () => document.querySelectorAll("form").forEach((f) => busy(f, false)));

// Everything that tells one form of a page from another.
const key = (form) =>
  [form.getAttribute("action"), ...[...form.querySelectorAll("[type=hidden]")].map((f) => f.value)].join("\n");

const refill = (form, typed) => {
  for (const old of typed.elements) {
    if (!old.name || old.type === "hidden" || old.type === "file") continue;
    for (const field of form.elements) {
      if (field.name !== old.name || field.type !== old.type) continue;
      if (field.type === "checkbox" || field.type === "radio") {
        if (field.value === old.value) field.checked = old.checked;
      } else field.value = old.value;
    }
  }
};

// Hours and days as they are where the reader is. The hover keeps the moment in UTC.
const date = { day: "numeric", month: "short", year: "numeric" };
const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" };
const written = {
  day: new Intl.DateTimeFormat("en-GB", date),
  exact: new Intl.DateTimeFormat("en-GB", { ...date, ...clock }),
};
const localize = (page) => {
  if (written.day.resolvedOptions().timeZone === "UTC") return page;
  for (const time of page.querySelectorAll("time[data-local]")) {
    time.textContent = written[time.dataset.local].format(new Date(time.dateTime));
  }
  return page;
};
localize(document);

const parse = (text) => localize(new DOMParser().parseFromString(text, "text/html"));
const pageOf = async (answer) => {
  const page = parse(await answer.text());
  page.querySelectorAll("noscript").forEach((part) => part.remove());
  return page;
};

// How often the page has become another.
let turns = 0;
const become = (page) => {
  turns++;
  document.title = page.title;
  document.body.replaceWith(page.body);
};

// What was done is told once.
const forget = (at) => {
  for (const name of ["__err", "__path", "__done", "connected", "discovered", "problem"]) at.searchParams.delete(name);
  history.replaceState(null, "", at);
};
const here = new URL(location);
if (here.searchParams.has("__done")) forget(here);

// The form in the page that followed: what it sends by itself may be another, if it is the only one.
const again = (form) => {
  const forms = [...document.forms];
  const alike = forms.filter((other) => other.getAttribute("action") === form.getAttribute("action"));
  return forms.find((other) => key(other) === key(form)) ?? (alike.length === 1 ? alike[0] : undefined);
};

// Shows the page that a form leads back to. What happened stands in its address and is taken out of
// it, so that it is not told again.
const show = async (address, form) => {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  const at = new URL(answer.url);
  if (at.pathname !== location.pathname) {
    return say(form, ...sessionEnded);
  }
  const page = await pageOf(answer);
  const failed = at.searchParams.has("__err");
  forget(at);
  become(page);
  const anew = again(form);
  // Where what was sent is sent again with a change, it stays; a pasted secret does so in the browser alone.
  if (anew && (failed || form.matches(".is-kept"))) {
    refill(anew, form);
    for (let fold = anew.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
  // Where the focus goes is what readers of the screen hear.
  const told = anew?.querySelector(".said") ?? document.querySelector(".said, .notice[role=status]");
  const next = anew?.querySelector("[aria-invalid=true]") ?? told ?? document.querySelector("h1");
  if (next && !next.matches("input, select, textarea")) next.tabIndex = -1;
  next?.focus();
  wake();
  follow();
};

const send = async (form, submitter) => {
  busy(form, true);
  let to;
  try {
    const body = new URLSearchParams(new FormData(form, submitter));
    const headers = { accept: "text/html", "x-sent-by": "script" };
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers });
    to = answer.headers.get("x-go-to");
    if (to === null) say(form, answer.ok ? "Done." : await answer.text());
  } catch {
    say(form, unreachable);
  }
  if (!to) return busy(form, false);
  const at = new URL(to, location);
  // On the way to another page the form stays as it is, so that it is not sent again; but a page that the
  // browser keeps must not keep a password.
  if (form.querySelector("[type=password]")) addEventListener("pagehide", () => form.reset(), { once: true });
  if (at.origin !== location.origin || at.pathname !== location.pathname) return location.assign(at);
  try {
    await show(at, form);
    busy(form, false);
  } catch {
    // It was done; only the page is missing.
    location.assign(at);
  }
};

// What tells a node from those beside it: its id, what it sends, where it leads, its heading; a row by what
// it leads to, or its moment. Moments in addresses move with the page.
const address = (link) => link.getAttribute("href")?.replace(/\d{4}-\d\d-\d\d[^&]*/g, "");
const row = (node) => {
  const told = node.querySelector("a[href], time[datetime]");
  return told && (address(told) ?? told.getAttribute("datetime"));
};
const telling = { A: address, FORM: key, LI: row, TR: row, SECTION: (node) => node.querySelector("h2")?.textContent };
const called = (node) => {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeName;
  const name = node.nodeName.toUpperCase();
  // Not `node.id`: a form has a field of that name.
  const id = node.getAttribute("id");
  return id ? `${name}#${id}` : `${name}.${node.classList[0]} ${telling[name]?.(node)}`;
};
// What stands in `old` for each node in `anew`, if anything does.
const pair = (old, anew) => {
  const there = {};
  for (const child of old.childNodes) (there[called(child)] ??= []).push(child);
  return new Map([...anew.childNodes].map((child) => [child, there[called(child)]?.shift()]));
};

// What was told of what somebody did, and what is shown once: no look at the page brings it again. Islands
// are what their script made of them. What is kept by a name stays as long as the page has that to keep.
const KEPT = ".answered, [data-kept], leptos-island";
const isKept = (node, anew) => {
  const name = node.matches(KEPT) && node.dataset.kept;
  return name ? anew.querySelector(`[data-keeps="${CSS.escape(name)}"]`) : node.matches(KEPT);
};

// Makes a part of the page like another. What is the same in both is left alone, and so is what is `held`.
const morph = (old, anew, held) => {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== anew.data) old.data = anew.data;
    return;
  }
  if (held.has(old) || old.matches(KEPT)) return;
  // Whoever unfolded something goes on reading it.
  if (old.nodeName === "DETAILS") anew.toggleAttribute("open", old.open);
  for (const { name } of [...old.attributes]) {
    const focus = name === "tabindex" && old === document.activeElement;
    if (!anew.hasAttribute(name) && !focus) old.removeAttribute(name);
  }
  for (const { name, value } of anew.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const pairs = pair(old, anew);
  const goOn = new Set(pairs.values());
  const stays = (child) => {
    if (goOn.has(child) || child.nodeType !== Node.ELEMENT_NODE) return goOn.has(child);
    return isKept(child, anew) || [...held].some((one) => child.contains(one));
  };
  for (const child of [...old.childNodes]) if (!stays(child)) child.remove();
  let at = old.firstChild;
  for (const [child, mine] of pairs) {
    while (at && !goOn.has(at)) at = at.nextSibling;
    if (mine && mine === at) at = at.nextSibling;
    else if (mine && old.moveBefore) old.moveBefore(mine, at);
    else old.insertBefore(mine ?? child, at);
    if (mine) morph(mine, child, held);
  }
};

// Where people are at work nothing moves by itself: in which part, section or box they typed, chose or
// marked something, have before them what asks whether they mean it, wait for an answer, or move the pointer.
const UNIT = "[data-live], [data-live] :is(.section, .status, .card)";
const live = () => [...document.querySelectorAll("[data-live]:not([data-live] *)")];
const changed = (field) => {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.nodeName !== "SELECT") return field.value !== field.defaultValue;
  return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
};
let pointed = { at: -Infinity };
addEventListener("pointermove", ({ target, timeStamp }) => (pointed = { target, at: timeStamp }), { passive: true });
// What has the focus and stands no more where the page was looked at.
let stuck;
const atWork = () => {
  const held = new Set();
  const hold = (node) => {
    const unit = node?.closest?.(UNIT);
    if (unit) held.add(unit);
    return unit;
  };
  const marked = getSelection();
  if (marked && !marked.isCollapsed) {
    const range = marked.getRangeAt(0);
    const around = range.commonAncestorContainer;
    if (!hold(around.closest ? around : around.parentElement)) {
      for (const part of live()) if (range.intersectsNode(part)) held.add(part);
    }
  }
  document.querySelectorAll("[data-live] :is(.confirm[open], dialog[open], [aria-busy=true])").forEach(hold);
  for (const field of document.querySelectorAll("[data-live] :is(input:not([type=hidden]), select, textarea)")) {
    if (changed(field)) hold(field);
  }
  if (performance.now() - pointed.at < 1500) hold(pointed.target);
  if (stuck === document.activeElement) hold(stuck);
  return held;
};
// What stands for a node where the page was looked at.
const twin = (node, part, anew) => {
  if (node === part) return anew;
  const around = twin(node.parentNode, part, anew);
  return around && [...pair(node.parentNode, around)].find(([, mine]) => mine === node)?.[0];
};

// What moves on a page is looked at again, until it stands still; what has a topic, when the server names
// it, and now and then, since its times grow old. While the server can't be heard the page says so.
let sending = 0;
let next;
let stream;
let deaf = false;
// When it will be said that nothing is heard.
let missing;
const listen = () => {
  if (stream) return;
  const of = document.querySelector("[data-of]")?.dataset.of;
  stream = new EventSource(of ? `/live?of=${of}` : "/live");
  // What was said since the page was made nobody here heard.
  stream.onopen = () => {
    clearTimeout(missing);
    missing = undefined;
    deaf = false;
    hear();
  };
  stream.onmessage = ({ data }) => {
    if (data === "all" || document.querySelector(`[data-topic~="${CSS.escape(data)}"]`)) hear();
  };
  // A stream ends now and then, and another begins at once. One that stays away is asked for less often.
  const mine = stream;
  stream.onerror = () => {
    missing ??= setTimeout(() => {
      deaf = true;
      tell();
      follow();
    }, 5000);
    if (!deaf && mine.readyState !== EventSource.CLOSED) return;
    mine.close();
    setTimeout(() => {
      if (stream !== mine) return;
      stream = undefined;
      follow(0);
    }, 5000);
  };
};
const tell = () => document.querySelectorAll("[data-topic] > * > .stale").forEach((said) => (said.hidden = !deaf));
// There will be no more to see here.
const end = (why) => {
  for (const said of document.querySelectorAll("[data-topic] > * > .stale")) {
    said.textContent = why;
    said.hidden = false;
  }
  for (const part of live()) {
    part.dataset.live = "still";
    delete part.dataset.topic;
  }
  hangUp();
};
// How many looks are owed to what was said: one at once, and one a little later where a part has a pace,
// since what it counts may be some seconds old. Nothing is looked at more often than at that pace.
let owed = 0;
let looked = -Infinity;
const hear = () => {
  owed = 2;
  if (!looking) follow();
};
const hangUp = () => {
  clearTimeout(missing);
  missing = undefined;
  stream?.close();
  stream = undefined;
};
addEventListener("pagehide", hangUp);
addEventListener("pageshow", ({ persisted }) => persisted && follow(0));
// A page that nobody sees is looked at when somebody does. A browser has few connections for all its tabs.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hangUp();
  follow(0);
});
const follow = (wait) => {
  clearTimeout(next);
  if (document.hidden) return;
  const moving = document.querySelector("[data-live=moving]");
  const told = document.querySelector("[data-topic]");
  if (told) listen();
  const pace = Number(told?.dataset.pace ?? 0);
  if (owed === 2 && !deaf) wait = Math.max(0, looked + pace - performance.now());
  if (owed === 1 && pace) wait ??= 6 * pace;
  // What a person does elsewhere takes longer than what we do.
  const slow = deaf ? 5000 : 30_000;
  wait ??= moving || !told ? (moving?.dataset.then ? 3000 : 1000) : slow;
  if (sending || moving || told) next = setTimeout(look, wait);
};
// What could not be shown is, as soon as nobody is at work there.
let behind = false;
let releasing;
const release = () => {
  clearTimeout(releasing);
  if (!behind) return;
  if (atWork().size) releasing = setTimeout(release, 500);
  else {
    behind = false;
    hear();
  }
};
const fallBehind = (held) => {
  behind = held.size > 0;
  for (const part of live()) {
    const said = part.querySelector(":scope > * > .held");
    if (said) said.hidden = !(held.has(part) && (owed || !said.hidden));
  }
  release();
};
let looking = false;
const look = async () => {
  if (looking) return;
  const held = atWork();
  const parts = live();
  // Nothing is asked for that could not be shown.
  if (parts.length && parts.every((part) => held.has(part))) return fallBehind(held);
  looking = true;
  looked = performance.now();
  // What is said while one looks may have come too late for that look.
  owed = Math.max(0, owed - 1);
  await lookOnce();
  looking = false;
};
const asks = "main :is(input:not([type=hidden]), textarea, select)";
const mayReload = () =>
  ![...document.querySelectorAll(asks)].some(changed)
  && !document.activeElement?.matches(asks)
  && !document.querySelector("main :is(.confirm[open], dialog[open], [aria-busy=true])");
const lookOnce = async () => {
  const [turn, at] = [turns, location.href];
  try {
    const answer = await fetch(location, { headers: { accept: "text/html", "x-look": "1" } });
    if (answer.status >= 500) throw new Error(answer.statusText);
    const page = parse(await answer.text());
    // Meanwhile it may have become another.
    if (turn !== turns || at !== location.href) return follow();
    if (new URL(answer.url).pathname !== location.pathname) return end(signedOut);
    if (answer.status === 404 || answer.status === 403) return end(page.querySelector("main .stack p").textContent);
    if (!answer.ok) throw new Error(answer.statusText);
    // Nobody is interrupted who typed something, anywhere on the page.
    const waits = [...document.querySelectorAll("[data-live=moving][data-then=reload]")]
      .filter((part) => page.getElementById(part.id)?.dataset.live !== "moving");
    if (waits.length && mayReload()) return location.reload();
    const focused = document.activeElement;
    const within = live().find((part) => part.contains(focused));
    const anew = within && page.getElementById(within.id);
    const kept = anew && focused.closest(KEPT);
    const firm = kept && within.contains(kept) ? kept.parentNode : focused;
    stuck = anew && !twin(firm, within, anew) ? focused : undefined;
    const held = atWork();
    const firmly = new Set([...held, ...waits]);
    for (const part of live()) {
      const anew = page.getElementById(part.id);
      if (firmly.has(part)) continue;
      if (anew) morph(part, anew, firmly);
      else part.dataset.live = "still";
    }
    wake();
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    tell();
    fallBehind(held);
    for (const part of waits) part.querySelector(":scope > * > .held").hidden = false;
    follow();
  } catch {
    follow(5000);
  }
};
follow();

// A secret that is shown for a while: its seconds are counted, and it is gone when they are over or the page
// is left, whichever way.
const secret = document.querySelector("[data-gone-in]");
if (secret) {
  const { goneIn, back } = secret.dataset;
  const end = Date.now() + goneIn * 1000;
  const left = secret.querySelector("[data-left]");
  const leave = () => {
    secret.replaceChildren();
    location.replace(back);
  };
  const count = () => {
    const seconds = Math.ceil((end - Date.now()) / 1000);
    if (seconds <= 0) return leave();
    left.textContent = `Gone in ${seconds} s.`;
  };
  count();
  setInterval(count, 250);
  addEventListener("pagehide", () => secret.replaceChildren());
  addEventListener("pageshow", ({ persisted }) => persisted && leave());
}
for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = false;
  button.onclick = async () => {
    const value = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(value.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(value);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected: copy it yourself";
    }
  };
}

// A form that is answered with its own page: what was typed stands in it, changed as the button asked.
const stay = async (form, submitter) => {
  busy(form, true);
  try {
    const action = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
    const body = new URLSearchParams(new FormData(form, submitter));
    const answer = await fetch(action, { method: "POST", body, headers: { accept: "text/html" } });
    if (answer.redirected) {
      if (new URL(answer.url).pathname === "/login") say(form, ...sessionEnded);
      else location.assign(answer.url);
      return busy(form, false);
    }
    if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new Error("no page");
    const page = await pageOf(answer);
    const unfolded = [...document.querySelectorAll("details[open][id]")].map((fold) => fold.id);
    history.replaceState(null, "", action);
    become(page);
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    document.querySelector("[autofocus]")?.focus();
    wake();
    follow();
  } catch {
    busy(form, false);
    say(form, unreachable);
  }
};

// A list that follows what is typed: only what was found is another, and the address.
let typing;
let asked = 0;
const narrow = async (form) => {
  const at = new URL(form.getAttribute("action"), location);
  at.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const mine = ++asked;
  try {
    const page = await pageOf(await fetch(at, { headers: { accept: "text/html" } }));
    const anew = page.getElementById("found");
    if (mine !== asked || !anew) return;
    turns++;
    document.getElementById("found").replaceWith(anew);
    history.replaceState(null, "", at);
    wake();
  } catch (error) {
    // The button is still there.
    console.warn(error);
  }
};
document.addEventListener("input", ({ target }) => {
  if (target.type !== "search" || !target.form || !document.getElementById("found")) return;
  clearTimeout(typing);
  typing = setTimeout(narrow, 250, target.form);
});

// One box that ticks all of its kind.
document.addEventListener("change", ({ target }) => {
  if (!target.dataset.all) return;
  for (const box of document.getElementsByName(target.dataset.all)) box.checked = target.checked;
});

// Keys, for those who want them: some use their letters for something else, by voice for one.
const SEARCH = "#search";
const search = () => {
  const field = document.querySelector("main input[type=search]");
  field?.focus();
  field?.select();
  return field;
};
if (location.hash === SEARCH) search();
const kept = (choice) => {
  try {
    if (choice) localStorage.setItem("keys", choice);
    return localStorage.getItem("keys");
  } catch {
    // A browser that keeps nothing listens.
  }
};
document.addEventListener("toggle", ({ target }) => {
  const box = target.querySelector?.("[data-keys]");
  if (box) box.checked = kept() !== "off";
}, true);
document.addEventListener("change", ({ target }) => {
  if ("keys" in target.dataset) kept(target.checked ? "on" : "off");
});
// The row after the one that has the focus, or before it.
const step = (by) => {
  const rows = [...document.querySelectorAll("main :is(.board-row, li.found, li.campaign, tbody tr, .tiles > li)")]
    .filter((row) => row.querySelector("a") && row.checkVisibility());
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
  rows[next]?.querySelector("a").focus();
};
const does = {
  "/": () => search() ?? location.assign(`/connections${SEARCH}`),
  "?": () => document.getElementById("keys")?.togglePopover(),
  j: () => step(1),
  k: () => step(-1),
};
// When `g` was pressed; what follows it soon is the name of a place.
let going = -Infinity;
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, dialog[open]")) return;
  if (event.key.length > 1 || kept() === "off") return;
  const place = event.timeStamp - going < 1500
    ? document.querySelector(`.places [data-key="${CSS.escape(event.key)}"]`)
    : null;
  going = event.key === "g" ? event.timeStamp : -Infinity;
  const act = place ? () => place.click() : does[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// What came of a file. Where the same one may follow it is at hand, and need not be chosen again.
const sent = (form, { responseURL, responseText }) => {
  const page = parse(responseText);
  const anew = page.querySelector("form.is-kept [type=file]");
  if (!anew) return location.assign(responseURL);
  const { files } = form.querySelector("[type=file]");
  page.querySelectorAll("noscript").forEach((part) => part.remove());
  history.replaceState(null, "", responseURL);
  become(page);
  anew.files = files;
  const told = document.querySelector(".said");
  if (told) told.tabIndex = -1;
  told?.focus();
  wake();
  follow();
};

// A file, with a bar that says how far it is.
const upload = (form, submitter) => {
  busy(form, true);
  sending++;
  follow();
  const bar = form.querySelector("progress");
  if (bar) bar.hidden = false;
  const request = new XMLHttpRequest();
  request.onloadend = () => sending--;
  request.upload.onprogress = ({ loaded, total }) => {
    if (bar && total) [bar.max, bar.value] = [total, loaded];
  };
  request.onload = () => {
    if (request.status === 200) return sent(form, request);
    busy(form, false);
    // A page is of somebody who does not know the form's address, as a replica of an older version.
    const isWhy = request.getResponseHeader("content-type")?.startsWith("text/plain");
    say(form, isWhy ? request.responseText : unreachable);
  };
  request.onerror = () => {
    busy(form, false);
    say(form, "The file was not sent to its end. Send it again: what came in is skipped then.");
  };
  request.open("POST", submitter?.getAttribute("formaction") ?? form.getAttribute("action"));
  request.setRequestHeader("x-sent-by", "script");
  request.send(new FormData(form, submitter));
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  const action = form.getAttribute("action") ?? "";
  const posted = action.startsWith("/rpc/") ? send : action.startsWith("/upload/") ? upload : null;
  const way = "stay" in form.dataset ? stay : posted;
  if (event.defaultPrevented || form.method !== "post" || !way) return;
  event.preventDefault();
  if (form.ariaBusy !== "true") void way(form, event.submitter);
});

start({ module_or_path: wasm }).then(() => {
  parts.hydrate();
  awake = true;
  wake();
  document.documentElement.dataset.hydrated = "";
});
