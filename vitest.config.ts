import { defineConfig } from 'vitest/config'

/**
 * Three projects: `unit` is pure and shares one module graph per thread; `real` starts processes, databases and
 * browsers, each file isolated. Both need neither root nor Docker. `engines` needs root on Debian and what
 * `scripts/engines.mjs` installs: containers, file systems, Caddy, ACME, whole machines.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'],
          exclude: ['**/*.real.test.ts', '**/*.engine.test.ts'],
          pool: 'threads',
          isolate: false,
          // Property tests on a busy machine: slow is no failure.
          testTimeout: 60_000,
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
          exclude: ['**/*.engine.test.ts'],
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'engines',
          include: ['packages/*/src/**/*.engine.test.ts', 'e2e/src/**/*.engine.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
