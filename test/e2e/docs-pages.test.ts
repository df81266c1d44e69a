/** `/docs`: the API in a browser, which needs nothing that this service does not have. */
import { request } from 'node:http'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterFile } from '../support/after-file.ts'
import { type Answer, problemOf } from '../support/api.ts'
import { type ServiceFixture, startServiceFixture } from '../support/service-fixture.ts'

let service: ServiceFixture
beforeAll(async () => {
  service = await startServiceFixture({ finally: afterFile })
})

/** As a browser does it, which knows no token. */
function get(path: string): Promise<Answer> {
  return service.api.as(null).get(path)
}

/** What a page loads, by the address from which a browser loads it. */
function loadedBy(html: string, page: string): readonly URL[] {
  return [...html.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, link = '']) => new URL(link, page))
}

/** The sources that a policy allows, by directive. */
function policyOf({ headers }: Answer): ReadonlyMap<string, readonly string[]> {
  const text = headers.get('content-security-policy') ?? ''
  return new Map(
    text.split(';').map(part => {
      const [directive = '', ...sources] = part.trim().split(' ')
      return [directive, sources] as const
    }),
  )
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

describe('/docs', () => {
  test.each(['/docs', '/docs/'])('is at %s a page whose parts all come from this service', async path => {
    const page = await get(path)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toMatch(/^text\/html/)
    const loaded = loadedBy(page.text, new URL(path, service.url).href)
    expect(loaded.length).toBeGreaterThan(4)
    for (const { origin, pathname } of loaded) {
      expect(origin).toBe(new URL(service.url).origin)
      const asset = await get(pathname)
      expect(asset.status, pathname).toBe(200)
      expect(asset.bytes.length, pathname).toBeGreaterThan(50)
    }
    // No script stands in the page itself: the policy would stop it.
    expect(page.text).not.toMatch(/<script(?![^>]*\bsrc=)/)
    expect(page.text).not.toMatch(/\son\w+=|style=/)
  })

  test('lets nothing come from elsewhere, and nothing go elsewhere', async () => {
    const page = await get('/docs')
    for (const path of ['/docs', '/docs/static/swagger-ui-bundle.js', '/docs/static/theme/token.js']) {
      const answer = await get(path)
      const policy = policyOf(answer)
      expect(policy.get('default-src')).toEqual(["'none'"])
      expect(policy.get('script-src')).toEqual(["'self'"])
      expect(policy.get('connect-src')).toEqual(["'self'"])
      const sources = new Set([...policy.values()].flat())
      expect([...sources].toSorted()).toEqual(["'none'", "'self'", 'data:'])
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
    const styles = loadedBy(page.text, new URL('/docs', service.url).href).filter(({ pathname }) =>
      pathname.endsWith('.css'),
    )
    expect(styles.length).toBe(2)
    for (const { pathname } of styles) {
      const { text } = await get(pathname)
      const urls = [...text.matchAll(/(?:url\(|@import )\s*["']?([^"')\s]{1,40})/g)].map(
        ([, url = '']) => url,
      )
      expect(urls.filter(url => !url.startsWith('data:'))).toEqual([])
    }
    const initializer = (await get('/docs/static/swagger-initializer.js')).text
    expect(initializer).not.toMatch(/https?:\/\/(?!stackoverflow)/)
    expect(initializer).toContain('validatorUrl: null')
  })

  test('shows the document that the service has of itself', async () => {
    const shown = await get('/docs/json')
    const own = await service.api.get('/openapi.json')
    expect(shown.status).toBe(200)
    expect(shown.text).toBe(own.text)
  })

  test('checks the Host, asks for no token, and opens nothing else', async () => {
    expect(await statusUnderHost('/docs', new URL(service.url).host)).toBe(200)
    expect(await statusUnderHost('/docs', 'evil.example')).toBe(403)
    expect(await statusUnderHost('/docs/static/swagger-ui.css', 'evil.example')).toBe(403)
    expect(problemOf(await get('/docs/nowhere')).code).toBe('unauthorized')
    expect(problemOf(await get('/docsx')).code).toBe('unauthorized')
    expect(problemOf(await get('/openapi.json')).code).toBe('unauthorized')
    expect(problemOf(await get('/docs/static/nothing.js')).code).toBe('not_found')
    for (const path of ['..%2f..%2fpackage.json', '%2e%2e/%2e%2e/package.json', '..%5cpackage.json']) {
      const { status } = await get(`/docs/static/${path}`)
      expect(status, path).toBeGreaterThanOrEqual(400)
      expect(status, path).toBeLessThan(500)
    }
    const posted = await service.api.as(null).post('/docs')
    expect(problemOf(posted).code).toBe('unauthorized')
  })

  test('answers HEAD', async () => {
    const head = await service.api.as(null).request('HEAD', '/docs/static/swagger-ui.css')
    expect([head.status, head.bytes.length]).toEqual([200, 0])
  })
})
