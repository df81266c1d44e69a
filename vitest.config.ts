import { defineConfig } from 'vitest/config'

const project = (name: string, testTimeout: number): object => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, pool: 'forks' },
})

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/*.test.ts', 'test/unit/**/*.test.ts'], testTimeout: 10_000, pool: 'forks' } },
      project('property', 60_000),
      project('threads', 60_000),
      project('e2e', 120_000),
    ],
  },
})
