// What makes the rules' pages quicker. Everything works without it.

// A rule's page is reached after saving: the text that was kept in case of a lost session is not needed any more.
for (const key of Object.keys(sessionStorage)) {
  if (key.startsWith("rule-draft:") && JSON.parse(sessionStorage.getItem(key)).sent) sessionStorage.removeItem(key);
}

const bulk = document.querySelector("#bulk");
const all = bulk?.querySelector("[data-all]");
if (all) {
  const boxes = [...bulk.querySelectorAll("[name=rule]")];
  const count = () => {
    const checked = boxes.filter((box) => box.checked).length;
    all.checked = checked === boxes.length;
    all.indeterminate = checked > 0 && checked < boxes.length;
  };
  all.hidden = false;
  all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
  bulk.addEventListener("change", count);
  count();

  const kind = bulk.querySelector("[name=change]");
  const tag = bulk.querySelector("[data-tag]");
  const show = () => (tag.hidden = !kind.value.endsWith("-tag"));
  kind.addEventListener("change", show);
  show();
}
