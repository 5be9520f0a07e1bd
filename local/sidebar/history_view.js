/** The user's runs, newest first: which Flow, when, and how it ended. */

import { byId, element, show, shortTime } from "./dom.js";
import { OUTCOMES, clearProblem, showProblem } from "./problems.js";

export class HistoryView {
  #service;
  #labels = new Map(); // the Flow's label by its id and by the ids of runs begun here
  #after = null;

  constructor(service) {
    this.#service = service;
    byId("runs-more").addEventListener("click", () => this.#load(this.#after));
  }

  clear() {
    this.#labels.clear();
    byId("runs").replaceChildren();
    show("history", false);
  }

  /** The history knows Flows by ids only; which Flow a run was of is known to whoever began it. */
  remember(runId, label) {
    this.#labels.set(runId, label);
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
      for (const run of runs) this.#learn(run);
      const items = runs.map((run) => this.#item(run));
      if (after) byId("runs").append(...items);
      else byId("runs").replaceChildren(...items);
      this.#after = next;
      show("runs-more", next !== null);
      show("runs-none", byId("runs").children.length === 0);
    } catch (problem) {
      showProblem(place, problem);
    }
  }

  #learn({ run_id: runId, flow_id: flowId }) {
    const label = this.#labels.get(runId);
    if (label) this.#labels.set(flowId, label);
  }

  #item({ run_id: id, flow_id: flowId, started_at: at, outcome, duration_ms: duration }) {
    const took = duration === null ? "" : ` · ${(duration / 1000).toFixed(2)} s`;
    return element(
      "li",
      { "data-run": id, "data-outcome": outcome },
      element("span", { class: "name" }, this.#labels.get(flowId) ?? `Flow ${flowId.slice(0, 8)}…`),
      element("span", { class: `outcome ${outcome}` }, OUTCOMES[outcome] ?? outcome),
      element("span", { class: "quiet" }, `${shortTime(at)}${took}`),
    );
  }
}
