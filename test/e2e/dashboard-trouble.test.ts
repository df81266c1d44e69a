/** What the dashboard says where something takes long, is not the page's to do, or is away; in Chromium. */
import type { Browser, Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { buildDashboard, DashboardPage, startChromium } from '../support/dashboard-browser.ts'
import { type DashboardScene, OPS_TOKEN, startDashboardScene } from '../support/dashboard-scene.ts'
import { requireProgram } from '../support/own-program.ts'
import { until } from '../support/until.ts'

let browser: Browser | null = null
let scene: DashboardScene

beforeAll(async () => {
  const chromium = await requireProgram('chromium', 'the package chromium', () => null as never)
  if (chromium === null) return
  const dashboard = await buildDashboard(afterFile)
  browser = await startChromium(chromium, afterFile)
  scene = await startDashboardScene({ dashboard, finally: afterFile })
})

beforeEach(({ skip }) => skip(browser === null, 'there is no chromium'))

/** A live page at this view. */
async function open(hash: string): Promise<DashboardPage> {
  if (browser === null) throw new Error('there is no chromium')
  const opened = await DashboardPage.open(browser, scene.service.url, { path: `#token=${OPS_TOKEN}` })
  onTestFinished(() => opened.close())
  await opened.live()
  await opened.show(hash)
  return opened
}

async function answerWith(page: Page, label: string): Promise<void> {
  await page.getByRole('dialog').getByRole('button', { name: label }).click()
}

describe('a drain that is longer than its call', () => {
  test('goes on, and is told so: of a target, and of a worker', async () => {
    const { api } = scene.service
    const lease = await api.lease('ledger')
    onTestFinished(async () => {
      await lease.release('?discard=true')
      await api.post('/v1/targets/ledger/enable', { json: {} })
    })
    const opened = await open('#/targets/ledger')
    const { page } = opened
    // The page itself waits for as long as the service does: half a minute.
    const shortly = (url: string): string => `${url}?timeoutMs=200`
    await page.route('**/drain', route => route.continue({ url: shortly(route.request().url()) }))
    await opened.button('Drain ledger').click()
    await answerWith(page, 'Drain')
    await page.getByRole('status').getByText('Drain ledger goes on: leases are still out.').waitFor()
    await opened.show('#/workers')
    await opened.button('Replace I/O worker 0').click()
    await answerWith(page, 'Replace')
    const told = 'Replace I/O worker 0 goes on: leases are still out.'
    await page.getByRole('status').getByText(told).waitFor()
  })
})

describe('a described target', () => {
  test('has no buttons, as the verbs are for those of the config', async () => {
    const opened = await open('#/workers')
    const { page } = opened
    await page.route('**/v1/targets', async route => {
      const answer = await route.fetch()
      const { targets } = await answer.json()
      const [first] = targets
      await route.fulfill({
        response: answer,
        json: { targets: [...targets, { ...first, name: 'own', tenant: 'shop' }] },
      })
    })
    await opened.show('#/targets')
    await page.getByRole('article', { name: 'own' }).waitFor()
    await opened.button('Pause orders').waitFor()
    expect(await page.getByRole('article', { name: 'own' }).getByRole('button').count()).toBe(0)
  })
})

describe('a service that stays away', () => {
  test('is awaited by a clock that begins anew with each look', async () => {
    const { page } = await open('#/targets')
    let looks = 0
    await page.route('**/v1/stats', async route => {
      looks++
      await route.fulfill({ status: 503, headers: { 'retry-after': '1' }, body: '{}' })
    })
    await until('the page asks', () => looks === 1)
    await page.getByText('again in 1 s').waitFor()
    await until('the page asks again and again', () => looks === 4, 10_000)
    await page.getByText('again in 1 s').waitFor()
  })
})
