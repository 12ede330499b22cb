import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest, longest first: begun first, so that at the end no worker is left alone with one of them.
 * Of files that are not named the larger ones begin first.
 */
const LONGEST = [
  'e2e/src/reasons/reasons.test.ts',
  'packages/appliance/src/lifecycle/rehearse.real.test.ts',
  'packages/appliance/src/lifecycle/update-app.real.test.ts',
  'e2e/src/appliance/updates.test.ts',
  'e2e/src/appliance/rehearsal-verdicts.test.ts',
  'e2e/src/matrix/matrix.test.ts',
  'e2e/src/writer/sabotage.test.ts',
  'e2e/src/appliance/life.test.ts',
  'e2e/src/writer/writer.test.ts',
  'e2e/src/faults/faults.test.ts',
  'packages/appliance/src/storage/directory.real.test.ts',
  'e2e/src/appliance/daemon.test.ts',
  'e2e/src/appliance/broken-applications.test.ts',
  'e2e/src/disk/full-disk.test.ts',
  'e2e/src/canaries/canaries.test.ts',
  'packages/appliance/src/lifecycle/trouble.real.test.ts',
  // It makes the images of the examples, which the last one needs too.
  'e2e/src/third-party/third-party.engine.test.ts',
]
/** Begun last. */
const LAST = ['e2e/src/machine/containers.engine.test.ts']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((path) => moduleId.endsWith(path))
      if (place >= 0) return place
      return LAST.some((path) => moduleId.endsWith(path)) ? LONGEST.length + 1 : LONGEST.length
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/** What runs containers: each file has an engine of its own, but all of these share the packet filter of the machine. */
const CONTAINERS = [
  'packages/appliance/src/runtime/docker/**/*.engine.test.ts',
  'e2e/src/docker/**/*.engine.test.ts',
  'e2e/src/third-party/**/*.engine.test.ts',
  'e2e/src/update/**/*.engine.test.ts',
  'e2e/src/matrix/matrix.engine.test.ts',
  'e2e/src/engines/writer.engine.test.ts',
  'packages/appliance/src/lifecycle/*docker*.engine.test.ts',
]

/**
 * `unit` is pure and shares one module graph per thread; `real` starts processes, databases and browsers, each file
 * isolated. Both need neither root nor Docker. `containers` and `engines` need root on Debian and what
 * `scripts/engines.mjs` installs: an engine of containers; file systems, Caddy, ACME, whole machines.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts'],
          exclude: ['**/*.real.test.ts', '**/*.engine.test.ts'],
          pool: 'threads',
          isolate: false,
          maxWorkers: '100%',
          // Property tests on a busy machine: slow is no failure.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
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
          // These mostly wait for processes. Each has folders, ports and processes of its own; one file alone
          // (e2e/src/reasons) uses the ports 80 and 443.
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'containers',
          include: CONTAINERS,
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'engines',
          include: ['packages/*/src/**/*.engine.test.ts', 'e2e/src/**/*.engine.test.ts'],
          exclude: CONTAINERS,
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
