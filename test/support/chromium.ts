/** A page in a real browser: served from an origin of its own, run, and asked what came of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { within } from './service-process.ts'

const PAGE_TIMEOUT_MS = 60_000

export const CHROMIUM_FLAGS: readonly string[] = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--no-first-run',
]

/** Serves one page, whose script ends with a call of `report`. */
export class BrowserPage {
  readonly #server: Server
  readonly #reported = Promise.withResolvers<unknown>()
  #script = ''

  private constructor() {
    this.#server = createServer((request, response) => {
      if (request.method !== 'POST') {
        const script = this.#script.replaceAll('</script', '<\\/script')
        const page = `<!doctype html><meta charset="utf-8"><title>a page</title><script type="module">${script}</script>`
        response.writeHead(200, { 'content-type': 'text/html' }).end(page)
        return
      }
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        response.end()
        this.#reported.resolve(JSON.parse(Buffer.concat(chunks).toString()))
      })
    })
  }

  static async serve(): Promise<BrowserPage> {
    const page = new BrowserPage()
    page.#server.listen(0, '127.0.0.1')
    await once(page.#server, 'listening')
    return page
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Runs the module in the browser at that path; what it reports. */
  async run(chromium: string, script: string): Promise<unknown> {
    this.#script = script
    const profile = await mkdtemp(join(tmpdir(), 'sockpool-chromium-'))
    const child = spawn(chromium, [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`, this.origin], {
      stdio: 'ignore',
      detached: true,
    })
    try {
      return await within(PAGE_TIMEOUT_MS, this.#reported.promise, 'the page reported nothing')
    } finally {
      await end(child)
      await rm(profile, { recursive: true, force: true, maxRetries: 10 })
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** What it started goes with it. */
async function end(child: ChildProcess): Promise<void> {
  const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  await exited
}
