// Loaded into Node before jsforce-ajax-proxy: the fake orgs instead of DNS. Certificates and names
// are checked as ever. PINS is a JSON object of host names and their ports on 127.0.0.1.
"use strict";
const tls = require("node:tls");

const pins = JSON.parse(process.env.PINS);
const connect = tls.connect;

tls.connect = (options, ...rest) => {
  const port = pins[options.host];
  if (port === undefined) {
    throw new Error(`${options.host} is not part of this bench`);
  }
  const pinned = { ...options, host: "127.0.0.1", port, servername: options.host };
  return connect(pinned, ...rest);
};
