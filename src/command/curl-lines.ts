/** The three `curl` lines that `serve --demo` prints: each works in any shell as it stands. */

/**
 * `url` is the service's, `unix:PATH` included. `authorization` is what stands behind `Bearer`: a token, a shell
 * variable, or null where the service asks for none.
 */
export function curlLines(url: string, authorization: string | null): readonly string[] {
  const isUnix = url.startsWith('unix:')
  const base = isUnix ? 'http://localhost' : url.replace(/\/+$/, '')
  const post = (path: string, body: unknown, ...more: readonly string[]): string =>
    [
      'curl -sS',
      ...(isUnix ? [`--unix-socket ${quote(url.slice('unix:'.length))}`] : []),
      // Double quotes, so that a shell variable in place of a token is replaced.
      ...(authorization === null ? [] : [`-H "Authorization: Bearer ${authorization}"`]),
      "-H 'Content-Type: application/json'",
      ...more,
      `-d ${quote(JSON.stringify(body))}`,
      quote(`${base}${path}`),
    ].join(' ')
  const hello = { write: { text: 'hello\n' }, read: 'line' }
  return [
    post('/v1/exchange', { target: 'demo', ...hello }),
    post('/v1/exchange', { target: 'demo-tls', ...hello }, "-H 'Accept: application/json'"),
    post('/v1/leases', { target: 'demo' }),
  ]
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
