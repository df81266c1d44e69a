/** The listener of `metrics.listen`: the metrics alone, beside the API. */
import { chmod } from 'node:fs/promises'
import { LIMITS } from '../base/limits.ts'
import { stderrLog } from '../base/stderr-log.ts'
import { formatAddress } from '../config/address.ts'
import type { Config } from '../config/config.ts'
import { HostPolicy } from '../http/door/hosts.ts'
import { prepareUnixSocket } from '../http/door/unix-socket.ts'
import { buildMetricsApp } from '../http/metrics-app.ts'
import type { MetricsPort } from '../http/ports.ts'

export type MetricsListener = {
  /** Where this process is not to dial itself. */
  readonly own: readonly { readonly address: string; readonly port: number }[]
  /** Takes other configured names, from the next request on. */
  replaceHosts(hosts: Config['http']['hosts']): void
  close(): Promise<void>
}

/** Null where none is asked for. Errors: the system's. */
export async function openMetricsListener(
  { metrics: { listen }, http: { hosts }, logLevel }: Config,
  metrics: MetricsPort,
): Promise<MetricsListener | null> {
  if (listen === undefined) return null
  const log = { level: logLevel, stream: stderrLog() }
  const policy = new HostPolicy({ listen, hosts, origins: [], tls: false })
  const app = buildMetricsApp({ policy, metrics, log })
  const replaceHosts: MetricsListener['replaceHosts'] = named => policy.replace({ hosts: named, origins: [] })
  const close = async (): Promise<void> => {
    const cut = setTimeout(() => app.server.closeAllConnections(), LIMITS.httpCloseMs)
    try {
      await app.close()
    } finally {
      clearTimeout(cut)
    }
  }
  const listenTextResolver = (address: string): string => `metrics are served at ${address}/metrics`
  if (listen.kind === 'unix') {
    await prepareUnixSocket(listen.path)
    const { path } = listen
    await app.listen({ path, listenTextResolver: () => `metrics are served at ${formatAddress(listen)}` })
    await chmod(path, 0o600)
    return { own: [], replaceHosts, close }
  }
  const { host, port } = listen
  await app.listen({ host, port, listenTextResolver })
  const bound = app.server.address()
  const own = typeof bound === 'object' && bound ? [bound] : []
  return { own, replaceHosts, close }
}
