/** What the dashboard shows of a fleet, in Chromium: the service stands alone, and what `/v1/fleet` answers is played. */
import type { Browser } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { buildDashboard, DashboardPage, startChromium } from '../support/dashboard-browser.ts'
import {
  type DashboardScene,
  OPS_TOKEN,
  SHOP_TOKEN,
  startDashboardScene,
} from '../support/dashboard-scene.ts'
import { requireProgram } from '../support/own-program.ts'
import { LONG_NAME, PLAYED_FLEET, PlayedFleet } from '../support/played-fleet.ts'
import { untilComesTo } from '../support/until.ts'

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

type Wish = { readonly fleet?: PlayedFleet; readonly token?: string }

async function open(hash: string, { fleet, token = OPS_TOKEN }: Wish = {}): Promise<DashboardPage> {
  if (browser === null) throw new Error('there is no chromium')
  const opened = await DashboardPage.open(browser, scene.service.url, {
    path: `#token=${token}`,
    ...(fleet !== undefined && { prepare: fleet.prepare }),
  })
  onTestFinished(() => opened.close())
  await opened.live()
  await opened.show(hash)
  return opened
}

const link = ({ page }: DashboardPage) => page.getByRole('link', { name: 'Fleet', exact: true })

describe('a fleet', () => {
  test('is found in the head, and shows its instances and its caps', async () => {
    const fleet = new PlayedFleet()
    const opened = await open('#/targets', { fleet })
    const { page } = opened
    await link(opened).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Fleet', exact: true }).waitFor()
    const cap = page.getByRole('article', { name: 'Cap of orders' })
    await cap.getByText('48 of 48 held, 100 %').waitFor()
    await cap.getByText('used up').waitFor()
    const bar = cap.getByRole('img')
    expect(await bar.getAttribute('aria-label')).toBe(
      `48 of 48 permits are held: pool-a 16, ${LONG_NAME} 27, pool-c 5`,
    )
    expect(await bar.locator('.part').count()).toBe(3)
    const rows = page.getByRole('region', { name: 'Instances' }).locator('tbody tr')
    expect(await rows.count()).toBe(3)
    expect(await rows.first().innerText()).toMatch(/^pool-a \(this one\)\s+3\s+4\s/)
    await page.getByLabel('Find in instances').fill('pool-c')
    await untilComesTo(1, () => rows.count())
    expect(opened.errors).toEqual([])
  })

  test('shows what moves as it moves, and more than a cap as more', async () => {
    const fleet = new PlayedFleet()
    const { page } = await open('#/fleet', { fleet })
    const cap = page.getByRole('article', { name: 'Cap of orders' })
    await cap.getByText('48 of 48 held').waitFor()
    const byInstance = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`i${at + 10}`, 3]))
    fleet.answer = { ...PLAYED_FLEET, caps: { orders: { cap: 48, held: 60, byInstance } } }
    await cap.getByText('60 of 48 held, 125 %').waitFor()
    expect(await cap.getByRole('img').getAttribute('aria-label')).toMatch(/i25 3, 4 others 12$/)
    expect(await cap.locator('.most').count()).toBe(1)
  })

  test('whose engine is away says so on every view', async () => {
    const fleet = new PlayedFleet()
    fleet.answer = { ...PLAYED_FLEET, state: 'degraded' }
    const opened = await open('#/targets', { fleet })
    const { page } = opened
    await page.locator('.link-banner.degraded').waitFor()
    await page.getByRole('status').getByText('the engine of the fleet does not answer').waitFor()
    await opened.show('#/fleet')
    await page.getByText('The engine does not answer.').waitFor()
    fleet.answer = PLAYED_FLEET
    await page.getByRole('status').getByText('Live', { exact: true }).waitFor()
    await page.getByText('The engine does not answer.').waitFor({ state: 'detached' })
  })

  test('of which the service does not tell is shown as it was known last, and the page goes on', async () => {
    const fleet = new PlayedFleet()
    const opened = await open('#/fleet', { fleet })
    const { page } = opened
    await page.getByRole('article', { name: 'Cap of orders' }).waitFor()
    Object.assign(fleet, { status: 500, answer: { title: 'A fault', code: 'internal' } })
    await page.getByText('The service does not tell of its fleet.').waitFor()
    await page.getByText('500 internal').waitFor()
    await page.getByRole('article', { name: 'Cap of orders' }).waitFor()
    await opened.show('#/targets')
    await opened.button('Pause ledger').waitFor()
    expect(await page.locator('.link-banner.live').count()).toBe(1)
  })

  test('without caps says how there would be one', async () => {
    const fleet = new PlayedFleet()
    fleet.answer = { ...PLAYED_FLEET, instances: [], caps: {} }
    const { page } = await open('#/fleet', { fleet })
    await page.getByText('No target has a cap. Name one under fleet.caps').waitFor()
    await page.getByText('The engine knows none yet.').waitFor()
  })
})

describe('a service that stands alone', () => {
  test('is asked once, and shows nothing of a fleet', async () => {
    const fleet = new PlayedFleet()
    fleet.answer = { state: 'alone', name: null, instances: [], caps: {} }
    const opened = await open('#/fleet', { fleet })
    const { page } = opened
    await page.getByText('This service stands alone').waitFor()
    const looks = async (): Promise<void> => {
      await page.waitForResponse(answer => answer.url().endsWith('/v1/stats'))
    }
    for (let round = 0; round < 2; round++) await looks()
    expect(fleet.asked).toBe(1)
    expect(await link(opened).count()).toBe(0)
  })

  test('may be another after it was away, which is of a fleet', async () => {
    const fleet = new PlayedFleet()
    fleet.answer = { state: 'alone', name: null, instances: [], caps: {} }
    const opened = await open('#/fleet', { fleet })
    const { page } = opened
    await page.getByText('This service stands alone').waitFor()
    await page.route('**/v1/stats', route => route.abort())
    await page.locator('.link-banner.lost').waitFor()
    fleet.answer = PLAYED_FLEET
    await page.unroute('**/v1/stats')
    // It may be found before that.
    await opened
      .button('Retry now')
      .click({ timeout: 2_000 })
      .catch(() => {})
    await page.getByRole('article', { name: 'Cap of orders' }).waitFor()
  })

  test('itself answers so', async () => {
    const opened = await open('#/fleet')
    await opened.page.getByText('This service stands alone').waitFor()
    expect(await link(opened).count()).toBe(0)
    expect(opened.errors).toEqual([])
  })
})

test('who is no admin is not shown the fleet, and nothing asks for it', async () => {
  const fleet = new PlayedFleet()
  const opened = await open('#/fleet', { fleet, token: SHOP_TOKEN })
  await opened.page.getByText('An admin alone may look at the fleet.').waitFor()
  expect([fleet.asked, await link(opened).count()]).toEqual([0, 0])
})
