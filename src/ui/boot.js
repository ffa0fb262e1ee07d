// Wakes the islands, and sends forms without leaving the page: what was typed stays when something is
// wrong with it, and the button says that it works. Without this a form is a plain post.
let awake = false;
const wake = () => {
  if (!awake) return;
  for (const part of document.querySelectorAll("leptos-island")) {
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
  for (const name of ["__err", "__path", "__done", "connected", "problem"]) at.searchParams.delete(name);
  history.replaceState(null, "", at);
  document.title = page.title;
  document.body.replaceWith(page.body);
  const anew = [...document.forms].find((other) => key(other) === key(form));
  if (anew && failed) {
    refill(anew, form);
    for (let fold = anew.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
  // Where the focus goes is what readers of the screen hear.
  const told = anew?.querySelector(".said") ?? document.querySelector(".said");
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

// Makes a part of the page like another, and leaves alone what is the same in both.
const morph = (old, anew) => {
  if (old.nodeName !== anew.nodeName) return old.replaceWith(anew);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== anew.data) old.data = anew.data;
    return;
  }
  // Whoever unfolded something goes on reading it.
  if (old.nodeName === "DETAILS") anew.toggleAttribute("open", old.open);
  for (const { name } of [...old.attributes]) if (!anew.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of anew.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...anew.childNodes]];
  after.forEach((child, at) => (at < before.length ? morph(before[at], child) : old.append(child)));
  before.slice(after.length).forEach((child) => child.remove());
};

// What moves on a page is looked at again, until it stands still; what has a topic, when the server names
// it, and now and then, since its times grow old. While the server can't be heard the page says so.
let sending = 0;
let next;
let stream;
let deaf = false;
const listen = () => {
  if (stream) return;
  stream = new EventSource("/live");
  // What was said since the page was made nobody here heard.
  stream.onopen = () => {
    deaf = false;
    hear();
  };
  stream.onmessage = ({ data }) => {
    if (data === "all" || document.querySelector(`[data-topic~="${CSS.escape(data)}"]`)) hear();
  };
  stream.onerror = () => {
    deaf = true;
    for (const said of document.querySelectorAll("[data-topic] > .stale")) said.hidden = false;
    if (stream.readyState === EventSource.CLOSED) hangUp();
    follow(5000);
  };
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
  stream?.close();
  stream = undefined;
};
addEventListener("pagehide", hangUp);
addEventListener("pageshow", ({ persisted }) => persisted && follow(0));
const follow = (wait) => {
  clearTimeout(next);
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
let looking = false;
const look = async () => {
  if (looking) return;
  looking = true;
  looked = performance.now();
  // What is said while one looks may have come too late for that look.
  owed = Math.max(0, owed - 1);
  await lookOnce();
  looking = false;
};
const lookOnce = async () => {
  try {
    const answer = await fetch(location, { headers: { accept: "text/html" } });
    if (!answer.ok || new URL(answer.url).pathname !== location.pathname) return;
    const page = parse(await answer.text());
    for (const part of document.querySelectorAll("[data-live]")) {
      const anew = page.getElementById(part.id);
      const over = part.dataset.live === "moving" && anew?.dataset.live !== "moving";
      // Nobody is interrupted who is typing.
      if (over && part.dataset.then === "reload" && !document.activeElement?.matches("input, select, textarea")) {
        return location.reload();
      }
      if (anew) {
        const said = anew.querySelector(":scope > .stale");
        if (said && deaf) said.hidden = false;
        morph(part, anew);
      } else part.dataset.live = "still";
    }
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
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
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
    document.title = page.title;
    document.body.replaceWith(page.body);
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
  const rows = [...document.querySelectorAll("main :is(.board-row, tbody tr, .tiles > li)")]
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
    if (request.status === 200) return location.assign(request.responseURL);
    busy(form, false);
    say(form, request.responseText);
  };
  request.onerror = () => {
    busy(form, false);
    say(form, "The file was not sent to its end. Send it again: what came in is skipped then.");
  };
  request.open("POST", form.getAttribute("action"));
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
