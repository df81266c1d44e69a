/**
 * Plays the shell sessions of a page against a service of its own, which the page's `serve` starts. A page shortens ids
 * and names the default port; what differs from run to run is made alike on both sides.
 */
import type { Typed } from './page-blocks.ts'
import { CLI, runCommand, type ServiceProcess, startServiceProcess } from './service-process.ts'
import { until } from './until.ts'

const SERVE = /^npx sockpool serve (.*)$/

/** What a session printed beside what its page says it prints, both made alike. */
export type Compared = { readonly printed: unknown; readonly stated: unknown }

export class ShellSession {
  #service: ServiceProcess | null = null
  /** The id of the lease that was taken last. */
  #lease = ''

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
    const place = this.#service === null ? '' : new URL(this.#service.url).host
    const real = command
      .replace(/(localhost|127\.0\.0\.1):7070/g, place.replace('127.0.0.1', '$1'))
      .replace(/[\w-]{6,}…/g, this.#lease)
      .replaceAll('npx sockpool', `"${process.execPath}" "${CLI}"`)
    const { stdout, stderr } = await runCommand(['bash', '-c', real])
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
