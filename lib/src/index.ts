/**
 * The library's one public entrance.
 *
 * @module metastate
 */
import { defineChannelMixer, defineTokenMixer, mixers } from "./baselines/registry.js";
import type { Mixer } from "./baselines/mixer.js";
import { batches } from "./data/batches.js";
import { bytesPerToken, corpus } from "./data/corpus.js";
import { epochs } from "./data/epochs.js";
import { interleave } from "./data/interleave.js";
import { mobyDick } from "./data/moby-dick.js";
import { padded } from "./data/padded.js";
import { split } from "./data/split.js";
import { stateOfTheUnion, stateOfTheUnionAddresses } from "./data/state-of-the-union.js";
import { streams } from "./data/streams.js";
import { jsonLines, lines, textFile } from "./data/text-files.js";
import { constant, orthogonal, uniform } from "./model/initial-values.js";
import { linear } from "./ops/linear/linear.js";

export {
  ConfigurationError,
  DataError,
  DivergenceError,
  ModelFileError,
  NumericsError,
  ShapeError,
  TokenError,
  type CheckedInput,
  type DivergenceDetails,
  type NumericsFinding,
} from "./errors.js";
export { jupyterDisplay, type Displayable, type MimeBundle, type Shown } from "./display.js";
export { Random, type RandomSnapshot, type RandomState } from "./random.js";

export {
  engine,
  registerEngine,
  registerKernels,
  setPrecision,
  startEngine,
  type EngineCandidate,
  type EngineStart,
  type KernelProvider,
  type KernelRegistration,
  type StartEngineOptions,
} from "./engine.js";
export {
  type EngineControls,
  type EngineMemory,
  type EnginePeak,
  type Precision,
  type PrecisionControl,
} from "./engine/controls.js";
export { afterTermination } from "./engine/termination.js";
export { checkNumerics } from "./engine/check-numerics.js";
export { EngineInfo, type ProvidedKernels } from "./engine/engine-info.js";

export { profile, type ProfileOptions } from "./profile/profile.js";
export { Profile, type ProfileRow } from "./profile/report.js";

export { kernelNames } from "./ops/kernel.js";
export { type LinearLayout } from "./ops/linear/linear.js";
export { type Rotations } from "./ops/rotary/rotary.js";
export { stopGradient } from "./ops/stop-gradient.js";
export { wkv7 } from "./ops/wkv7/wkv7.js";
export { metaPass, type MetaPassOperands } from "./ops/meta-pass/meta-pass.js";

export { ActivationNames, type ActivationDescription } from "./model/activation-names.js";
export { createModel, Model } from "./model/model.js";
export {
  type ForwardOptions,
  type ForwardResult,
  type LanguageModel,
  type SequenceState,
  type Tap,
} from "./model/language-model.js";
export {
  type Activation,
  type LowRank,
  type Mixture,
  type MixtureOptions,
  type ModelConfiguration,
  type ModelOptions,
  type SseName,
} from "./model/configuration.js";
export { type Parameters } from "./model/parameters.js";
export { freeUnreachableModels } from "./model/parameter-variable.js";
export { ModelState, type LayerState, type StatePart } from "./model/state.js";
export { type Difference, type StateDifference, StateDistance } from "./model/state-distance.js";
export { type StateTensorName } from "./model/state-layers.js";
export { type Numbers, type ResolvedPlace, type StatePlace } from "./model/state-place.js";
export { type NestedNumbers, type SliceIndex, StateSlice, type StateValues } from "./model/state-slice.js";
export { type TokenMatrix, type TokenRows, type Tokens } from "./model/tokens.js";
export { type MetaRead, type MetaStateOperands, type SseContext, type TimeMixCoefficients } from "./sse/context.js";
export { type SseAxis } from "./sse/axes.js";
export { checkSse, type CheckSseOptions } from "./sse/check/check-sse.js";
export { SseCheckError, SseReport, type SseCheck } from "./sse/check/report.js";
export { defineSse } from "./sse/define-sse.js";
export { sseVariants } from "./sse/registry.js";
export {
  type SseDefinition,
  type SseParameter,
  type SseParameterDefinition,
  type SseResult,
  type SseState,
  type SseStates,
  type SseShape,
  type SseVariant,
} from "./sse/variant.js";
export { type Filler } from "./model/initial-values.js";

export { BaselineModel } from "./baselines/baseline-model.js";
export { BaselineState, type BaselineLayerState } from "./baselines/baseline-state.js";
export { type BaselineConfiguration, type BaselineKind } from "./baselines/configuration.js";
export {
  createBaseline,
  type BaselineOf,
  type BaselineOptions,
  type BaselineSizeOptions,
  type MixersOptions,
  type RecurrentOptions,
  type Rwkv4Options,
  type TokenformerOptions,
  type TransformerOptions,
} from "./baselines/create-baseline.js";
export { growBaseline, growBaselineOptimizer, type BaselineGrowth } from "./growth/grow-baseline.js";
export { type MixerOptions } from "./baselines/mixer-options.js";
export {
  type Mixer,
  type MixerContext,
  type MixerHalf,
  type MixerParameter,
  type MixerResult,
  type MixerStatePart,
} from "./baselines/mixer.js";
export { type NormName } from "./baselines/norms.js";

export { loadModel, type LoadBaselineOptions, type LoadModelOptions } from "./io/load-model.js";
export { saveModel, type SaveModelOptions } from "./io/save-model.js";
export { fromRwkv7, type FromRwkv7Options } from "./model/from-rwkv7.js";
export { inspectFile, type FileInspection } from "./io/inspect-file.js";
export type { SavedVariant } from "./io/saved-variant.js";
export { loadState } from "./io/state-file.js";
export { type Naming } from "./io/model-tensors.js";
export { type FileProgress } from "./io/progress.js";
export { type FileTensor } from "./io/tensor-file.js";

export { trace, Trace, traceStream, type WholeTraceOptions } from "./inspection/trace.js";
export { type TraceOptions, type TracePiece, type TraceTokens } from "./inspection/trace-pieces.js";
export { ActivationValues, type AxisChoice, type AxisName } from "./inspection/activation-values.js";
export { statistics } from "./inspection/statistics.js";
export { type Distribution, type HistogramOptions } from "./inspection/distribution.js";
export { type HostMatrix, type MatrixInput } from "./inspection/matrix.js";
export { type PrincipalComponents } from "./inspection/principal-components.js";
export { type ProbeResult, type RetrievedTokensOptions } from "./inspection/probe.js";
export { stateStatistics, StateStatistics, type HeadStatistics } from "./inspection/state-statistics.js";
export {
  evolution,
  Evolution,
  type EvolutionOptions,
  type EvolutionRecordingOptions,
  type FollowedEvolutionOptions,
  type GeneratedEvolutionOptions,
} from "./inspection/evolution.js";
export {
  RecordedEvolution,
  type ChangeStatistic,
  type EvolutionPath,
  type EvolutionRecord,
  type HeadChange,
} from "./inspection/evolution-records.js";
export { intervene, IntervenedModel } from "./inspection/intervene.js";
export {
  type Edit,
  type EditAction,
  type EditContext,
  type EditValues,
  type PositionChoice,
} from "./inspection/edits.js";

export { grow, type GrowOptions } from "./growth/grow.js";
export { type Growth } from "./growth/grown-configuration.js";
export { growCheckpoint } from "./growth/grow-checkpoint.js";
export { growOptimizer } from "./growth/grow-optimizer.js";
export { growState } from "./growth/grow-state.js";
export { onlyNew } from "./growth/only-new.js";
export {
  type GrowthFindings,
  type GrowthMeasurement,
  GrowthReport,
  type GrowthVerdict,
  type ParameterChange,
} from "./growth/growth-report.js";
export { type ModelSizes } from "./growth/model-sizes.js";
export { growthReport, type GrowthReportOptions } from "./growth/report.js";

export {
  compare,
  Comparing,
  type ComparedModel,
  type WithoutVocabulary,
  type CompareOptions,
  type CompareProgress,
} from "./comparison/compare.js";
export {
  Comparison,
  type ComparedMeasure,
  type ComparedPoint,
  type ComparedRun,
  type ComparisonRow,
  type ComparisonSettings,
} from "./comparison/comparison.js";
export { type ComparedText, type CompareTraining } from "./comparison/run.js";
export { type RunCache } from "./comparison/run-cache.js";
export { pairedTest, type PairedTest } from "./comparison/statistics.js";
export { train } from "./training/train.js";
export { resume, type ResumedTraining, type ResumeTrainOptions } from "./training/resume.js";
export { loadCheckpoint, type LoadedCheckpoint } from "./training/load-checkpoint.js";
export { type PastStep } from "./training/checkpoint-file.js";
export { type ComparedOptions } from "./training/same-training.js";
export {
  type ResumeOptions,
  type TrainBatches,
  type TrainEvaluation,
  type TrainMetrics,
  type TrainOptions,
} from "./training/training-options.js";
export {
  adamW,
  AdamW,
  type AdamWOptions,
  type Moments,
  type OptimizerOptions,
  type ParameterGroup,
} from "./training/adamw.js";
export { type ParameterMemory } from "./training/parameter-memory.js";
export { checkpoints, type CheckpointEntry } from "./io/checkpoints.js";
export { type CheckpointOptions } from "./training/checkpoint-folder.js";
export { type SpikeOptions } from "./training/divergence.js";
export { type BestEvaluation, type EarlyStopOptions } from "./training/early-stop.js";
export { ema, ExponentialMovingAverage, type EmaOptions } from "./training/ema.js";
export { evaluate, type EvaluateOptions, type Evaluation, type EvaluationData } from "./training/evaluate.js";
export {
  schedules,
  type FallOptions,
  type Schedule,
  type ScheduleName,
  type WarmupOptions,
  type WsdOptions,
} from "./training/schedules.js";
export { type Trainable, type TrainableParts } from "./training/trainable.js";

export { generate, type GenerateOptions, type Prompt } from "./generation/generate.js";
export { Generation, type GeneratedText } from "./generation/generation.js";
export { type AllowedTokens, type GeneratedPiece, type GenerationEnd } from "./generation/generated-row.js";
export { type TokenLogProbability } from "./generation/log-probabilities.js";
export { type PenaltyOptions, type TokenHistory } from "./generation/penalties.js";
export {
  sampleToken,
  tokenDistribution,
  type SamplingOptions,
  type SamplingPlace,
  type TokenDistribution,
} from "./generation/sampling.js";

export {
  type Batch,
  type BatchLike,
  type BatchSizeOptions,
  type PositionMask,
  type SequenceRow,
} from "./data/batch.js";
export { type BatchesOptions } from "./data/batches.js";
export { Corpus, type CorpusOptions } from "./data/corpus.js";
export { type EpochBatches, type EpochsOptions } from "./data/epochs.js";
export { type InterleaveOptions } from "./data/interleave.js";
export { type PaddedOptions } from "./data/padded.js";
export { type Address, type StateOfTheUnionOptions } from "./data/state-of-the-union.js";
export { type StreamsOptions } from "./data/streams.js";
export { tasks } from "./tasks/tasks.js";
export { defineTask, type Task, type TaskDefinition, type TaskExample } from "./tasks/task.js";
export { type AssociativeRecallOptions } from "./tasks/associative-recall.js";
export { type CopyingOptions, type SelectiveCopyingOptions } from "./tasks/copying.js";
export { type InductionOptions } from "./tasks/induction.js";
export { type PermutationsOptions } from "./tasks/permutations.js";
export { type RegressionOptions } from "./tasks/regression.js";

export { tokenizers } from "./tokenizers/tokenizers.js";
export { type TokenDecoder, type TokenIds, type Tokenizer } from "./tokenizers/tokenizer.js";
export { BpeTokenizer } from "./tokenizers/bpe-tokenizer.js";
export { type BpeProgress, type TrainBpeOptions } from "./tokenizers/bpe-training.js";
export { ByteTokenizer, byteTokenizer } from "./tokenizers/byte-tokenizer.js";
export { CharacterTokenizer, type CharacterTokenizerOptions } from "./tokenizers/character-tokenizer.js";
export { HuggingFaceTokenizer, type HuggingFaceTokenizerOptions } from "./tokenizers/hugging-face-tokenizer.js";
export { WorldTokenizer } from "./tokenizers/world-tokenizer.js";

export { plots } from "./plots/plots.js";
export { Figure, type PlotlyJson, type SaveFigureOptions } from "./plots/figure.js";
export { type ColourScale, type ThemeName } from "./plots/theme.js";
export { type DistributionOptions } from "./plots/distributions.js";
export { type GrowthDiagramOptions, type GrownModels, type GrownSizes } from "./plots/growth-diagram.js";
export { type MarkedLines } from "./plots/marked-lines.js";
export { type MatrixPlotOptions } from "./plots/matrix.js";
export { type OverTokensOptions } from "./plots/over-tokens.js";
export { type ParameterTableOptions } from "./plots/parameter-table.js";
export { type RooflineOptions, type RooflinePoint } from "./plots/roofline.js";
export { type SpectrumOptions } from "./plots/spectrum.js";
export { type EvolutionFrame, type StateEvolutionOptions } from "./plots/state-evolution.js";
export { type SchedulePlotOptions } from "./plots/schedule.js";
export { type StateHeatmapOptions } from "./plots/state-heatmap.js";
export { type StateChoice } from "./plots/state-matrices.js";
export { type TokenStripOptions } from "./plots/token-strip.js";
export {
  type LossPlotOptions,
  type LossPoint,
  type MetricPlotOptions,
  type SeedsPlotOptions,
} from "./plots/training-curves.js";
export { type TrajectoryOptions, type TrajectoryPath } from "./plots/trajectory.js";

/**
 * Texts, and their way into batches.
 *
 * @namespace
 */
export const data = {
  /** Herman Melville's Moby-Dick, about 1.2 million characters. */
  mobyDick,
  /** The State of the Union addresses as one text, about 10.8 million characters. */
  stateOfTheUnion,
  /** The same, a document each, with year and president. */
  stateOfTheUnionAddresses,
  /** A text file, whole. */
  textFile,
  /** The lines of a text file, streamed. */
  lines,
  /** The texts of a JSONL file, streamed. */
  jsonLines,
  /** Documents as one token sequence that knows where each begins. */
  corpus,
  /** How many bytes of text a token stands for. */
  bytesPerToken,
  /** Cuts data into a part to learn from and a held-out last part. */
  split,
  /** Endless batches of passages drawn by a seed. */
  batches,
  /** Batches that show every passage once before any comes again. */
  epochs,
  /** Batches with a document a row, of their own lengths. */
  padded,
  /** Batches whose rows go on from batch to batch. */
  streams,
  /** Several sources of batches as one. */
  interleave,
};

/**
 * What baselines are put together from, and what one's own parts need.
 *
 * @namespace
 */
export const baselines = {
  /** Adds a token mixer of one's own, for `createBaseline({kind: "mixers", tokenMixer, …})`. */
  defineTokenMixer,
  /** Adds a channel mixer of one's own. */
  defineChannelMixer,
  /** The token mixers there are. */
  tokenMixers: (): readonly Mixer[] => mixers("att"),
  /** The channel mixers there are. */
  channelMixers: (): readonly Mixer[] => mixers("ffn"),
  /** A matrix product with a parameter `[out, in]`, fast forward and back. */
  linear,
  /** Initial values for a mixer's parameters. */
  initial: {
    /** All elements the same. */
    constant,
    /** Uniform within ± a bound. */
    uniform,
    /** Orthogonal rows or columns, times a gain. */
    orthogonal,
  },
};
