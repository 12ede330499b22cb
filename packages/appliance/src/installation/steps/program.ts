import { dirname, join } from 'node:path'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { defineStep } from '@caretaker/steps/step.ts'

const ROOT = { uid: 0, gid: 0 }

/** Copies Node, pnpm and Postgres; builds that bring the same versions share them. */
export const installPrograms = ({ files }: Pick<Ports, 'files'>) =>
  defineStep<{ readonly from: string; readonly to: string }, null>({
    kind: 'install.programs',
    describe: ({ to }) => `Copy Node, pnpm and Postgres to ${to}`,
    async check({ to }) {
      return (await files.stat(to)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ from, to }) {
      const fresh = `${to}.tmp`
      await files.makeFolder(dirname(to), 0o755)
      await files.remove(fresh)
      await files.copyTree(from, fresh)
      // They may have been built by an ordinary user.
      await files.setOwner(fresh, ROOT)
      await files.rename(fresh, to)
      await files.sync(dirname(to))
    },
    undo: async ({ to }) => files.remove(to),
    timeoutMs: 15 * MINUTE_MS,
  })

type ProgramInput = { readonly bundle: string; readonly to: string; readonly programs: string }

/** Copies the program itself, beside the versions that are there. */
export const installProgram = ({ files }: Pick<Ports, 'files'>) =>
  defineStep<ProgramInput, null>({
    kind: 'install.program',
    describe: ({ to }) => `Copy caretaker to ${to}`,
    async check({ to }) {
      return (await files.stat(to)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ bundle, to, programs }) {
      const fresh = `${to}.tmp`
      await files.remove(fresh)
      await files.makeFolder(join(fresh, 'bin'), 0o755)
      await files.copyTree(bundle, join(fresh, 'caretaker'))
      for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES.md']) {
        const path = join(dirname(bundle), name)
        if (await files.stat(path)) await files.copyTree(path, join(fresh, name))
      }
      await files.link(programs, join(fresh, 'programs'))
      await writeDurably(files, join(fresh, 'bin/caretaker'), launcher(to), 0o755)
      await files.setOwner(fresh, ROOT)
      await files.setMode(fresh, 0o755)
      await files.sync(fresh)
      await files.rename(fresh, to)
      await files.sync(dirname(to))
    },
    undo: async ({ to }) => files.remove(to),
    timeoutMs: 5 * MINUTE_MS,
  })

const launcher = (folder: string) =>
  `#!/bin/sh\nexec ${folder}/programs/node/bin/node ${folder}/caretaker/main.js "$@"\n`
