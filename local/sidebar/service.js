/**
 * The service's HTTP contract, as far as the pane needs it (`GET /api/v1/openapi.json`).
 *
 * The session token lives in a private field of this object: no storage, no address, no element
 * ever holds it, and it is gone with the page.
 */

const DEADLINE_MS = 30_000;
const RUN_DEADLINE_MS = 240_000; // a Flow may take its time; the service gives up before this

/** A refusal in the service's own words: a problem document (RFC 9457). */
export class Problem extends Error {
  constructor(document, retryAfter) {
    super(document.code);
    this.code = document.code;
    this.members = document;
    this.retryAfterSeconds = Number(retryAfter) || null;
  }
}

/** No answer came, or none that can be read: whether anything was done is not known. */
export class NoAnswer extends Error {
  code = "no_answer";
  members = {};
  retryAfterSeconds = null;
}

/** The session under which this was asked is over: the answer is nobody's any more. */
export class SessionOver extends Error {}

const SESSION_CODES = ["session_expired", "not_authenticated"];

export class Service {
  #api;
  #token = null;
  #on;

  /**
   * `origin` is the service's, without a path. `on.sessionEnd()` is called when the service no
   * longer knows the session, `on.connectionLost()` when Salesforce no longer knows the grant.
   */
  constructor(origin, on) {
    this.#api = `${origin}/api/v1`;
    this.#on = on;
  }

  async signIn(provider, identityToken) {
    const body = { provider };
    const answer = await this.#call("POST", "/sso/exchange", { body, token: identityToken });
    this.#token = answer.session_token;
    return answer;
  }

  /** The token is forgotten here whatever the service answers. */
  async signOut() {
    try {
      await this.#call("DELETE", "/sso/session");
    } finally {
      this.forget();
    }
  }

  forget() {
    this.#token = null;
  }

  async connections() {
    return (await this.#call("GET", "/salesforce/connections")).connections;
  }

  async beginConnection(loginHost, returnTo) {
    const body = { login_host: loginHost, return_to: returnTo };
    return (await this.#call("POST", "/salesforce/connections", { body })).connect_url;
  }

  completeConnection(completion) {
    return this.#call("POST", "/salesforce/connections/complete", { body: { completion } });
  }

  disconnect(orgId) {
    return this.#call("DELETE", `/salesforce/connections/${encodeURIComponent(orgId)}`);
  }

  async flows(orgId) {
    return (await this.#call("GET", `/flows?org_id=${encodeURIComponent(orgId)}`)).flows;
  }

  describe(orgId, flow) {
    const path = `/flows/${encodeURIComponent(flow)}?org_id=${encodeURIComponent(orgId)}`;
    return this.#call("GET", path);
  }

  /** Once per `key`: the service does not run a Flow twice for the same one. */
  run(flow, body, key) {
    return this.#call("POST", `/flows/${encodeURIComponent(flow)}/runs`, {
      body,
      headers: { "Idempotency-Key": key },
      deadline: RUN_DEADLINE_MS,
    });
  }

  /** An address that opens the org in a browser as this user, once, within a minute. */
  async openLightning(orgId, appId) {
    const body = { org_id: orgId, app_id: appId };
    return (await this.#call("POST", "/lightning/session", { body })).frontdoor_url;
  }

  runs(after) {
    const page = after ? `&after=${encodeURIComponent(after)}` : "";
    return this.#call("GET", `/runs?limit=10${page}`);
  }

  myData() {
    return this.#call("GET", "/me/data");
  }

  /** Answers the request's id, its confirmation code and its status token. Nothing is deleted yet. */
  requestDeletion() {
    return this.#call("POST", "/deletion-requests", { body: { scope: "user" } });
  }

  /** From the moment of the answer the session is over, and no failure of the service's. */
  async confirmDeletion(id, code) {
    const body = { confirmation_code: code };
    await this.#call("POST", `/deletion-requests/${encodeURIComponent(id)}/confirm`, { body });
    this.forget();
  }

  deletionStatus(id, token) {
    return this.#call("GET", `/deletion-requests/${encodeURIComponent(id)}`, { token });
  }

  /** The receipt as it was signed, a line of text. */
  deletionReceipt(id, token) {
    return this.#call("GET", `/deletion-requests/${encodeURIComponent(id)}/receipt`, { token });
  }

  /** The public keys of receipts, as text to be saved. */
  async keys() {
    const [keys, problem] = await this.#settled("GET", "/keys", null, {});
    if (problem) throw problem;
    return JSON.stringify(keys);
  }

  /** With the session, unless another token is given. Throws Problem, NoAnswer or SessionOver. */
  async #call(method, path, { token, ...request } = {}) {
    const session = this.#token;
    if (!token && session === null) throw new SessionOver();
    const [document, problem] = await this.#settled(method, path, token ?? session, request);
    if (!token) {
      if (session === this.#token && SESSION_CODES.includes(problem?.code)) {
        this.forget();
        this.#on.sessionEnd();
      }
      if (session !== this.#token) throw new SessionOver();
    }
    if (problem?.code === "salesforce_not_connected") this.#on.connectionLost();
    if (problem) throw problem;
    return document;
  }

  /** [what was answered, null] or [null, Problem or NoAnswer]. */
  async #settled(method, path, token, { body, headers = {}, deadline = DEADLINE_MS }) {
    try {
      const answer = await fetch(this.#api + path, {
        method,
        headers: {
          ...(token && { Authorization: `Bearer ${token}` }),
          ...(body && { "Content-Type": "application/json" }),
          ...headers,
        },
        body: body && JSON.stringify(body),
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(deadline),
      });
      const text = await answer.text();
      const isJson = answer.headers.get("Content-Type")?.includes("json");
      const document = isJson ? JSON.parse(text) : text || null;
      if (answer.ok) return [document, null];
      const isProblem = typeof document?.code === "string";
      const retryAfter = answer.headers.get("Retry-After");
      return [null, isProblem ? new Problem(document, retryAfter) : new NoAnswer()];
    } catch {
      return [null, new NoAnswer()];
    }
  }
}
