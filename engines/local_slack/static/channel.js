// Keeps the channel current: replaces a message when it or its thread changes, and presses a button or sends a command without a reload.

const channel = document.getElementById("channel");
const state = document.getElementById("state");

function drawn(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html; // drawn by the workspace, which escapes every text from outside
  return holder.content.firstElementChild;
}

function show({ order, changed }) {
  const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 40;
  const focused = document.activeElement?.closest?.("button");
  for (const [ts, html] of changed) {
    const old = document.getElementById(`m-${ts}`);
    const fresh = drawn(html);
    const button = old?.contains(focused) ? focused.value : null;
    if (old) old.replaceWith(fresh);
    else channel.append(fresh);
    if (button) fresh.querySelector(`button[value="${CSS.escape(button)}"]`)?.focus();
  }
  const known = new Set(order);
  for (const one of [...channel.children]) if (!known.has(one.dataset.ts)) one.remove();
  let before = null;
  for (const ts of order) {
    const one = document.getElementById(`m-${ts}`);
    if (!one) continue;
    if (one.previousElementSibling !== before) channel.insertBefore(one, before ? before.nextSibling : channel.firstChild);
    before = one;
  }
  if (atEnd) scrollTo(0, document.documentElement.scrollHeight);
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const body = new URLSearchParams(new FormData(form, event.submitter));
  form.setAttribute("aria-busy", "true");
  try {
    await fetch(form.action, { method: "POST", body, redirect: "manual" });
    form.querySelector("#command")?.form.reset();
  } catch {
    state.textContent = "The workspace does not answer.";
  } finally {
    form.removeAttribute("aria-busy");
  }
});

const events = new EventSource(`events?after=${channel.dataset.sequence}`);
events.addEventListener("channel", (event) => show(JSON.parse(event.data)));
events.addEventListener("open", () => { state.textContent = ""; });
events.addEventListener("error", () => { state.textContent = "The workspace does not answer: these are the last messages."; });
scrollTo(0, document.documentElement.scrollHeight);
