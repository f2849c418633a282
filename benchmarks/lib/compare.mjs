// @ts-check
// Contenders measured against each other in one run, and what may be said of the ratio.

/**
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} low the lower quartile
 * @property {number} high the upper quartile
 * @property {number} least
 * @property {number} most
 */

/**
 * @typedef {object} Comparison
 * @property {number} rounds
 * @property {number[]} callsPerSample of the slower, of the faster contender
 * @property {Spread} slowMilliseconds of one call
 * @property {Spread} fastMilliseconds of one call
 * @property {Spread} ratio slow / fast, of the two samples of each round
 * @property {boolean} withinNoise whether the middle half of the ratios has 1 in it: then no difference is claimed
 */

/**
 * The middle and the spread of some numbers, by linear interpolation.
 *
 * @param {readonly number[]} values at least one
 * @returns {Spread}
 */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => {
    const position = share * (sorted.length - 1);
    const below = Math.floor(position);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), least: at(0), most: at(1) };
}

/**
 * What is measured: a function, which may return a promise; or one that measures itself and gives the milliseconds of a call,
 * as a process does that answers through a pipe, whose own time is not its work's.
 *
 * @typedef {(() => unknown) | {milliseconds: () => number | Promise<number>}} Contender
 */

/**
 * Runs two contenders in turn and compares their times round by round: what else the machine does at the time, and its
 * clock rate, then strike both. Who begins changes with every round. A sample is as many calls as last `sampleMilliseconds`.
 *
 * @param {Contender} slow the one that is expected to be slower
 * @param {Contender} fast
 * @param {{rounds?: number, sampleMilliseconds?: number}} [options]
 * @returns {Promise<Comparison>}
 */
export async function compare(slow, fast, { rounds = 15, sampleMilliseconds = 20 } = {}) {
  const contenders = [slow, fast];
  const calls = [];
  for (const contender of contenders) {
    await time(contender, 1); // compiles what is compiled at first use
    const once = await time(contender, 1);
    calls.push(Math.max(1, Math.min(10000, Math.ceil(sampleMilliseconds / Math.max(once, 1e-3)))));
  }
  /** @type {number[][]} */
  const samples = [[], []];
  for (let round = 0; round < rounds; ++round) {
    for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
      samples[which].push((await time(contenders[which], calls[which])) / calls[which]);
    }
  }
  const ratio = spread(samples[0].map((milliseconds, round) => milliseconds / samples[1][round]));
  return {
    rounds,
    callsPerSample: calls,
    slowMilliseconds: spread(samples[0]),
    fastMilliseconds: spread(samples[1]),
    ratio,
    withinNoise: ratio.low <= 1 && ratio.high >= 1,
  };
}

/**
 * Calls that should take equally long, one of each in turn, beginning with the next one each time. A round takes the median call
 * of each, and its ratio to the first one's: what slows some calls down strikes few of a round, and what slows the machine down
 * strikes all. So a difference of a few hundredths shows where the times themselves move by far more.
 *
 * @param {readonly (() => unknown)[]} contenders
 * @param {{rounds?: number, calls?: number}} [options] calls of each in a round
 * @returns {{milliseconds: Spread, ratio: Spread}[]} of each: its median calls, and their ratios to the first one's
 */
export function inTurn(contenders, { rounds = 25, calls = 25 } = {}) {
  for (const contender of contenders) contender();
  /** @type {number[][]} */
  const medians = contenders.map(() => []);
  for (let round = 0; round < rounds; ++round) {
    /** @type {number[][]} */
    const times = contenders.map(() => []);
    for (let call = 0; call < calls; ++call) {
      for (let place = 0; place < contenders.length; ++place) {
        const which = (place + call) % contenders.length;
        const begin = performance.now();
        contenders[which]();
        times[which].push(performance.now() - begin);
      }
    }
    times.forEach((ofOne, which) => medians[which].push(spread(ofOne).median));
  }
  return medians.map((ofOne) => ({
    milliseconds: spread(ofOne),
    ratio: spread(ofOne.map((milliseconds, round) => milliseconds / medians[0][round])),
  }));
}

/**
 * @param {Contender} contender
 * @param {number} calls
 * @returns {Promise<number>} milliseconds of all calls together
 */
async function time(contender, calls) {
  if (typeof contender !== "function") {
    let sum = 0;
    for (let call = 0; call < calls; ++call) sum += await contender.milliseconds();
    return sum;
  }
  const begin = performance.now();
  for (let call = 0; call < calls; ++call) {
    const result = contender();
    // Awaiting what is no promise would add the event loop's time to calls of microseconds.
    if (result instanceof Promise) await result;
  }
  return performance.now() - begin;
}

/**
 * The mean of as many calls as last about that long: a contender's own `milliseconds`.
 *
 * @param {() => void} run
 * @param {number} milliseconds
 * @param {() => number} [now] a clock, in milliseconds
 */
export function meanMilliseconds(run, milliseconds, now = () => performance.now()) {
  const begin = now();
  let count = 0;
  do {
    run();
    ++count;
  } while (now() - begin < milliseconds);
  return (now() - begin) / count;
}

/** A clock of the processor time that this process has taken, on all threads together. */
export function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
