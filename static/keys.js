// Keys: / searches, j and k go down and up, Enter opens, t f b u judge, ? lists them. One switch turns them all off.
// By event.key, so that they are where the reader's keyboard has them; never with a modifier, nor while typing.
const OFF = "keys";
const dialog = document.querySelector("[data-keys]");
const opener = document.querySelector("[data-keys-open]");
const toggle = document.querySelector("[data-keys-switch]");

function isOn() {
  try {
    return localStorage.getItem(OFF) !== "off";
  } catch {
    return true;
  }
}

function isTyping(target) {
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target.matches("input") && !["button", "checkbox", "radio", "reset", "submit"].includes(target.type);
}

function items() {
  const marked = [...document.querySelectorAll("main [data-item]")];
  const found = marked.length ? marked : [...document.querySelectorAll("main .list-rows tbody tr")];
  return found.filter((one) => one.checkVisibility());
}

function current() {
  return document.activeElement?.closest("[data-item], .list-rows tbody tr") ?? null;
}

function go(step) {
  const all = items();
  if (!all.length) return;
  const at = all.indexOf(current());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  if (!next.hasAttribute("tabindex")) next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

// The link that an item is about: the one that is marked so, or its first.
function open(item) {
  (item.querySelector("[data-open]") ?? item.querySelector("a[href]"))?.click();
}

function judge(key) {
  const all = items();
  const item = current() ?? (all.length === 1 ? all[0] : null);
  const button = item?.querySelector(`[data-judge] button[data-key="${key}"]`);
  if (!button || button.disabled) return false;
  button.click();
  return true;
}

function search() {
  const field = document.querySelector("main input[type=search]");
  if (!field) return false;
  field.focus();
  field.select();
  return true;
}

function act(event) {
  switch (event.key) {
    case "/":
      return search();
    case "j":
      go(1);
      return true;
    case "k":
      go(-1);
      return true;
    case "Enter": {
      const item = document.activeElement;
      if (!item?.matches("[data-item], .list-rows tbody tr")) return false;
      open(item);
      return true;
    }
    case "t":
    case "f":
    case "b":
    case "u":
      return !event.repeat && judge(event.key);
    case "?":
      dialog?.showModal();
      return true;
    default:
      return false;
  }
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!isOn() || dialog?.open || isTyping(event.target)) return;
  if (act(event)) event.preventDefault();
});

if (dialog && opener && toggle) {
  opener.hidden = false;
  opener.addEventListener("click", () => dialog.showModal());
  toggle.checked = isOn();
  toggle.addEventListener("change", () => {
    try {
      if (toggle.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "off");
    } catch {
      toggle.checked = isOn();
    }
  });
}
