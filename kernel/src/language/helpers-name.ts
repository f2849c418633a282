/** The global under which a running cell finds the session's helpers; compiler and session agree on it here. */
export const HELPERS = "__cell__";
