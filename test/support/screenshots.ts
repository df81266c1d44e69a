/**
 * `npm run screenshots`: the pictures of docs/dashboard.md, of a service with callers at work, at two widths and in both
 * themes. They are looked at before they are kept.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { buildDashboard, DashboardPage, startChromium } from './dashboard-browser.ts'
import { type DashboardScene, OPS_TOKEN, startDashboardScene } from './dashboard-scene.ts'
import { ROOT } from './service-process.ts'

const { SOCKPOOL_TEST_CHROMIUM: chromium = '/usr/bin/chromium' } = process.env
/** Milliseconds for which callers are at work before the pictures are taken, so that the charts have something to show. */
const WORK_MS = Number(process.argv[2] ?? 60) * 1_000
const FOLDER = join(ROOT, 'docs', 'images')
const WIDTHS = { wide: 1280, narrow: 360 } as const

const undos: (() => Promise<void>)[] = []
const whenDone = (undo: () => Promise<void>): void => void undos.unshift(undo)

try {
  await mkdir(FOLDER, { recursive: true })
  const dashboard = await buildDashboard(whenDone)
  const browser = await startChromium(chromium, whenDone)
  const scene = await startDashboardScene({
    dashboard,
    finally: whenDone,
    answerMs: () => 2 + Math.random() ** 4 * 300,
  })
  await play(scene)
  for (const theme of ['light', 'dark'] as const)
    for (const width of ['wide', 'narrow'] as const) await take(browser, scene, theme, width)
} finally {
  for (const undo of undos) await undo()
}

/** Callers come and go, some hold leases, and one target is down. */
async function play({ service, shop, work }: DashboardScene): Promise<void> {
  work(9)
  const { api } = service
  for (const text of ['ping\n', 'what is there\n']) {
    const lease = await api.lease('ledger', { ttlMs: 600_000 })
    await lease.call('write', { body: text })
    await lease.call('readline')
  }
  await shop.lease('orders', { ttlMs: 600_000 })
  await api.post('/v1/exchange', { json: { target: 'archive', write: { text: 'x' }, read: 'line' } })
  await api.post('/v1/parse/json', { body: `[${'1,'.repeat(2_000)}1]` })
}

async function take(
  browser: Browser,
  { service }: DashboardScene,
  theme: 'light' | 'dark',
  width: keyof typeof WIDTHS,
): Promise<void> {
  const opened = await DashboardPage.open(browser, service.url, {
    path: `#token=${OPS_TOKEN}`,
    colorScheme: theme,
    viewport: { width: WIDTHS[width], height: width === 'wide' ? 900 : 740 },
  })
  const { page } = opened
  const shoot = async (name: string, isWhole = false): Promise<void> => {
    const path = join(FOLDER, `dashboard-${name}-${width}-${theme}.png`)
    await page.screenshot({ path, fullPage: isWhole })
    console.log(path)
  }
  await opened.live()
  await page.waitForTimeout(WORK_MS)
  await shoot('targets')
  await opened.show('#/leases')
  await page.locator('tbody tr .danger-quiet').first().waitFor()
  await shoot('leases')
  await opened.show('#/exchange/orders')
  await opened.button('Exchange').click()
  await page.locator('.bytes').first().waitFor()
  await shoot('exchange', true)
  if (width === 'wide') {
    await opened.show('#/targets/orders')
    await page.locator('tbody a').first().waitFor()
    await page.waitForTimeout(3_000)
    await shoot('target', true)
    await page.locator('tbody a').first().click()
    await page.getByText('Flight recorder').waitFor()
    await page.locator('time').first().waitFor()
    await shoot('connection')
    await opened.show('#/workers')
    await page.locator('.meter').first().waitFor()
    await shoot('workers')
  }
  await opened.close()
}
