// What makes pages quicker: what takes long comes after the page, and new events are offered on top of their list.
// The server writes and escapes all markup; this file only moves it.
const POLL_MS = 5000;
const NEAR_TOP = 400;

async function load(address) {
  const answer = await fetch(address, { headers: { "X-Fragment": "1" } });
  const text = await answer.text();
  if (!answer.ok || answer.redirected) throw new Error(`${address}: ${answer.status}`);
  return new DOMParser().parseFromString(text, "text/html");
}

async function fill(place) {
  place.setAttribute("aria-busy", "true");
  try {
    const page = await load(place.dataset.later);
    const chart = document.querySelector(".histogram-later");
    if (chart) chart.replaceWith(page.querySelector("#histogram"));
    place.replaceWith(page.getElementById(place.id));
  } catch {
    // The link that stands there leads to the same.
    place.removeAttribute("aria-busy");
  }
}

function watch(live) {
  const rows = document.querySelector("#rows");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm btn-outline-primary";
  button.hidden = true;
  live.append(button);
  let waiting = [];
  let more = false;

  const known = () => new Set([...(rows?.children ?? [])].map((row) => row.dataset.uid));

  async function look() {
    if (document.hidden || scrollY > NEAR_TOP || more) return;
    const address = new URL(live.dataset.newer, location.href);
    address.searchParams.set("after", live.dataset.after);
    try {
      const table = (await load(address)).querySelector("table");
      const seen = known();
      waiting = [...table.querySelectorAll("tr")].filter((row) => !seen.has(row.dataset.uid));
      more = "more" in table.dataset && waiting.length === table.rows.length;
    } catch {
      return;
    }
    if (waiting.length) {
      button.textContent = `${waiting.length}${more ? "+" : ""} new event${waiting.length === 1 ? "" : "s"}`;
      button.hidden = false;
    }
  }

  button.addEventListener("click", () => {
    if (more || !rows) {
      location.reload();
      return;
    }
    const height = document.documentElement.scrollHeight;
    const place = scrollY;
    rows.prepend(...waiting);
    for (const row of waiting) row.classList.add("fresh");
    if (place > 0) scrollTo({ top: place + document.documentElement.scrollHeight - height, behavior: "instant" });
    waiting = [];
    button.hidden = true;
  });
  setInterval(look, POLL_MS);
  document.addEventListener("visibilitychange", look);
}

const later = document.querySelector("[data-later]");
if (later) fill(later);
const live = document.querySelector("[data-newer]");
if (live) watch(live);
