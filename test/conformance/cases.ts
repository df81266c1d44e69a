/** All cases of the suite, in the order of its table. */
import { optionCases } from './cases/options.ts'
import { readCases } from './cases/reads.ts'
import { separatorCases } from './cases/separators.ts'
import { shapeCases } from './cases/shapes.ts'
import { waitCases } from './cases/waits.ts'
import { writeCases } from './cases/writes.ts'
import type { Case } from './transport.ts'

export const CASES: readonly Case[] = [
  ...readCases,
  ...separatorCases,
  ...waitCases,
  ...optionCases,
  ...shapeCases,
  ...writeCases,
]
