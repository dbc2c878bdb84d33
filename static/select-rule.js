// What is selected in an event's text becomes a rule: the button says which places of the text as stored it is made of.
const text = document.querySelector("[data-text]");
const form = document.querySelector("[data-select-rule]");
const MOST = 300;

// Code points of the stored text before a place in the page; a token stands for characters that cannot be seen.
function placeOf(node, offset, atEnd) {
  const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
  const piece = element.closest("[data-at]");
  if (!piece || !text.contains(piece)) return null;
  const at = Number(piece.dataset.at);
  if (piece.dataset.length) return at + (atEnd ? Number(piece.dataset.length) : 0);
  const before = [...piece.textContent.slice(0, node.nodeType === Node.TEXT_NODE ? offset : 0)].length;
  return at + before + ("crlf" in piece.dataset && before > 0 ? 1 : 0);
}

// Where a selection's end is between pieces, the nearest piece within it counts.
function places(range) {
  const pieces = [...text.querySelectorAll("[data-at]")].filter((piece) => range.intersectsNode(piece));
  if (!pieces.length) return null;
  const start = placeOf(range.startContainer, range.startOffset, false) ?? Number(pieces[0].dataset.at);
  const last = pieces.at(-1);
  const end =
    placeOf(range.endContainer, range.endOffset, true) ??
    placeOf(last.firstChild ?? last, last.textContent.length, true);
  return start < end ? { start, end } : null;
}

if (text && form) {
  const button = document.createElement("a");
  button.className = "btn btn-sm btn-primary";
  button.textContent = "New rule from selection";
  button.hidden = true;
  form.after(button);
  // A press would end the selection before it is a click.
  button.addEventListener("mousedown", (event) => event.preventDefault());
  document.addEventListener("selectionchange", () => {
    const selection = getSelection();
    const range = selection.rangeCount && !selection.isCollapsed ? selection.getRangeAt(0) : null;
    const found = range && range.intersectsNode(text) ? places(range) : null;
    button.hidden = !found || found.end - found.start > MOST;
    if (!button.hidden) button.href = `${form.action}?start=${found.start}&end=${found.end}`;
  });
}
