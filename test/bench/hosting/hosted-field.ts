/** The field of a row whose contenders all have a process of their own. */
import type { Field } from '../rounds.ts'
import { type Hosted, type HostedInput, startHosted } from './hosted.ts'

export type Closable = { readonly close: () => Promise<void> }

/** `peer`: what they all use, closed after them. */
export async function fieldOf(
  peer: Closable | null,
  inputs: readonly HostedInput[],
  notes: readonly string[] = [],
): Promise<Field> {
  const contenders: Hosted[] = []
  for (const input of inputs) contenders.push(await startHosted(input))
  return {
    contenders,
    notes,
    close: async () => {
      await Promise.all(contenders.map(contender => contender.close()))
      await peer?.close()
    },
  }
}
