/** A connection to a test's own engine, as an instance has one. */
import { onTestFinished } from 'vitest'
import { Engine, type EngineEvents } from '../../src/fleet/engine.ts'
import { loadEngineClient } from '../../src/fleet/engine-client.ts'

/** Reaches for it, and closes it with its test. */
export async function openEngine(
  url: string,
  events: Partial<EngineEvents> = {},
  packages?: readonly string[],
): Promise<Engine> {
  const Client = await loadEngineClient(packages)
  const engine = new Engine(Client, url, {
    onBack: () => {},
    onAway: () => {},
    onNews: () => {},
    ...events,
  })
  onTestFinished(() => engine.close())
  await engine.open()
  return engine
}
