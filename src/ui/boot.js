// Wakes the islands, and sends forms without leaving the page: what was typed stays when something is
// wrong with it, and the button says that it works. Without this a form is a plain post.
const wake = () => {
  for (const part of document.querySelectorAll("leptos-island")) parts[part.dataset.component](part);
};

const say = (form, text) => {
  let place = form.querySelector(":scope > .answered");
  if (!place) {
    place = document.createElement("div");
    place.className = "answered";
    form.append(place);
  }
  place.setAttribute("aria-live", "polite");
  const told = document.createElement("p");
  told.className = "said";
  told.dataset.tone = "ill";
  told.textContent = text;
  place.replaceChildren(told);
};

// The form of the new page that stands for one of the old.
const same = (form) => {
  const alike = (other) =>
    other.getAttribute("action") === form.getAttribute("action") &&
    [...form.querySelectorAll("[type=hidden]")].every(
      (field) => other.elements.namedItem(field.name)?.value === field.value,
    );
  return [...document.forms].find(alike);
};

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

const show = async (address, form) => {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = [...document.querySelectorAll("details[open] > summary")].map((e) => e.textContent);
  history.replaceState(null, "", answer.url);
  document.title = page.title;
  document.body.replaceWith(page.body);
  for (const fold of document.querySelectorAll("details > summary"))
    if (open.includes(fold.textContent)) fold.parentElement.open = true;
  wake();
  const anew = same(form);
  const wrong = anew?.querySelector("[aria-invalid=true]");
  if (new URL(answer.url).searchParams.has("__err") && anew) refill(anew, form);
  (wrong ?? anew?.querySelector("[type=submit]"))?.focus();
};

const upload = (event, form, action) => {
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const bar = form.querySelector("progress");
  if (bar) bar.hidden = false;
  const request = new XMLHttpRequest();
  request.upload.onprogress = ({ loaded, total }) => {
    if (bar && total) [bar.max, bar.value] = [total, loaded];
  };
  request.onload = () => {
    form.ariaBusy = null;
    if (request.status === 200) location.assign(request.responseURL);
    else say(form, request.responseText);
  };
  request.onerror = () => {
    form.ariaBusy = null;
    say(form, "The file was not sent to its end. Send it again: what came in is skipped then.");
  };
  request.open("POST", action);
  request.send(new FormData(form, event.submitter));
};

const send = async (event) => {
  const form = event.target;
  const action = form.getAttribute("action") ?? "";
  if (!event.defaultPrevented && action.startsWith("/upload/")) return upload(event, form, action);
  if (event.defaultPrevented || form.method !== "post" || !action.startsWith("/rpc/")) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  try {
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const headers = { accept: "text/html", "x-sent-by": "script" };
    const answer = await fetch(action, { method: "POST", body, headers });
    const to = answer.headers.get("x-go-to");
    if (to === null) say(form, answer.ok ? "Done." : await answer.text());
    else if (new URL(to, location).pathname === location.pathname) await show(to, form);
    else location.assign(to);
  } catch {
    say(form, "Regrant could not be reached. Nothing may have happened yet; try again.");
  }
  form.ariaBusy = null;
};
document.addEventListener("submit", (event) => void send(event));

start({ module_or_path: wasm }).then(() => {
  parts.hydrate();
  wake();
  document.documentElement.dataset.hydrated = "";
});
