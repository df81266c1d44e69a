/** The service as a process, in front of an upstream whose side the test speaks; one for all tests of a file. */
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { Api, HeldLease, LeaseWishes } from './api.ts'
import { type ServiceProcess, type ServiceProcessOptions, startServiceProcess } from './service-process.ts'
import { type Peer, startUpstream, type Upstream } from './upstream.ts'

export type ScriptedService = {
  readonly api: Api
  readonly service: ServiceProcess
  readonly upstream: Upstream
  /** A lease, discarded when the test ends, and the other end of its connection. */
  leased(target?: string, wishes?: LeaseWishes): Promise<{ readonly lease: HeldLease; readonly peer: Peer }>
}

/**
 * Starts both before the tests of the calling file and ends them after. `options` gets the place of the upstream;
 * default: the target `script`, never reused.
 */
export function useScriptedService(
  options: (place: { readonly host: string; readonly port: number }) => ServiceProcessOptions = place => ({
    config: { targets: { script: { ...place, pool: { max: 50 } } } },
  }),
): ScriptedService {
  let running: { readonly service: ServiceProcess; readonly upstream: Upstream } | undefined
  const parts = (): NonNullable<typeof running> => {
    if (!running) throw new Error('the service runs only while tests do')
    return running
  }
  beforeAll(async () => {
    const upstream = await startUpstream()
    const { host, port } = upstream
    running = { upstream, service: await startServiceProcess(options({ host, port })) }
  })
  afterAll(async () => {
    await running?.service.stop()
    await running?.upstream.close()
  })
  return {
    get api() {
      return parts().service.api
    },
    get service() {
      return parts().service
    },
    get upstream() {
      return parts().upstream
    },
    leased: async (target = 'script', wishes = {}) => {
      const { service, upstream } = parts()
      const lease = await service.api.lease(target, wishes)
      onTestFinished(async () => void (await lease.release('?discard=true')))
      return { lease, peer: await upstream.from(lease.view.connection.localPort) }
    },
  }
}
