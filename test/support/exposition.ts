/** A page of metrics as a scraper reads it: the text format of Prometheus, and OpenMetrics. */

export type ExportedSample = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** The trace that the line names. */
  readonly traceId: string | null
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? (\S+)(?: # \{trace_id="([0-9a-f]{32})"\} [\d.e-]+ [\d.]+)?$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g

export class ExpositionPage {
  /** By name as the page declares it. */
  readonly types: ReadonlyMap<string, string>
  readonly samples: readonly ExportedSample[]

  /** Errors: for a line that is neither a sample nor a comment. */
  constructor(text: string) {
    const types = new Map<string, string>()
    const samples: ExportedSample[] = []
    for (const line of text.split('\n').filter(written => written !== '')) {
      const [, declared = '', type = ''] = /^# TYPE (\S+) (\w+)$/.exec(line) ?? []
      if (types.has(declared)) throw new Error(`${declared} is declared twice`)
      if (declared !== '') types.set(declared, type)
      if (!line.startsWith('#')) samples.push(sampleOf(line))
    }
    this.types = types
    this.samples = samples
  }

  /** The samples of this name that have these labels. */
  all(name: string, labels: Readonly<Record<string, string>> = {}): readonly ExportedSample[] {
    const wanted = Object.entries(labels)
    return this.samples.filter(
      sample => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    )
  }

  /** Their sum; 0 where there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.all(name, labels).reduce((sum, { value }) => sum + value, 0)
  }
}

function sampleOf(line: string): ExportedSample {
  const [, name, labels = '', value, traceId = null] = LINE.exec(line) ?? []
  if (name === undefined || value === undefined) throw new Error(`no sample: ${line}`)
  const found = Array.from(labels.matchAll(LABEL), ([, label = '', text = '']) => [label, text] as const)
  return { name, labels: Object.fromEntries(found), value: Number(value.replace('Inf', 'Infinity')), traceId }
}

/** The names of metrics in an expression of PromQL: what is neither label, text, function nor word of the language. */
export function metricsOf(expression: string): readonly string[] {
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '')
    .replace(/\{[^}]*\}/g, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
  return Array.from(bare.matchAll(/[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])/g), ([name]) => name).filter(
    name => !/^(?:and|or|unless|bool|offset|inf|nan)$/i.test(name),
  )
}
