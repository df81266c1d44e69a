/**
 * What the service can be scraped for. Nothing is gathered for a scrape but what is there to be read at once, on this thread
 * and in memory that others share: a thread that is stuck keeps no scraper waiting.
 */
import { exposition, type MetricsPage, type Notation } from './exposition.ts'
import { addInstances, type InstanceSources } from './instance-samples.ts'
import { LoopShares } from './loop-shares.ts'
import { processMetrics } from './process-metrics.ts'
import { Samples } from './samples.ts'
import { addService, type ServiceSources } from './service-samples.ts'
import { addTargets, type TargetSources } from './target-samples.ts'
import { addThreads, type ThreadSources } from './thread-samples.ts'

export type MetricsSources = TargetSources & ThreadSources & ServiceSources & InstanceSources

export class Metrics {
  readonly #sources: MetricsSources
  readonly #shares = new LoopShares()
  /** Pages that are being written: whoever asks meanwhile gets the same. */
  readonly #underWay = new Map<Notation, Promise<MetricsPage>>()

  constructor(sources: MetricsSources) {
    this.#sources = sources
    processMetrics()
  }

  /** All metrics as they are now. */
  page(notation: Notation): Promise<MetricsPage> {
    const known = this.#underWay.get(notation)
    if (known !== undefined) return known
    const page = this.#write(notation).finally(() => this.#underWay.delete(notation))
    this.#underWay.set(notation, page)
    return page
  }

  async #write(notation: Notation): Promise<MetricsPage> {
    const samples = new Samples()
    addTargets(samples, this.#sources)
    addThreads(samples, this.#shares, this.#sources)
    addService(samples, this.#sources)
    addInstances(samples, this.#sources)
    return await exposition(samples, processMetrics(), notation)
  }
}
