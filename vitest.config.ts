import { defineConfig } from 'vitest/config'

/**
 * Two projects: `unit` is pure and shares one module graph per thread; `real` starts processes, databases and
 * browsers, each file isolated. Both need neither root nor Docker.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'],
          exclude: ['**/*.real.test.ts'],
          pool: 'threads',
          isolate: false,
        },
      },
      {
        test: {
          name: 'real',
          include: [
            'packages/*/src/**/*.real.test.ts',
            'apps/*/src/**/*.real.test.ts',
            'e2e/src/**/*.test.ts',
          ],
          exclude: ['e2e/src/root/**'],
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
