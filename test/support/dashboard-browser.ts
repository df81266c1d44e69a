/** The dashboard as a person has it before them: built from the sources, and opened in Chromium. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { build } from 'vite'
import { CHROMIUM_FLAGS } from './chromium.ts'
import { ROOT } from './service-process.ts'

/** Milliseconds that whatever is awaited of a page may take. */
const PAGE_TIMEOUT_MS = 10_000

/** Its files, in a folder of their own: those of the package may be old, or be built at this very moment. */
export async function buildDashboard(whenDone: (undo: () => Promise<void>) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sockpool-dashboard-'))
  whenDone(() => rm(folder, { recursive: true }))
  await build({
    configFile: join(ROOT, 'vite.config.ts'),
    build: { outDir: folder, emptyOutDir: false },
  })
  return folder
}

export async function startChromium(
  executablePath: string,
  whenDone: (undo: () => Promise<void>) => void,
): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] })
  whenDone(() => browser.close())
  return browser
}

/** Of each entry only what no input of a person explains. */
const WATCH_SHIFTS = `
  window.shifted = 0
  window.shifts = []
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
      window.shifted += entry.value
      for (const { node } of entry.sources) window.shifts.push(node?.outerHTML?.slice(0, 120) ?? 'nothing')
    }
  }).observe({ type: 'layout-shift', buffered: true })
`

type OpenOptions = BrowserContextOptions & {
  readonly path?: string
  readonly prepare?: (page: Page) => Promise<void>
}

/** A page, and what it did that nobody sees. */
export class DashboardPage {
  readonly page: Page
  /** What its console said of errors, and what it threw. */
  readonly errors: string[] = []
  /** Origins that it asked anything of. */
  readonly origins: Set<string> = new Set()
  readonly #url: string

  private constructor(page: Page, url: string) {
    this.page = page
    this.#url = url
    page.on('console', message => {
      if (message.type() === 'error') this.errors.push(message.text())
    })
    page.on('pageerror', error => this.errors.push(error.message))
    page.on('request', request => this.origins.add(new URL(request.url()).origin))
  }

  /** `path`: what stands behind `/dashboard`; `prepare`: done before the page is asked for. */
  static async open(
    browser: Browser,
    url: string,
    { path = '', prepare = async () => {}, ...options }: OpenOptions = {},
  ): Promise<DashboardPage> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
    context.setDefaultTimeout(PAGE_TIMEOUT_MS)
    await context.addInitScript(WATCH_SHIFTS)
    const own = new DashboardPage(await context.newPage(), url)
    await prepare(own.page)
    await own.page.goto(`${url}/dashboard${path}`)
    return own
  }

  async show(path: string): Promise<void> {
    await this.page.evaluate(`location.hash = ${JSON.stringify(path)}`)
  }

  /** Resolves when figures have come. */
  async live(): Promise<void> {
    await this.page.locator('.link-banner.live').waitFor()
  }

  button(name: string): ReturnType<Page['getByRole']> {
    return this.page.getByRole('button', { name, exact: true })
  }

  /** How much of it moved by itself, and what did. */
  async shifts(): Promise<{ readonly sum: number; readonly what: readonly string[] }> {
    const [sum, what] = (await this.page.evaluate('[window.shifted, window.shifts]')) as [number, string[]]
    return { sum, what }
  }

  get origin(): string {
    return new URL(this.#url).origin
  }

  async close(): Promise<void> {
    await this.page.context().close()
  }
}
