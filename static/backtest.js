// Goes on with a backtest by itself. Without this file the button "Go on" does it, a step a time.
// What was found so far travels in the form; the server writes and escapes all markup, this file only moves it.
let cancelled = false;

async function next(form) {
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
  if (!answer.ok || answer.redirected) throw new Error(`${form.action}: ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("#backtest").replaceWith(page.querySelector("#backtest"));
}

async function run() {
  cancelled = false;
  for (let form = goOn(); form && !cancelled; form = goOn()) {
    try {
      await next(form);
    } catch {
      document.querySelector("#backtest-status").append(" It does not answer: go on by the button.");
      break;
    }
  }
  goOn(true);
}

// The form of the next step, whose place the button "Cancel" takes while this file presses it.
function goOn(stopped = false) {
  const form = document.querySelector("#go-on");
  if (!form) return null;
  const cancel = document.querySelector("[data-cancel]");
  form.hidden = !stopped;
  cancel.hidden = stopped;
  cancel.onclick = () => {
    cancelled = true;
    cancel.disabled = true;
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    run();
  };
  return form;
}

run();
