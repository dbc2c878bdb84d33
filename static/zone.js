// Tells the page of time zones the browser's own, and keeps it up to date for a reader who chose it.
const COOKIE = "zone";
const OF_BROWSER = "browser:";

const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
const kept = document.cookie
  .split("; ")
  .find((cookie) => cookie.startsWith(`${COOKIE}=`))
  ?.slice(COOKIE.length + 1)
  .replaceAll('"', "");

if (here && kept && decodeURIComponent(kept).startsWith(OF_BROWSER) && decodeURIComponent(kept) !== OF_BROWSER + here) {
  document.cookie = `${COOKIE}=${OF_BROWSER}${here}; path=/; max-age=31536000; samesite=lax`;
}
const field = document.querySelector("[data-browser-zone]");
if (here && field) {
  field.value = here;
  document.querySelector("[data-browser-zone-name]").textContent = `(${here})`;
}
