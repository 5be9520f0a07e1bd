/** Opens a Flow that has screens where it runs: in Salesforce, in a window of its own. */

import { byId, show } from "./dom.js";
import { PaneProblem, clearProblem, showProblem } from "./problems.js";

const FEATURES = "popup,width=900,height=720";

export class ScreenFlow {
  #service;
  #appId;
  #flow = null;

  constructor(service, appId) {
    this.#service = service;
    this.#appId = appId;
    byId("screen-open").addEventListener("click", () => this.#open(this.#flow));
  }

  /** Which Flow stands open in the pane, of either kind. */
  prepare(flow) {
    this.#flow = flow;
    show("screen-notice", flow.kind === "screen");
  }

  /**
   * The window opens inside the click, before anything is awaited: later, browsers block it. The
   * address serves once, and goes from the answer into that window and nowhere else.
   */
  async #open(flow) {
    const place = byId("problem-run");
    clearProblem(place);
    const opened = window.open("", "_blank", FEATURES);
    try {
      if (!opened) throw new PaneProblem("window_blocked");
      const address = await this.#service.openLightning(flow.org, this.#appId);
      opened.opener = null; // what stands there then has no way back to this page
      opened.location.replace(address);
    } catch (problem) {
      opened?.close();
      if (flow === this.#flow) showProblem(place, problem);
    }
  }
}
