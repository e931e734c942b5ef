/**
 * The document that a page shows: what is known of one training, of a race or of a comparison.
 *
 * Every part but `schema`, `kind` and `title` may be missing; the page shows what is there, and
 * says what is not. Every text is plain text, never markup. JSON has no NaN and no infinity: a
 * number that is not finite is null. Nothing here is longer than the page can show: matrices are
 * 8-bit, curves have at most `BOUNDS.points` points, lists the lengths of `BOUNDS`.
 *
 * @module
 */

/** The version of the schema. A page refuses a document of a later one, with a sentence. */
export const SCHEMA = 1;

/** The most of each that a document holds. */
export const BOUNDS = {
  points: 200_000, // of one curve
  rows: 64, // of a layer's matrix: units, or groups of units where there are more
  looks: 256,
  layers: 64,
  pictures: 32, // of first-layer weights, at one look
  samples: 24, // worst ones, and of the data
  findings: 20,
  words: 200,
  runs: 64, // of a race
};

/**
 * @typedef {"initialize"|"predict"|"loss"|"gradient"|"step"|"repeat"|"stop"} StepName
 * @typedef {"info"|"warning"|"error"} Severity
 */

/**
 * Numbers, as they are or as the bytes of little-endian float32 in Base64 (then NaN is "not
 * finite").
 *
 * @typedef {(number|null)[] | {f32: string}} Numbers
 */

/**
 * The steps of a curve: each one, or `first`, `first + every`, …
 *
 * @typedef {number[] | {first: number, every: number, count: number}} Steps
 */

/**
 * Where a training had more steps than are kept one by one: the least and the largest value of all
 * steps from each of a curve's `steps` until the next.
 *
 * @typedef {{low: Numbers, high: Numbers}} Range
 */

/**
 * A matrix of 8-bit numbers, row by row, in Base64. Byte b of 0..254 stands for
 * `lo + (hi - lo) * b / 254`, or with `scale` "log" for `lo * (hi / lo) ** (b / 254)`; 255 says
 * that there is no number. With `zeros`, byte 0 stands for 0, and b of 1..254 for
 * `lo * (hi / lo) ** ((b - 1) / 253)`.
 *
 * @typedef {object} Matrix
 * @property {number} rows
 * @property {number} columns
 * @property {number} lo
 * @property {number} hi
 * @property {"linear"|"log"} scale
 * @property {string} data
 * @property {boolean} [zeros] - only with scale "log"
 */

/**
 * @typedef {object} Measure
 * @property {string} measure - what was measured, in words
 * @property {number|string|boolean|null} observed
 * @property {number|string|boolean|null} expected
 * @property {string} source
 * @property {EvidenceCurve} [drawn] - where the evidence is a number over the steps
 * @property {EvidenceBar} [bar] - where observed and expected are numbers on one axis, so that they
 *   can be drawn beside each other
 */

/**
 * What was observed as a curve over the steps, with the range that is expected.
 *
 * @typedef {object} EvidenceCurve
 * @property {string} name
 * @property {string} unit
 * @property {Steps} steps
 * @property {Numbers} values
 * @property {Range} [range]
 * @property {[number|null, number|null]} [expected] - the range; null: no limit on that side
 * @property {boolean} [log] - whether to draw it on a logarithmic axis
 */

/**
 * @typedef {object} EvidenceBar
 * @property {number} observed
 * @property {[number|null, number|null]} expected - the range; null: no limit on that side
 * @property {boolean} [log]
 */

/**
 * @typedef {object} Remedy
 * @property {{[step: string]: string}} change - the steps' new values, as notation
 * @property {string} why
 * @property {string} advice - what to do in a loop of one's own
 * @property {CodeLine[]} [code] - the change as lines of code: those that go and those that come
 * @property {string} [command] - the line to type to train with it
 */

/**
 * @typedef {object} CodeLine
 * @property {"keep"|"remove"|"add"} kind
 * @property {string} text
 * @property {number|null} [line] - its number in the file
 * @property {string} [file]
 */

/**
 * The trial of one remedy; each list has one number for each seed, and larger is better.
 *
 * @typedef {object} Trial
 * @property {{[step: string]: string}} change
 * @property {string} measure
 * @property {number[]} seeds
 * @property {(number|null)[]} untouched
 * @property {(number|null)[]} remedied
 * @property {(number|null)[]} random
 * @property {number|null} difference - the mean over the seeds
 * @property {[number, number]|null} interval - of the difference, with 95 % confidence
 * @property {boolean} proven
 * @property {string} [note]
 */

/**
 * One condition that the training has. `where` names what the page marks: layers as in
 * `looks.layers`, `units` by layer.
 *
 * @typedef {object} Finding
 * @property {string} condition
 * @property {string} [title] - the condition in words
 * @property {StepName} step - the one to blame
 * @property {Severity} severity
 * @property {number} confidence - 0 to 1
 * @property {string} explanation
 * @property {string} [consequence] - what it means for whoever trains
 * @property {number|null} onset - the step at which it began
 * @property {{layers?: string[], units?: {[layer: string]: number[]}, parameters?: string[]}} where
 * @property {Measure[]} evidence
 * @property {Remedy[]} remedies
 * @property {Trial[]} trials
 * @property {Finding[]} symptoms - other findings that this one explains
 */

/**
 * @typedef {object} Verdict
 * @property {string} sentence - what is wrong, or that nothing is
 * @property {string} basis - on what that rests
 * @property {Severity|"healthy"|"unknown"} state - "unknown": too little was seen
 * @property {Finding[]} findings - most likely cause first
 * @property {Measure[]} [evidence] - on what it rests that nothing is wrong
 */

/**
 * @typedef {object} Named
 * @property {string} name - a condition, or a question
 * @property {string} [title]
 * @property {string} why
 */

/**
 * One of the seven panels.
 *
 * @typedef {object} StepPanel
 * @property {StepName} name
 * @property {string} question - the one that this step answers
 * @property {string} value - as notation; "" where it is not known
 * @property {string} reason
 * @property {string[]} did - what it did to these numbers, a sentence each
 */

/**
 * One curve, with every step that was recorded. `spread` has several seeds: of each step the least
 * and the largest value.
 *
 * @typedef {object} Curve
 * @property {string} id
 * @property {string} name - "training loss"
 * @property {string} group - curves of one group are drawn on one axis: "loss", "accuracy", …
 * @property {string} unit - "" where there is none
 * @property {Steps} steps
 * @property {Numbers} values
 * @property {number} behind - how many points the training had, of which these are what is recorded
 * @property {Range} [range]
 * @property {boolean} [log] - whether its axis is logarithmic at first
 * @property {string} [run] - of several runs, whose it is
 * @property {"training"|"validation"|"batch"} [part] - of which samples it is; "batch": of those of
 *   each step
 * @property {{low: Numbers, high: Numbers, seeds: number}} [spread]
 * @property {{value: number, name: string}[]} [levels] - such as "an ignorant network"
 */

/**
 * @typedef {object} Event
 * @property {number} step
 * @property {string} kind - "epoch", "best", "warning", "not finite", "resumed", "end", …
 * @property {string} text
 */

/**
 * A layer over time: of each quantity a matrix, a row for each unit or group of units, a column for
 * each look.
 *
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} kind - "Linear", "Conv2d", …
 * @property {number} units
 * @property {string} [rows] - what a row is where there are more units than rows, such as "the mean
 *   of 79 units"
 * @property {{[quantity: string]: Matrix}} over - by the `id` of a quantity
 */

/**
 * What is measured of layers. `summary` has a row for each layer and a column for each look.
 *
 * @typedef {object} Quantity
 * @property {string} id - "signal", "gradient", "update", "dead", "saturated", …
 * @property {string} name
 * @property {string} unit
 * @property {string} meaning - one sentence: what it is, and what is healthy
 * @property {Matrix} summary
 * @property {[number|null, number|null]} [expected] - the healthy range
 */

/**
 * Small grey pictures of one look, one behind the other: `count` pictures of `height` × `width`
 * (all in one matrix of `count * height` rows).
 *
 * @typedef {object} Pictures
 * @property {number} count
 * @property {number} height
 * @property {number} width
 * @property {Matrix} pixels
 * @property {boolean} [signed] - whether 0 is the middle of the colours: weights
 */

/**
 * @typedef {object} Histogram
 * @property {string} name - "weights of layer1"
 * @property {number[]} edges - one more than counts
 * @property {number[][]} counts - for each look
 */

/**
 * @typedef {object} Looks
 * @property {number[]} steps - of each look
 * @property {Layer[]} layers - from the input to the output
 * @property {Quantity[]} quantities
 * @property {{layer: string, at: Pictures[]}} [weights] - first-layer weights, at each of `steps` or
 *   only once
 * @property {Histogram[]} [histograms]
 * @property {Confusion} [confusion]
 * @property {(number|null)[]} [loss] - of each look
 */

/**
 * How often (counts) each true class was answered as each class. `steps` are its own: often it is
 * only known at the end.
 *
 * @typedef {object} Confusion
 * @property {string[]} classes
 * @property {number[]} steps
 * @property {number[][][]} counts - [of steps][true][answered]
 * @property {string} part - "validation"
 */

/**
 * A sample to show: a picture, or named numbers, or a text.
 *
 * @typedef {object} Sample
 * @property {number} index
 * @property {string} part - "training" or "validation"
 * @property {string} [label]
 * @property {Pictures} [picture]
 * @property {{name: string, value: number|string|null}[]} [features]
 * @property {string} [text]
 */

/**
 * @typedef {object} DataPart
 * @property {string} source
 * @property {{name: string, samples: number}[]} parts
 * @property {{name: string, count: {[part: string]: number}}[]} [classes]
 * @property {{name: string, value: string}[]} facts - shape, scale, kind, duplicates, …
 * @property {Sample[]} [samples]
 * @property {Histogram[]} [histograms] - with one list of counts
 * @property {string[]} [notes]
 */

/**
 * One of the worst samples, with the numbers of `explain sample` and `explain gradient`.
 *
 * @typedef {object} WorstSample
 * @property {Sample} sample
 * @property {number|null} loss
 * @property {string} truth
 * @property {string} answer
 * @property {boolean} [right]
 * @property {{name: string, output: number|null, probability: number|null, target: number|null,
 *   gradient: number|null}[]} [outputs]
 * @property {string[]} [why] - sentences
 * @property {{name: string, kind: string, gradient: number|null, factor: number|null}[]} [layers] -
 *   from the loss back
 */

/**
 * The chain rule of one weight, from the loss back to it; `sentence` says why it is this one.
 *
 * @typedef {object} Chain
 * @property {string} parameter - "output.weight[8, 81]"
 * @property {string} sentence
 * @property {{name: string, formula: string, value: number|null, running: number|null}[]} links -
 *   `value` is a factor, `running` the product so far
 * @property {{name: string, value: number|null}[]} checks - chain rule, autograd, differences
 */

/**
 * A slice of the loss surface: `losses` has a row for each of `up` and a column for each of
 * `across`.
 *
 * @typedef {object} Surface
 * @property {[string, string]} names - of the two directions
 * @property {number[]} across
 * @property {number[]} up
 * @property {Matrix} losses
 * @property {{step: number, across: number, up: number, loss?: number|null}[]} path
 * @property {string[]} notes - sentences: how much of the path lies in this slice, …
 */

/**
 * @typedef {object} Word
 * @property {string} word
 * @property {string[]} [forms] - other forms under which it stands in texts
 * @property {string} definition
 * @property {string} [example] - with this training's own numbers
 */

/**
 * @typedef {object} Repeat
 * @property {string} [recipe] - as TOML
 * @property {string} [command]
 * @property {{name: string, value: string}[]} facts - versions, machine, seed, threads, hashes
 */

/**
 * One run of a race or a comparison.
 *
 * @typedef {object} RaceRun
 * @property {string} name
 * @property {{[step: string]: string}} changes - what differs from the others
 * @property {{[metric: string]: number|null}} metrics
 * @property {number} [seeds]
 * @property {string} [note] - "stopped after 3 of 20 epochs: behind", or a finding
 * @property {[number, number]|null} [interval] - of its main metric, or of the difference to the best
 */

/**
 * @typedef {object} Race
 * @property {string} metric - the main one
 * @property {boolean} higher - whether more of it is better
 * @property {RaceRun[]} runs - best first
 * @property {string[]} [notes]
 */

/**
 * What differs between the runs compared, the recipe first.
 *
 * @typedef {object} Comparison
 * @property {string[]} runs - their names
 * @property {{name: string, values: (string|null)[], same: boolean}[]} recipe
 * @property {{name: string, values: (number|string|null)[]}[]} results
 * @property {string[]} [notes]
 * @property {Document[]} [documents] - of each run
 */

/**
 * @typedef {object} Document
 * @property {number} schema - `SCHEMA`
 * @property {"run"|"watched"|"race"|"comparison"|"explanation"} kind
 * @property {string} title
 * @property {string} [subtitle] - such as "digits · cnn(16, 32) · 1,196 steps in 1.1 s"
 * @property {string} [made] - ISO 8601
 * @property {string} [version] - of sevensteps
 * @property {{name: string, value: number|string|null, unit?: string}[]} [figures] - a few, large
 * @property {Verdict} [verdict]
 * @property {Named[]} [ruled_out]
 * @property {Named[]} [not_judged]
 * @property {StepPanel[]} [steps]
 * @property {Curve[]} [curves]
 * @property {Event[]} [events]
 * @property {Looks} [looks]
 * @property {DataPart} [data]
 * @property {WorstSample[]} [worst]
 * @property {Chain} [chain]
 * @property {Surface} [surface]
 * @property {Word[]} [words]
 * @property {Repeat} [repeat]
 * @property {Race} [race]
 * @property {Comparison} [comparison]
 * @property {{[part: string]: string}} [missing] - why a part of this document is not there, by its
 *   name ("surface": "…")
 */
