// What makes a list quicker: counts that come after the page, and new events that are offered on top.
// The server writes and escapes all markup; this file only moves it.
const POLL_MS = 5000;
const NEAR_TOP = 400;

async function load(address) {
  const answer = await fetch(address, { headers: { "X-Fragment": "1" } });
  if (!answer.ok || answer.redirected) throw new Error(`${address}: ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function fillCounts(facets) {
  facets.setAttribute("aria-busy", "true");
  try {
    const page = await load(facets.dataset.facets);
    const chart = document.querySelector(".histogram-later");
    if (chart) chart.replaceWith(page.querySelector("#histogram"));
    facets.replaceWith(page.querySelector("#facets"));
  } catch {
    facets.removeAttribute("aria-busy");
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

const facets = document.querySelector("[data-facets]");
if (facets) fillCounts(facets);
const live = document.querySelector("[data-newer]");
if (live) watch(live);
