/** Explores scenes in full, and prints at the end of the file how many there were and how large. */
import { afterAll } from 'vitest'
import { explore, type Scene } from './interleavings.ts'

/** To be called once in a test file; what it returns throws FaultFound where a scene has a fault. */
export function countingExplorer(): (scenes: readonly Scene[]) => void {
  const explored = { scenes: 0, states: 0, interleavings: 0n }
  afterAll(() => {
    const { scenes, states, interleavings } = explored
    process.stdout.write(`explored ${scenes} scenes, ${states} states, ${interleavings} interleavings\n`)
  })
  return scenes => {
    for (const scene of scenes) {
      const { states, interleavings } = explore(scene)
      explored.scenes++
      explored.states += states
      explored.interleavings += interleavings
    }
  }
}
