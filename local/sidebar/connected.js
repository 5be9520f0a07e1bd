/**
 * The last page of the connect window: `return_to` of POST /v1/salesforce/connections.
 *
 * The outcome stands in the fragment, which no server sees. It goes to the pane that opened this
 * window, on this very origin, and out of the address. Opened without an outcome, this is the page
 * to look at until Salesforce answers.
 */

const outcome = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);

function say(title, text) {
  document.getElementById("connected-title").textContent = title;
  document.getElementById("connected-text").textContent = text;
}

function handOver(message) {
  if (!window.opener) {
    say("Not connected", "The pane that opened this window is gone. Close it and connect again.");
    return;
  }
  window.opener.postMessage({ type: "flowrunner.connected", ...message }, location.origin);
}

if (outcome.has("completion")) {
  say("Almost done", "Go back to your mail: the pane finishes the connection.");
  handOver({ completion: outcome.get("completion") });
} else if (outcome.has("error")) {
  say("Not connected", "Close this window: the pane says what went wrong.");
  handOver({ error: outcome.get("error") });
}
