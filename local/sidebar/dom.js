/** Making and showing elements. Text is only ever set as text, never as markup. */

export const byId = (id) => document.getElementById(id);

/** A new element. `attributes` may hold `hidden` and `disabled` as booleans. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === "boolean") made.toggleAttribute(attribute, value);
    else if (value !== null) made.setAttribute(attribute, value);
  }
  made.append(...children);
  return made;
}

export function button(attributes, label, onClick) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", onClick);
  return made;
}

export const show = (id, isShown) => {
  byId(id).hidden = !isShown;
};

/** Read out by screen readers, and shown for a moment of calm at the top of the pane. */
export const announce = (text) => {
  byId("status").textContent = text;
};

/** "21 Nov, 14:05", in the time zone of whoever looks. */
export const shortTime = (rfc3339) =>
  new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  }).format(new Date(rfc3339));
