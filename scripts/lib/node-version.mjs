// @ts-check
// The one check that must run on any Node.js: no syntax here that an old version cannot parse.

/**
 * Whether `version` can run metastate: from 20.19 on, and of what came after 20, from 22.12 on. Between them `node:zlib` lacks
 * crc32, and `require` does not load ES modules.
 *
 * @param {string} version such as "20.19.4"
 * @returns {boolean}
 */
export function isRecent(version) {
  const parts = version.split(".").map(Number);
  if (parts[0] === 20) return parts[1] >= 19;
  return parts[0] > 22 || (parts[0] === 22 && parts[1] >= 12);
}

/**
 * Whether this Node.js can run metastate; prints cause and remedy when it cannot.
 *
 * @returns {boolean}
 */
export function nodeIsRecent() {
  const version = process.versions.node;
  if (isRecent(version)) return true;
  console.error("• Node.js … failed");
  console.error("  cause   this is Node.js " + version + "; metastate needs 20.19 or newer (of 22: 22.12)");
  console.error("  remedy  install a current Node.js (https://nodejs.org, or your package or version manager)");
  return false;
}
