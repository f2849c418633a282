/** How far the start of a session has come: what the interrupt thread may terminate depends on it. */
export const STAGE = {
  /** Code of the session's own runs, which must not be stopped in its middle. */
  starting: 0,
  /** A preload module is loaded: only who gives it up may stop it. A module that was terminated once can never be loaded again. */
  preloading: 1,
  ready: 2,
} as const;
