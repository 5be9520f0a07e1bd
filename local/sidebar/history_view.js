/** The user's runs, newest first: which Flow, when, and how it ended. */

import { byId, element, show, shortTime } from "./dom.js";
import { OUTCOMES, clearProblem, showProblem } from "./problems.js";

export class HistoryView {
  #service;
  #after = null;

  constructor(service) {
    this.#service = service;
    byId("runs-more").addEventListener("click", () => this.#load(this.#after));
  }

  clear() {
    byId("runs").replaceChildren();
    show("history", false);
  }

  async refresh() {
    show("history", true);
    await this.#load(null);
  }

  async #load(after) {
    const place = byId("problem-history");
    clearProblem(place);
    try {
      const { runs, next } = await this.#service.runs(after);
      const items = runs.map(item);
      if (after) byId("runs").append(...items);
      else byId("runs").replaceChildren(...items);
      this.#after = next;
      show("runs-more", next !== null);
      show("runs-none", byId("runs").children.length === 0);
    } catch (problem) {
      showProblem(place, problem);
    }
  }
}

/** A Flow's name is sealed with the tenant's key; where it cannot be opened, its id remains. */
function item(run) {
  const took = run.duration_ms === null ? "" : ` · ${(run.duration_ms / 1000).toFixed(2)} s`;
  return element(
    "li",
    { "data-run": run.run_id, "data-outcome": run.outcome },
    element("span", { class: "name" }, run.flow_name ?? run.flow_id),
    element("span", { class: `outcome ${run.outcome}` }, OUTCOMES[run.outcome] ?? run.outcome),
    element("span", { class: "quiet" }, `${shortTime(run.started_at)}${took}`),
  );
}
