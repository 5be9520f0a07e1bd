/** Form fields for the inputs that a Flow declares and the mail does not fill. */

import { byId, element, show } from "./dom.js";
import { PaneProblem } from "./problems.js";
import { inputsToType } from "./vocabulary.js";

const WHOLE_NUMBERS = new Set(["INTEGER", "INT", "LONG"]);
const NUMBERS = new Set([...WHOLE_NUMBERS, "DOUBLE", "DECIMAL", "CURRENCY", "PERCENT"]);
const RECORDS = new Set(["SOBJECT", "APEX"]);
const KEYBOARDS = { EMAIL: "email", PHONE: "tel", URL: "url" };
const PICKERS = { DATE: "date", DATETIME: "datetime-local", TIME: "time" };

export const inputId = (name) => `input-${name}`;

/** Shows a field for each input that a person may fill. */
export function showInputs(flow) {
  const inputs = inputsToType(flow);
  show("inputs", inputs.length > 0);
  byId("typed-inputs").replaceChildren(...inputs.map(labelled));
}

/** What was typed, as JSON values by name; what is empty is left out. Throws PaneProblem. */
export function typedInputs(flow) {
  const typed = inputsToType(flow).map((input) => [input.name, typedValue(input)]);
  return Object.fromEntries(typed.filter(([, value]) => value !== null));
}

/** Points at the field of an input that was refused. */
export function markInput(name) {
  const field = name && byId(inputId(name));
  field?.setAttribute("aria-invalid", "true");
  field?.focus();
}

export function unmarkInputs() {
  for (const field of byId("typed-inputs").querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
  }
}

function labelled(input) {
  const hints = [input.description, hint(input)].filter(Boolean);
  const hintId = `${inputId(input.name)}-hint`;
  const field = fieldOf(input);
  field.id = inputId(input.name);
  if (hints.length) field.setAttribute("aria-describedby", hintId);
  return element(
    "div",
    { class: "input" },
    element("label", { for: field.id }, input.name),
    field,
    element("span", { id: hintId, class: "quiet", hidden: !hints.length }, hints.join(". ")),
  );
}

function hint({ type, collection, record_type: record }) {
  if (RECORDS.has(type)) return `${collection ? "A list" : "An object"} in JSON, ${record ?? type}`;
  if (collection) return "One value a line";
  if (type === "DATETIME") return "In your own time zone";
  return type === "ID" ? "A Salesforce id" : null;
}

function fieldOf({ type, collection }) {
  const common = { autocomplete: "off" };
  if (RECORDS.has(type)) return element("textarea", { ...common, rows: "3", class: "json" });
  if (collection || type === "TEXTAREA") return element("textarea", { ...common, rows: "3" });
  if (type === "BOOLEAN") {
    const options = [["", ""], ["true", "Yes"], ["false", "No"]];
    return element(
      "select",
      common,
      ...options.map(([value, label]) => element("option", { value }, label)),
    );
  }
  if (NUMBERS.has(type)) return element("input", { ...common, inputmode: "decimal" });
  const kind = PICKERS[type] ?? KEYBOARDS[type] ?? "text";
  return element("input", { ...common, type: kind, ...(type in PICKERS && { step: "1" }) });
}

function typedValue(input) {
  const text = byId(inputId(input.name)).value.trim();
  if (!text) return null;
  if (RECORDS.has(input.type)) return fromJson(text, input);
  if (!input.collection) return fromText(text, input);
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter(Boolean).map((line) => fromText(line, input));
}

/** What does not fit its type is sent as it was typed: the service says what the Flow wants. */
function fromText(text, { name, type }) {
  if (NUMBERS.has(type)) {
    const number = Number(text);
    const isExact = !WHOLE_NUMBERS.has(type) || Number.isSafeInteger(number);
    if (Number.isFinite(number) && isExact) return number;
    throw new PaneProblem("wrong_number", { input: name });
  }
  switch (type) {
    case "BOOLEAN":
      return { true: true, false: false }[text] ?? text;
    case "DATETIME":
      return Number.isNaN(Date.parse(text)) ? text : new Date(text).toISOString();
    case "TIME":
      return text.length === "00:00".length ? `${text}:00` : text;
    default:
      return text;
  }
}

function fromJson(text, { name }) {
  try {
    return JSON.parse(text);
  } catch {
    throw new PaneProblem("wrong_json", { input: name });
  }
}
