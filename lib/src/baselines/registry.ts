/** The mixers by name. */
import { ConfigurationError } from "../errors.js";
import { attention } from "./attention.js";
import { squaredReluMixer, swiGluMixer } from "./feed-forward.js";
import type { Mixer, MixerHalf } from "./mixer.js";
import { rwkv4ChannelMixing, rwkv4TimeMixing } from "./rwkv4.js";
import { tokenAttention, tokenFeedForward } from "./tokenformer.js";

const byName = (...mixers: readonly Mixer[]): Map<string, Mixer> => new Map(mixers.map((mixer) => [mixer.name, mixer]));

const registered: Record<MixerHalf, Map<string, Mixer>> = {
  att: byName(attention, tokenAttention, rwkv4TimeMixing),
  ffn: byName(swiGluMixer, squaredReluMixer, tokenFeedForward, rwkv4ChannelMixing),
};

const kinds: Record<MixerHalf, string> = { att: "tokenMixer", ffn: "channelMixer" };

/** All token mixers (`att`) or channel mixers (`ffn`), in order of registration. */
export function mixers(half: MixerHalf): readonly Mixer[] {
  return [...registered[half].values()];
}

/**
 * The mixer of this name.
 *
 * @throws ConfigurationError listing the names there are
 */
export function mixer(half: MixerHalf, name: string): Mixer {
  const found = registered[half].get(name);
  if (found) return found;
  const names = [...registered[half].keys()].join(", ");
  throw new ConfigurationError(
    `${kinds[half]} is ${JSON.stringify(name)}, wanted one of ${names}; ms.baselines.define${half === "att" ? "Token" : "Channel"}Mixer adds another`,
  );
}

/** Adds a token mixer, or replaces one of the same name, in models that exist too. */
export function defineTokenMixer(mixer: Mixer): Mixer {
  registered.att.set(mixer.name, mixer);
  return mixer;
}

/** Adds a channel mixer, or replaces one of the same name, in models that exist too. */
export function defineChannelMixer(mixer: Mixer): Mixer {
  registered.ffn.set(mixer.name, mixer);
  return mixer;
}
