// Comfort only: every page works without it. Copying, confirming, local times, and pages that follow what happens.
"use strict";

function arm(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.onclick = async () => {
      const label = button.textContent;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
      } catch {
        const text = button.parentElement.querySelector("code");
        if (text) getSelection().selectAllChildren(text);
        button.textContent = "Press Ctrl+C";
      }
      setTimeout(() => { button.textContent = label; }, 2000);
    };
  }
  for (const form of root.querySelectorAll("form[data-confirm]")) {
    form.onsubmit = (event) => {
      if (!confirm(form.dataset.confirm)) {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    };
  }
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.title = time.textContent;
    time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}

// A form is sent once, and says that it is under way.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const button = event.submitter;
  if (!button || button.dataset.download !== undefined) return;
  button.setAttribute("aria-busy", "true");
  setTimeout(() => { for (const other of event.target.querySelectorAll("button")) other.disabled = true; }, 0);
});
// Back to a page from the browser's memory: its buttons work again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const button of document.querySelectorAll("button")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});

// <div id="x" data-live="queue"> is fetched anew whenever the server says that the queue has changed.
const postponed = new Set();
async function refresh(topic) {
  const live = [...document.querySelectorAll(`[data-live~="${topic}"]`)];
  // Nobody's hand is moved while it types or is about to press.
  if (live.some((part) => part.contains(document.activeElement))) {
    postponed.add(topic);
    return;
  }
  if (!live.length) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of live) {
    const fresh = page.getElementById(part.id);
    if (!fresh) continue;
    arm(fresh);
    if (fresh.outerHTML !== part.outerHTML) part.replaceWith(fresh);
  }
}
addEventListener("focusout", () => setTimeout(() => {
  const topics = [...postponed];
  postponed.clear();
  topics.forEach(refresh);
}, 0));

function follow() {
  const topics = new Set();
  for (const part of document.querySelectorAll("[data-live]")) {
    for (const topic of part.dataset.live.split(" ")) topics.add(topic);
  }
  if (!topics.size) return;
  const events = new EventSource("/events?topics=" + encodeURIComponent([...topics].join(",")));
  // Something may have changed between the page and now, or while the connection was gone.
  events.onopen = () => topics.forEach(refresh);
  events.onmessage = (event) => refresh(event.data);
  addEventListener("pagehide", () => events.close());
}

arm(document);
follow();
