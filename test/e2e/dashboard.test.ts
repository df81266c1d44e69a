/** Every control of the dashboard, in Chromium, against a service that runs. */
import type { Browser } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { jsonOf, problemOf } from '../support/api.ts'
import { buildDashboard, DashboardPage, startChromium } from '../support/dashboard-browser.ts'
import {
  type DashboardScene,
  OPS_TOKEN,
  SHOP_TOKEN,
  startDashboardScene,
} from '../support/dashboard-scene.ts'
import { requireProgram } from '../support/own-program.ts'
import { refusingPort } from '../support/test-server.ts'

let dashboard = ''
let browser: Browser | null = null
let scene: DashboardScene

beforeAll(async () => {
  const chromium = await requireProgram('chromium', 'the package chromium', () => null as never)
  if (chromium === null) return
  dashboard = await buildDashboard(afterFile)
  browser = await startChromium(chromium, afterFile)
  scene = await startDashboardScene({ dashboard, finally: afterFile })
  afterFile(async () => (await shared)?.close())
})

beforeEach(({ skip }) => skip(browser === null, 'there is no chromium'))

let shared: Promise<DashboardPage> | null = null

/** The page that an admin has open all the while, at another place, and with nothing said on it. */
async function visit(hash: string): Promise<DashboardPage> {
  if (browser === null) throw new Error('there is no chromium')
  shared ??= DashboardPage.open(browser, scene.service.url, { path: `#token=${OPS_TOKEN}` })
  const opened = await shared
  await opened.live()
  const dismiss = opened.page.getByRole('button', { name: /^Dismiss/ })
  for (const button of await dismiss.all()) await button.click({ timeout: 1_000 }).catch(() => {})
  opened.errors.length = 0
  await opened.show(hash)
  return opened
}

/** A page of its own, as somebody has it who came with a token. */
async function open(hash: string | null, token: string = OPS_TOKEN, of: DashboardScene = scene) {
  if (browser === null) throw new Error('there is no chromium')
  const opened = await DashboardPage.open(browser, of.service.url, { path: `#token=${token}` })
  onTestFinished(() => opened.close())
  await opened.live()
  if (hash !== null) await opened.show(hash)
  return opened
}

const stateOf = async (target: string): Promise<string> =>
  jsonOf<{ state: string }>(await scene.service.api.get(`/v1/targets/${target}`)).state

describe('the token', () => {
  test('is asked for, told to be wrong, kept in the tab alone, and forgotten', async () => {
    if (browser === null) throw new Error('there is no chromium')
    const { page, ...opened } = await DashboardPage.open(browser, scene.service.url)
    onTestFinished(() => page.context().close())
    const field = page.getByLabel('Token', { exact: true })
    await field.fill('a wrong one')
    await page.keyboard.press('Enter')
    await page.getByText('The service does not know this token.').waitFor()
    await field.fill(OPS_TOKEN)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'By target' }).waitFor()
    const kept = '[Object.values(localStorage).join(), document.cookie, sessionStorage.length]'
    expect(await page.evaluate(kept)).toEqual(['', '', 1])
    await page.reload()
    await page.getByRole('heading', { name: 'By target' }).waitFor()
    await page.getByRole('button', { name: 'Forget token' }).click()
    await field.waitFor()
    expect(await page.evaluate('sessionStorage.length')).toBe(0)
    expect(opened).toBeDefined()
  })

  test('that comes in the address leaves it, and nothing goes to any other host', async () => {
    const opened = await open(null)
    const { page } = opened
    await page.getByRole('link', { name: 'orders' }).waitFor()
    expect(page.url()).toBe(`${scene.service.url}/dashboard`)
    // One that is put into a page that is open does so too.
    await opened.show(`#token=${SHOP_TOKEN}`)
    await page.getByText('Your token is no admin’s').waitFor()
    expect(page.url()).toBe(`${scene.service.url}/dashboard`)
    await opened.show(`#token=${OPS_TOKEN}`)
    await opened.button('Pause ledger').waitFor()
    opened.errors.length = 0
    for (const view of ['leases', 'connections', 'workers', 'exchange', 'targets/orders']) {
      await opened.show(`#/${view}`)
      await page.locator('main h1').waitFor()
    }
    expect([...opened.origins]).toEqual([opened.origin])
    expect(opened.errors).toEqual([])
  })

  test('of no admin shows what is its own, and says what it may not do', async () => {
    const lease = await scene.shop.lease('orders')
    const other = await scene.service.api.lease('ledger')
    onTestFinished(async () => void (await other.release('?discard=true')))
    const opened = await open('#/targets', SHOP_TOKEN)
    const { page } = opened
    await page.getByText('Your token is no admin’s').waitFor()
    await page.getByRole('article', { name: 'orders' }).waitFor()
    expect(await page.getByRole('article').count()).toBe(2)
    expect(await page.getByRole('button', { name: /^(Pause|Resize|Reconnect)/ }).count()).toBe(0)
    await opened.show(`#/connections/${lease.view.connection.id}`)
    await page.getByText('An admin alone may look into a connection.').waitFor()
    await opened.show('#/leases')
    await opened.button(`Kill the lease on ${lease.view.connection.id}`).click()
    expect(await page.locator('tbody tr').count()).toBe(1)
    await page.getByRole('dialog').getByRole('button', { name: 'Kill' }).click()
    await page.getByText('Nobody holds a lease right now.').waitFor()
    expect(problemOf(await lease.look())).toMatchObject({ code: 'lease_gone', reason: 'killed' })
    expect((await other.look()).status).toBe(200)
  })
})

describe('a target', () => {
  test('shows its connections by state and its waiters as they change', async () => {
    const opened = await visit('#/targets')
    const card = opened.page.getByRole('article', { name: 'ledger' })
    const bar = card.getByRole('img')
    await bar.and(card.locator('[aria-label^="0 of 4 connections"]')).waitFor()
    const leases = await Promise.all([1, 2, 3, 4].map(() => scene.service.api.lease('ledger')))
    await card.locator('[aria-label^="4 of 4 connections: 0 connecting, 0 idle, 4 leased"]').waitFor()
    const waiting = scene.service.api.lease('ledger')
    await card.locator('dd').first().getByText('1', { exact: true }).waitFor()
    await leases[0]?.release('?discard=true')
    leases[0] = await waiting
    await card.locator('dd').first().getByText('0', { exact: true }).waitFor()
    await Promise.all(leases.map(lease => lease.release('?discard=true')))
    await card.locator('[aria-label^="0 of 4 connections"]').waitFor()
    const held = opened.page.getByRole('img', { name: /^All targets: 5 leases ended/ })
    await held.waitFor()
    await opened.page.getByRole('img', { name: /callers last waited [\d.]+ (µs|ms)/ }).waitFor()
    expect(opened.errors).toEqual([])
  })

  test('is paused after a question, and resumed, by keyboard alone', async () => {
    const opened = await visit('#/targets')
    const { page } = opened
    const pause = opened.button('Pause ledger')
    await pause.focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Pause ledger?' })
    await dialog.waitFor()
    expect(await page.evaluate('document.querySelector("dialog").contains(document.activeElement)')).toBe(
      true,
    )
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('Pause ledger')
    expect(await stateOf('ledger')).toBe('active')
    await page.keyboard.press('Enter')
    await dialog.waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('ledger is paused.').waitFor()
    expect(await stateOf('ledger')).toBe('paused')
    await opened.button('Resume ledger').waitFor()
    expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('Resume ledger')
    await page.keyboard.press('Enter')
    await opened.button('Pause ledger').waitFor()
    expect(await stateOf('ledger')).toBe('active')
  })

  test.each([
    ['Disable', 'ledger is disabled.', 'disabled'],
    ['Enable', 'ledger is enabled.', 'active'],
    ['Drain', 'ledger is drained.', 'draining'],
    ['Enable', 'ledger is enabled.', 'active'],
  ])('hears %s', async (verb, told, state) => {
    const opened = await visit('#/targets/ledger')
    const { page } = opened
    await opened.button(`${verb} ledger`).click()
    if (verb !== 'Enable') await page.getByRole('dialog').getByRole('button', { name: verb }).click()
    await page.getByText(told).waitFor()
    expect(await stateOf('ledger')).toBe(state)
    await page.locator('.card-head .badge').first().getByText(state).waitFor()
    expect(opened.errors).toEqual([])
  })

  test('is reconnected, and says why its connections were closed', async () => {
    const { api } = scene.service
    const json = { target: 'ledger', write: { text: 'x\n' } }
    await api.post('/v1/exchange', { json })
    const opened = await visit('#/targets/ledger')
    const { page } = opened
    await page.locator('.bar[aria-label*=" 1 idle"]').waitFor()
    await opened.button('Reconnect ledger').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Reconnect' }).click()
    await page.getByText('ledger is reconnected. One connection closed.').waitFor()
    const reasons = page.getByRole('region', { name: 'Closed so far, by reason' })
    await reasons.getByText('reconnect', { exact: true }).waitFor()
    const { closed } = jsonOf<{ closed: object }>(await api.get('/v1/targets/ledger'))
    expect(closed).toMatchObject({ reconnect: 1 })
    expect(opened.errors).toEqual([])
  })

  test('is resized, and what is wrong stands beside its field', async () => {
    const opened = await visit('#/targets')
    const { page } = opened
    await opened.button('Resize ledger').click()
    const dialog = page.getByRole('dialog', { name: 'Resize ledger' })
    const [least, most] = [dialog.getByLabel('Least connections'), dialog.getByLabel('Most connections')]
    await least.fill('7')
    await dialog.getByText('no more than the most').waitFor()
    expect(await least.getAttribute('aria-invalid')).toBe('true')
    await least.fill('0')
    await most.fill('999999')
    await page.keyboard.press('Enter')
    // The service says what the page does not know.
    await dialog
      .locator('.fault')
      .getByText(/65.?536|at most|to/)
      .waitFor()
    expect(await most.getAttribute('aria-invalid')).toBe('true')
    await most.fill('3')
    await dialog.getByRole('button', { name: 'Resize' }).click()
    await page.getByText('ledger has 0 to 3 connections now.').waitFor()
    const { connections } = jsonOf<{ connections: object }>(await scene.service.api.get('/v1/targets/ledger'))
    expect(connections).toMatchObject({ min: 0, max: 3 })
    await page.getByRole('article', { name: 'ledger' }).locator('[aria-label*=" of 3 connections"]').waitFor()
  })

  test('that cannot be dialled shows an open breaker, and tells of it', async () => {
    const opened = await visit('#/targets')
    const { page } = opened
    const json = { target: 'archive', write: { text: 'x' }, read: 'line' }
    expect(problemOf(await scene.service.api.post('/v1/exchange', { json })).code).toBe('connect_refused')
    await page.getByRole('alert').getByText('The breaker of archive is open').waitFor()
    await page.getByRole('article', { name: 'archive' }).getByText('breaker open').waitFor()
    const notice = page.getByRole('alert').getByText('The breaker of archive is open')
    await page.getByRole('button', { name: /^Dismiss: The breaker/ }).click()
    await notice.waitFor({ state: 'detached' })
  })

  test('whose connections are shared shows how many callers share them', async () => {
    const json = { target: 'cache', write: { text: 'x\n' } }
    await scene.shop.post('/v1/exchange', { json })
    const opened = await visit('#/targets')
    const card = opened.page.getByRole('article', { name: 'cache' })
    await card.locator('[aria-label*="1 multiplexed"]').waitFor()
    await card.getByText('in flight').waitFor()
  })
})

describe('leases and connections', () => {
  test('are told with holder, time, last operation and bytes, found by typing, and killed', async () => {
    const { api } = scene.service
    const lease = await api.lease('ledger')
    const other = await scene.shop.lease('orders')
    onTestFinished(async () => void (await other.release('?discard=true')))
    await lease.call('write', { body: 'hello\n' })
    await lease.call('readline')
    const opened = await visit('#/leases')
    const { page } = opened
    await page.getByLabel('Find in all leases').fill('ledger')
    const row = page.locator('tbody tr')
    await row.getByText('readline').waitFor()
    expect((await row.allInnerTexts()).join()).toMatch(/ops\s+ledger\s+\d+ s\s+\d+ s\s+readline\s+6 B\s+6 B/)
    expect(await page.content()).not.toContain(lease.view.id)
    await opened.button(`Kill the lease on ${lease.view.connection.id}`).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    expect((await lease.look()).status).toBe(200)
    await opened.button(`Kill the lease on ${lease.view.connection.id}`).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Kill' }).click()
    await page.getByText('Nothing here has “ledger” in it.').waitFor()
    expect(problemOf(await lease.look())).toMatchObject({ code: 'lease_gone', reason: 'killed' })
    await page.getByLabel('Find in all leases').fill('')
    await row.getByText('shop').waitFor()
  })

  test('have a flight recorder, which still stands there when the connection is gone', async () => {
    const { api } = scene.service
    const lease = await api.lease('ledger')
    await lease.call('write', { body: 'hello\n' })
    await lease.call('readline')
    const { id } = lease.view.connection
    const opened = await visit('#/connections')
    const { page } = opened
    await page.getByRole('link', { name: id, exact: true }).click()
    await page.getByRole('heading', { name: `Connection ${id}` }).waitFor()
    const operations = page.locator('tbody tr')
    await operations.getByText('readline').waitFor()
    const told = await operations.locator('td:nth-child(2)').allInnerTexts()
    expect(told.slice(0, 4)).toEqual(['readline', 'write', 'lease', 'connect'])
    await opened.button('Kill connection').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Kill' }).click()
    await page.getByText('This connection is gone.').waitFor()
    await page.getByText('connection_not_found').waitFor()
    await operations.getByText('readline').waitFor()
    expect(problemOf(await lease.look()).code).toBe('lease_gone')
  })
})

describe('workers', () => {
  test('are shown with their utilization, and an I/O worker is replaced', async () => {
    const { api } = scene.service
    const rows = async () =>
      jsonOf<{ workers: { kind: string; threadId: number }[] }>(await api.get('/v1/workers')).workers
    const [before] = await rows()
    await api.post('/v1/parse/json', { body: `[${'1,'.repeat(2_000)}1]` })
    const opened = await visit('#/workers')
    const { page } = opened
    await page.getByRole('region', { name: 'I/O workers' }).getByText(/\d %/).first().waitFor()
    await page.getByRole('region', { name: 'Parse workers' }).getByText('inputs').waitFor()
    const threads = (await rows()).filter(({ kind }) => kind === 'http')
    const shown = page.getByRole('region', { name: 'HTTP threads' }).locator('tbody tr')
    await shown
      .getByText(threads.length === 0 ? 'The main thread serves HTTP alone.' : /^\d+$/)
      .first()
      .waitFor()
    await opened.button('Replace I/O worker 0').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click()
    await page.getByText('I/O worker 0 is replaced.').waitFor()
    expect((await rows())[0]?.threadId).not.toBe(before?.threadId)
    expect(opened.errors).toEqual([])
  })
})

describe('an exchange by hand', () => {
  test('shows the reply as text and as hex, and the bytes that were typed either way', async () => {
    const opened = await visit('#/targets/orders')
    const { page } = opened
    await page.getByRole('link', { name: 'Try an exchange' }).click()
    const send = opened.button('Exchange')
    const reply = (way: string) => page.getByRole('region', { name: `Reply as ${way}` })
    await page.getByLabel('Write', { exact: true }).fill('né\\x41\\n')
    await send.click()
    await reply('text').getByText('néA\\n').waitFor()
    expect(await reply('hex').innerText()).toContain('6e c3 a9 41 0a')
    await page.getByText(/^5 B in .* over a(nother)? .*connection/).waitFor()
    await page.getByRole('radio', { name: 'hex' }).check()
    await page.getByLabel('Write', { exact: true }).fill('00 ff 0a 3')
    await send.click()
    await page.getByText('a byte has two digits, and one is missing').waitFor()
    await page.getByLabel('Write', { exact: true }).fill('00 c3 a9 3b 0a')
    await page.getByLabel('Read', { exact: true }).selectOption('until')
    await page.getByLabel('Separator').fill('\\x3b')
    await page.keyboard.press('Enter')
    await reply('text').getByText('\\x00é;').waitFor()
    await page.getByLabel('Read', { exact: true }).selectOption('exactly')
    await page.getByLabel('Bytes').fill('none')
    await send.click()
    await page.getByText('a whole number of bytes').waitFor()
    expect(opened.errors).toEqual([])
  })

  test('shows a problem in full', async () => {
    const opened = await visit('#/exchange')
    const { page } = opened
    await page.getByLabel('Target').fill('orders')
    await page.getByLabel('Write', { exact: true }).fill('no end')
    await page.getByLabel('Time-out in ms').fill('50')
    await opened.button('Exchange').click()
    const report = page.getByRole('region', { name: 'Reply' })
    await report.getByText('504 read_timeout').waitFor()
    expect(await report.innerText()).toMatch(/bytesAccepted\s+6/)
    await page.getByLabel('Target').fill(`127.0.0.1:${await refusingPort()}`)
    await opened.button('Exchange').click()
    await report.getByText('403 target_denied').waitFor()
    await page.getByLabel('Target').fill('')
    await opened.button('Exchange').click()
    await page.getByText('the name of a target, or host:port').waitFor()
  })
})

describe('the page', () => {
  test('keeps the theme that was chosen', async () => {
    const opened = await open('#/targets')
    const { page } = opened
    const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
    const light = await ground()
    await page.getByLabel('Theme').selectOption('dark')
    expect(await ground()).not.toBe(light)
    await page.reload()
    await opened.live()
    expect(await page.getByLabel('Theme').inputValue()).toBe('dark')
    expect(await ground()).not.toBe(light)
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.getByLabel('Theme').selectOption('light')
    expect(await ground()).toBe(light)
  })

  test('is walked by keyboard, and the focus follows the views', async () => {
    const opened = await open('#/targets')
    const { page } = opened
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the view')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement.id')).toBe('main')
    await page.getByRole('link', { name: 'Workers' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Workers', exact: true }).waitFor()
    expect(await page.evaluate('[document.activeElement.id, document.title]')).toEqual([
      'main',
      'Workers · sockpool',
    ])
    expect(await page.locator('nav [aria-current="page"]').innerText()).toBe('Workers')
    await page.goBack()
    await page.getByRole('heading', { name: 'Targets', exact: true }).waitFor()
  })

  test('asks for nothing while it is hidden', async () => {
    const opened = await open('#/targets')
    const { page } = opened
    const cut = page.waitForEvent('requestfailed', request => request.url().endsWith('/v1/events'))
    const turn = (state: string) =>
      page.evaluate(`
        Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      `)
    await turn('hidden')
    await cut
    const followed = page.waitForRequest(request => request.url().endsWith('/v1/events'))
    await turn('visible')
    await followed
    await opened.live()
  })

  test('says that the service drains, that it is gone, and finds it again', async () => {
    const port = await refusingPort()
    const first = await startDashboardScene({ dashboard, port, finally: onTestFinished })
    const opened = await open('#/targets', OPS_TOKEN, first)
    const { page } = opened
    await opened.button('Pause ledger').waitFor()
    await first.service.api.lease('orders')
    const closed = first.service.close()
    await page.getByRole('status').getByText('The service drains').waitFor()
    await closed
    await page.getByRole('status').getByText('the service cannot be reached').waitFor()
    // What was known stands there.
    await page.getByRole('article', { name: 'ledger' }).waitFor()
    await startDashboardScene({ dashboard, port, finally: onTestFinished })
    // It may have been found before that.
    await opened
      .button('Retry now')
      .click({ timeout: 2_000 })
      .catch(() => {})
    await opened.live()
    await page.getByRole('status').getByText('Live', { exact: true }).waitFor()
  })
})
