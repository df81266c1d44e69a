/**
 * Plays the shell sessions of a page against a service of its own, which the page's `serve` starts, or against one that is
 * given. A page shortens ids and names the default port; what differs from run to run is made alike on both sides.
 */
import type { Typed } from './page-blocks.ts'
import { CLI, runCommand, type ServiceProcess, startServiceProcess } from './service-process.ts'
import { until } from './until.ts'

const SERVE = /^npx sockpool serve (.*)$/

/** What a session printed beside what its page says it prints, both made alike. */
export type Compared = { readonly printed: unknown; readonly stated: unknown }

export type ShellSurroundings = {
  /** Where a service runs already; default: none does until `serve` is typed. */
  readonly url?: string
  /** Variables of the commands, beside those of the tests. */
  readonly environment?: Readonly<Record<string, string>>
  /** What stands in for other ports of 127.0.0.1 that the page names. */
  readonly ports?: ReadonlyMap<string, number>
}

export class ShellSession {
  readonly #surroundings: ShellSurroundings
  #service: ServiceProcess | null = null
  /** The id of the lease that was taken last. */
  #lease = ''

  constructor(surroundings: ShellSurroundings = {}) {
    this.#surroundings = surroundings
  }

  async play({ command, prints }: Typed): Promise<Compared> {
    const args = SERVE.exec(command)?.[1]
    const printed = args === undefined ? await this.#run(command) : await this.#serve(args, prints)
    this.#lease = /"id":"([\w-]{43})"/.exec(printed)?.[1] ?? this.#lease
    return { printed: alike(printed), stated: alike(prints) }
  }

  async stop(): Promise<void> {
    await this.#service?.stop()
  }

  async #serve(args: string, prints: string): Promise<string> {
    await this.stop()
    const service = await startServiceProcess({ args: args.split(' ') })
    this.#service = service
    const count = prints.trimEnd().split('\n').length
    await until('the service printed its lines', () => service.stdout.length >= count)
    return `${service.stdout.join('\n')}\n`
  }

  async #run(command: string): Promise<string> {
    const { url: given, environment = {}, ports = new Map() } = this.#surroundings
    const url = this.#service?.url ?? given
    const place = url === undefined ? '' : new URL(url).host
    const real = [...ports]
      .reduce((text, [port, own]) => text.replace(new RegExp(`\\b${port}\\b`, 'g'), `${own}`), command)
      .replace(/(localhost|127\.0\.0\.1):7070/g, place.replace('127.0.0.1', '$1'))
      .replace(/[\w-]{6,}…/g, this.#lease)
      .replaceAll('npx sockpool', `"${process.execPath}" "${CLI}"`)
    const { stdout, stderr } = await runCommand(['bash', '-c', real], { env: environment })
    return stdout + stderr
  }
}

/** JSON as its value, so that a page may break its lines; other text line by line. */
function alike(text: string): unknown {
  const same = text
    .replace(/(localhost|127\.0\.0\.1):\d{4,5}\b/g, '$1:PORT')
    .replace(/"[\w-]{43}"|"[\w-]{6,}…"/g, '"ID"')
    .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"INSTANT"')
    .replace(
      /"(localPort|remotePort|port|ageMs|idleMs|uptimeMs|ms|rss|heapUsed|ringBytes)":[\d.]+/g,
      '"$1":0',
    )
    .replace(/^Date: .*$/gm, 'Date: NOW')
    .replaceAll('\r', '')
  if (!same.startsWith('{')) return same.trimEnd().split('\n')
  // A page breaks lines between two fields.
  return JSON.parse(same.replace(/\n */g, ''))
}
