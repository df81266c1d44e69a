/** How the dashboard looks, as far as a program can tell: axe-core finds nothing, nothing moves by itself, and 360 pixels are enough. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { buildDashboard, DashboardPage, startChromium } from '../support/dashboard-browser.ts'
import { type DashboardScene, OPS_TOKEN, startDashboardScene } from '../support/dashboard-scene.ts'
import { requireProgram } from '../support/own-program.ts'
import { PLAYED_FLEET, PlayedFleet } from '../support/played-fleet.ts'

let browser: Browser | null = null
let scene: DashboardScene
let axe = ''
let views: readonly string[] = []
const fleet = new PlayedFleet()

beforeAll(async () => {
  const chromium = await requireProgram('chromium', 'the package chromium', () => null as never)
  if (chromium === null) return
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const dashboard = await buildDashboard(afterFile)
  browser = await startChromium(chromium, afterFile)
  scene = await startDashboardScene({ dashboard, answerMs: () => 20, finally: afterFile })
  scene.work(8)
  const { view } = await scene.service.api.lease('ledger', { ttlMs: 600_000 })
  await scene.service.api.post('/v1/exchange', {
    json: { target: 'archive', write: { text: 'x' }, read: 'line' },
  })
  await scene.service.api.post('/v1/parse/json', { body: `[${'1,'.repeat(2_000)}1]` })
  views = [
    'targets',
    'targets/orders',
    'leases',
    'connections',
    `connections/${view.connection.id}`,
    'workers',
    'fleet',
    'exchange/orders',
  ]
})

beforeEach(({ skip }) => skip(browser === null, 'there is no chromium'))

/** Pixels that the page is wider than its window. */
const WIDE = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'

/** A fleet that is not well: what `/v1/fleet` answers, and what the page says of it. */
const TROUBLES = [
  [{ ...PLAYED_FLEET, state: 'degraded' }, 200, 'The engine does not answer.'],
  [{ ...PLAYED_FLEET, instances: [], caps: {} }, 200, 'No target has a cap.'],
  [{ code: 'internal', title: 'It failed' }, 500, 'The service does not tell of its fleet.'],
] as const

async function open(width: number, colorScheme: 'light' | 'dark'): Promise<DashboardPage> {
  if (browser === null) throw new Error('there is no chromium')
  const opened = await DashboardPage.open(browser, scene.service.url, {
    path: `#token=${OPS_TOKEN}`,
    prepare: fleet.prepare,
    viewport: { width, height: 800 },
    colorScheme,
  })
  await opened.live()
  return opened
}

/** What axe-core has to say of what is shown, a line each. */
async function violations({ page }: DashboardPage): Promise<readonly string[]> {
  const found = (await page.evaluate(`axe.run({ resultTypes: ['violations'] })`)) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
  }
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
  )
}

describe.each([
  ['light', 1_280],
  ['dark', 360],
] as const)('in its %s theme at %i pixels', (theme, width) => {
  let opened: DashboardPage
  beforeAll(async () => {
    if (browser === null) return
    opened = await open(width, theme)
    await opened.page.evaluate(axe)
  })
  afterAll(async () => opened?.close())

  test('axe-core finds nothing on any view, and none is wider than the window', async () => {
    for (const view of views) {
      await opened.show(`#/${view}`)
      await opened.page.getByText('Waiting for the first figures').first().waitFor({ state: 'detached' })
      expect(await violations(opened), view).toEqual([])
      expect(await opened.page.evaluate(WIDE), view).toBe(0)
    }
    await opened.show('#/fleet')
    for (const [answer, status, shown] of TROUBLES) {
      Object.assign(fleet, { answer, status })
      await opened.page.getByText(shown).first().waitFor()
      expect(await violations(opened), shown).toEqual([])
      expect(await opened.page.evaluate(WIDE), shown).toBe(0)
    }
    Object.assign(fleet, { answer: PLAYED_FLEET, status: 200 })
    await opened.show('#/exchange/orders')
    await opened.button('Exchange').click()
    await opened.page.locator('.bytes').first().waitFor()
    expect(await violations(opened), 'the reply').toEqual([])
    await opened.show('#/targets')
    await opened.button('Resize ledger').click()
    await opened.page.getByLabel('Least connections').fill('x')
    expect(await violations(opened), 'a dialog').toEqual([])
    await opened.page.keyboard.press('Escape')
    await opened.button('Pause ledger').click()
    await opened.page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
    await opened.page.getByText('ledger is paused.').waitFor()
    expect(await violations(opened), 'a notice').toEqual([])
    await opened.button('Resume ledger').click()
    await opened.page.getByText('ledger is resumed.').waitFor()
    await opened.button('Forget token').click()
    await opened.page.getByLabel('Token', { exact: true }).waitFor()
    expect(await violations(opened), 'the token').toEqual([])
  })
})

describe.each(['light', 'dark'] as const)('in its %s theme', theme => {
  test('nothing moves by itself while figures come', async () => {
    const opened = await open(theme === 'light' ? 360 : 1_280, theme)
    await opened.page.evaluate(
      'new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))',
    )
    // Two points of the charts, and whatever rounds lie between.
    await opened.page.waitForRequest(request => request.url().endsWith('/v1/stats'))
    await opened.page.waitForRequest(request => request.url().endsWith('/v1/stats'))
    await opened.page.getByRole('img', { name: /^All targets: [1-9][\d,]* leases ended/ }).waitFor()
    const { sum, what } = await opened.shifts()
    expect(sum, what.join('\n')).toBeLessThan(0.005)
    expect(opened.errors).toEqual([])
    await opened.close()
  })
})
