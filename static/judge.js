// Judging without leaving the page: the form is sent, and the server's new state of the trigger takes its place.
// The server writes and escapes all markup; this file only moves it.
const status = document.createElement("div");
status.className = "visually-hidden";
status.setAttribute("role", "status");
document.body.append(status);

function parsed(text) {
  return new DOMParser().parseFromString(text, "text/html").querySelector("[data-judgement]");
}

async function judge(form, button) {
  const place = form.closest("[data-judgement]");
  const fields = new FormData(form, button);
  const buttons = form.querySelectorAll("button");
  for (const one of buttons) one.disabled = true;
  let fresh = null;
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields, headers: { "X-Fragment": "1" } });
    if (!answer.redirected) fresh = parsed(await answer.text());
  } catch {
    // Offline, say: the plain form shows what is wrong.
  }
  if (!fresh) {
    for (const one of buttons) one.disabled = false;
    form.dataset.plain = "";
    form.requestSubmit(button);
    return;
  }
  const hadFocus = place.contains(document.activeElement) || document.activeElement === document.body;
  place.replaceWith(fresh);
  if (hadFocus) fresh.querySelector(`button[value="${CSS.escape(button.value)}"], button`)?.focus();
  status.textContent = fresh.querySelector("[role=alert], .judgement-state")?.textContent.trim() ?? "";
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-judge]") || "plain" in form.dataset || !event.submitter) return;
  event.preventDefault();
  judge(form, event.submitter);
});

// A judgement of many that takes more than one request goes on by itself.
document.querySelector("[data-go-on]")?.requestSubmit();
