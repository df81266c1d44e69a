import { expect, test } from 'vitest'
import { changes } from '../soak/changes.ts'
import { CHANGES } from '../soak/scales.ts'
import { watchLeaks } from '../support/leak-watch.ts'

test('no call fails while its pool is reloaded, drained, reconnected, resized, and loses its I/O workers', async () => {
  watchLeaks()
  const { violations, figures } = await changes({ ...CHANGES.small, seed: Math.floor(Math.random() * 1e6) })
  expect(violations).toEqual([])
  expect(figures).toMatchObject({ changes: 13 })
})
