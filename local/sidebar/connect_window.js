/** The window in which a person logs in at Salesforce, and how its outcome comes back. */

import { PaneProblem } from "./problems.js";

const NAME = "flowrunner-connect";
const FEATURES = "popup,width=520,height=720";
const LOOK_EVERY_MS = 250;

export class ConnectWindow {
  #window;
  #serviceOrigin;

  /**
   * Call this inside the click, before anything is awaited: later, browsers block the window.
   * Throws PaneProblem.
   */
  constructor(serviceOrigin) {
    this.#serviceOrigin = serviceOrigin;
    this.#window = window.open("connected.html", NAME, FEATURES);
    if (!this.#window) throw new PaneProblem("window_blocked");
  }

  /**
   * Goes to `connectUrl` and waits for the completion code. Throws PaneProblem, with the service's
   * code if the service or Salesforce refused.
   */
  async completionFrom(connectUrl) {
    this.#window.location.replace(connectUrl);
    try {
      const { completion, error } = await this.#message();
      if (typeof completion !== "string") throw new PaneProblem(error ?? "internal");
      return completion;
    } finally {
      this.close();
    }
  }

  close() {
    this.#window.close();
  }

  /** The first message that this very window sends from our own page or the service's. */
  #message() {
    const origins = [location.origin, this.#serviceOrigin];
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearInterval(timer);
        window.removeEventListener("message", take);
        settle(value);
      };
      const take = ({ source, origin, data }) => {
        const isOurs = source === this.#window && origins.includes(origin);
        if (isOurs && data?.type === "flowrunner.connected") end(resolve, data);
      };
      const look = () => {
        if (this.#window.closed) end(reject, new PaneProblem("window_closed"));
      };
      const timer = setInterval(look, LOOK_EVERY_MS);
      window.addEventListener("message", take);
    });
  }
}
