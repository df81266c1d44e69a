/**
 * Files of the unit project share a process, as to load the sources again for each costs more than to run its tests. What one
 * has left of clocks, of stand-ins, or of the environment is undone before the next.
 */
import { vi } from 'vitest'

vi.useRealTimers()
vi.restoreAllMocks()
vi.unstubAllEnvs()
vi.unstubAllGlobals()
