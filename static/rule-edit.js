// A rule that is being written: checked by the server as it is typed, and not lost by leaving the page.
// Without this file the button "Check" does the first, on a page of its own.
const PAUSE_MS = 300;

const form = document.querySelector("#rule-form");
const status = document.querySelector("#check-status");
const kinds = ["must_match", "must_not_match"];
const draftKey = `rule-draft:${location.pathname}`;
let leaving = false;

const say = (text) => {
  if (status.textContent !== text) status.textContent = text;
};

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

// Checking

let waiting = 0;
let asking = null;

function checkSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(check, PAUSE_MS);
}

async function check() {
  asking?.abort();
  const asked = (asking = new AbortController());
  try {
    const answer = await fetch(form.dataset.check, { method: "POST", body: new FormData(form), signal: asked.signal });
    if (answer.redirected || answer.status === 400 || answer.status === 401) {
      say("You are logged out. Your text is kept in this tab: log in, and open this page again.");
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.json());
  } catch (error) {
    if (error.name !== "AbortError") say("The check does not answer; saving checks again.");
  }
}

function show(report) {
  const found = new Map();
  for (const [kind, list] of [["fault", report.faults], ["warning", report.warnings]]) {
    for (const one of list) {
      const field = form.elements[one.field];
      // What is still empty is told when the rule is saved.
      if (!field || (kind === "fault" && !field.value)) continue;
      found.set(one.field, [...(found.get(one.field) ?? []), { kind, text: one.text }]);
    }
  }
  let faults = 0;
  for (const place of form.querySelectorAll("ul.live")) {
    const name = place.id.slice(0, -"-live".length);
    const entries = found.get(name) ?? [];
    const wrong = entries.filter((entry) => entry.kind === "fault").length;
    faults += wrong;
    place.replaceChildren(...entries.map((entry) => element("li", `live-${entry.kind}`, entry.text)));
    const field = form.elements[name];
    field.classList.toggle("is-invalid", wrong > 0);
    if (wrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    document.getElementById(`${name}-errors`)?.remove();
  }
  for (const kind of kinds) {
    const tried = report.samples.filter((one) => one.kind === kind);
    document.getElementById(`${kind}-results`).replaceChildren(...tried.map(sample));
  }
  const parts = [faults ? plural(faults, "fault") : "No fault", plural(report.warnings.length, "warning")];
  if (report.samples.length) parts.push(`${report.passed} of ${plural(report.samples.length, "sample")} right`);
  say(`${parts.join(", ")}.`);
}

function sample(tried) {
  const verdict = `${tried.passed ? "✓" : "✗"} ${tried.matched ? "matches" : tried.fault ? "unknown" : "no match"}`;
  const view = tried.matched && tried.view !== "raw" ? ` as ${tried.view}` : "";
  const text = element("bdi");
  for (const piece of tried.pieces) {
    const shown = piece.token
      ? element("span", "token", piece.times > 1 ? `${piece.text} × ${piece.times}` : piece.text)
      : piece.text;
    text.append(piece.marked ? element("mark", "", shown) : shown);
  }
  const made = element(
    "li",
    tried.passed ? "sample sample-passed" : "sample sample-failed",
    element("span", "sample-verdict", verdict + view),
    element("span", "sample-text", text),
  );
  if (tried.revealed) made.append(element("span", "sample-note", "reads ", element("bdi", "", tried.revealed)));
  if (tried.fault) made.append(element("span", "sample-note", tried.fault));
  return made;
}

// Nothing is lost

const content = () =>
  Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "csrf_token" && !name.startsWith("choice-")));
const written = () => JSON.stringify(content());
const first = written();
const isDirty = () => "unsaved" in form.dataset || written() !== first;

function keep(sent = false) {
  try {
    sessionStorage.setItem(draftKey, JSON.stringify({ sent, content: content() }));
  } catch {
    // A tab that may store nothing keeps nothing.
  }
}

function fill(values) {
  for (const field of form.elements) {
    if (!field.name || field.name === "csrf_token" || field.name.startsWith("choice-")) continue;
    if (field.type === "checkbox") field.checked = field.name in values;
    else if (field.name in values) field.value = values[field.name];
  }
}

function offerDraft() {
  let draft;
  try {
    draft = JSON.parse(sessionStorage.getItem(draftKey));
  } catch {
    return;
  }
  // What was saved comes back with another version.
  const text = JSON.stringify({ ...content(), version: draft?.content?.version });
  if (!draft || "unsaved" in form.dataset || JSON.stringify(draft.content) === text) return;
  const take = element("button", "btn btn-sm btn-primary", "Take it up again");
  const drop = element("button", "btn btn-sm btn-outline-secondary", "Discard it");
  take.type = drop.type = "button";
  const note = element("div", "alert alert-info d-flex flex-wrap align-items-center gap-2", "There is unsaved text of yours from before.", take, drop);
  note.setAttribute("role", "status");
  form.before(note);
  take.addEventListener("click", () => {
    fill(draft.content);
    note.remove();
    keep();
    checkSoon();
    form.elements.name.focus();
  });
  drop.addEventListener("click", () => {
    sessionStorage.removeItem(draftKey);
    note.remove();
  });
}

form.addEventListener("input", () => {
  keep();
  checkSoon();
});
form.addEventListener("submit", () => {
  leaving = true;
  keep(true);
});
addEventListener("beforeunload", (event) => {
  if (!leaving && isDirty()) event.preventDefault();
});
addEventListener("pageshow", () => (leaving = false));

// Theirs or mine: the choice shows in the field, where it can still be changed.
function take(choice) {
  const field = form.elements[choice.closest("tr").dataset.field];
  if (field.type === "checkbox") field.checked = choice.dataset.value === "yes";
  else field.value = choice.dataset.value;
  keep();
  checkSoon();
}
const choices = "tr[data-field] input[type=radio]";
form.addEventListener("change", (event) => {
  if (event.target.matches(choices)) take(event.target);
});
// What was chosen before this file came.
form.querySelectorAll(`${choices}[value=theirs]:checked`).forEach(take);
for (const field of form.elements) {
  field.addEventListener("input", () => {
    const mine = form.querySelector(`tr[data-field="${field.name}"] input[value=mine]`);
    if (mine) mine.checked = true;
  });
}

offerDraft();
document.querySelector("#faults")?.focus();
if (form.elements.pattern.value) check();
