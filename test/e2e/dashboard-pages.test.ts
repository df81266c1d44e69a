/** How `/dashboard` is served: to anybody under this service's Host, whole, and with nothing from elsewhere. */
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type Answer, problemOf } from '../support/api.ts'
import { buildDashboard } from '../support/dashboard-browser.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'

let dashboard = ''
let service: ServiceFixture
beforeAll(async () => {
  dashboard = await buildDashboard(afterFile)
  service = await startServiceFixture({ dashboard, finally: afterFile })
})

/** As a browser does it, which knows no token. */
function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return service.api.as(null).get(path, { headers })
}

function statusUnderHost(path: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, service.url), { headers: { host }, agent: false })
    outgoing.once('error', reject).once('response', incoming => {
      incoming.resume()
      resolve(incoming.statusCode ?? 0)
    })
    outgoing.end()
  })
}

/** The paths of what the page loads. */
function partsOf({ text }: Answer): readonly string[] {
  return [...text.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, path = '']) => path)
}

describe('/dashboard', () => {
  test.each(['/dashboard', '/dashboard/'])(
    'is at %s a page whose parts all come from this service',
    async path => {
      const page = await get(path)
      expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
      const parts = partsOf(page)
      expect(parts.map(part => part.replace(/^.*\.(\w+)$/, '$1')).toSorted()).toEqual(['css', 'js', 'svg'])
      for (const part of parts) {
        expect(part).toMatch(/^\/dashboard\/assets\/[\w-]+\.\w+$/)
        const { status, headers, bytes } = await get(part)
        expect([status, bytes.length > 100]).toEqual([200, true])
        expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      }
      expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/)
    },
  )

  test('lets nothing come from elsewhere, and be shown in no frame', async () => {
    const page = await get('/dashboard')
    for (const { headers } of [page, await get(partsOf(page)[0] ?? '')]) {
      const directives = (headers.get('content-security-policy') ?? '').split('; ')
      expect(directives).toContain("default-src 'self'")
      expect(directives).toContain("frame-ancestors 'none'")
      expect(directives.join()).not.toMatch(/unsafe|data:|https?:|\*/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
    }
  })

  test('is asked for anew each time, and sent where it has changed', async () => {
    const page = await get('/dashboard')
    expect(page.headers.get('cache-control')).toBe('no-cache')
    const etag = page.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{43}"$/)
    const known = await get('/dashboard', { 'if-none-match': `"other", W/${etag}` })
    expect([known.status, known.bytes.length]).toEqual([304, 0])
    expect((await get('/dashboard', { 'if-none-match': '"other"' })).status).toBe(200)
  })

  test('checks the Host, asks for no token, and opens nothing else', async () => {
    const [part = ''] = partsOf(await get('/dashboard'))
    const { host } = new URL(service.url)
    for (const path of ['/dashboard', part]) {
      expect(await statusUnderHost(path, host), path).toBe(200)
      expect(await statusUnderHost(path, 'evil.example'), path).toBe(403)
    }
    expect(problemOf(await get('/dashboard/nowhere')).code).toBe('unauthorized')
    expect(problemOf(await get('/dashboards')).code).toBe('unauthorized')
    expect(problemOf(await get('/dashboard/assets/nothing.js')).code).toBe('not_found')
    for (const path of ['..%2findex.html', '%2e%2e/index.html', '..%5cindex.html', '.%00'])
      expect((await get(`/dashboard/assets/${path}`)).status, path).toBeGreaterThanOrEqual(400)
    expect(problemOf(await service.api.as(null).post('/dashboard')).code).toBe('unauthorized')
  })

  test('answers HEAD', async () => {
    for (const path of ['/dashboard', partsOf(await get('/dashboard'))[0] ?? '']) {
      const head = await service.api.as(null).request('HEAD', path)
      expect([head.status, head.bytes.length]).toEqual([200, 0])
    }
  })

  test('says so where it is not built', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'sockpool-unbuilt-'))
    onTestFinished(() => rm(empty, { recursive: true }))
    const unbuilt = await startServiceFixture({ dashboard: empty, finally: onTestFinished })
    const problem = problemOf(await unbuilt.api.get('/dashboard'))
    expect([problem.status, problem.code]).toEqual([404, 'not_found'])
    expect(problem.detail).toContain('npm run build')
  })

  test('is the same where several threads serve HTTP', async () => {
    const threaded = await startServiceFixture({
      dashboard,
      config: { http: { threads: 2 } },
      finally: onTestFinished,
    })
    const page = await threaded.api.as(null).get('/dashboard')
    expect([page.status, page.headers.get('etag')]).toEqual([
      200,
      (await get('/dashboard')).headers.get('etag'),
    ])
  })
})
