// @ts-check
// The one check that must run on any Node.js: no syntax here that an old version cannot parse.

const WANTED = [20, 19];

/**
 * Whether `version` can run metastate.
 *
 * @param {string} version such as "20.19.4"
 * @returns {boolean}
 */
function isRecent(version) {
  const parts = version.split(".").map(Number);
  return parts[0] > WANTED[0] || (parts[0] === WANTED[0] && parts[1] >= WANTED[1]);
}

/**
 * Whether this Node.js can run metastate; prints cause and remedy when it cannot.
 *
 * @returns {boolean}
 */
export function nodeIsRecent() {
  if (isRecent(process.versions.node)) return true;
  console.error("• Node.js … failed");
  console.error(
    "  cause   this is Node.js " + process.versions.node + "; metastate needs " + WANTED.join(".") + " or newer",
  );
  console.error("  remedy  install a current Node.js (https://nodejs.org, or your package or version manager)");
  return false;
}
