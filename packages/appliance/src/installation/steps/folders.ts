import { dirname } from 'node:path'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { switchLink } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { PLACES } from '../places.ts'

/** The folder of the config and that of the state. They stay when caretaker is uninstalled. */
export const installFolders = ({ files }: Pick<Ports, 'files'>) =>
  defineStep<null, null>({
    kind: 'install.folders',
    describe: () => `Create ${PLACES.config} for the config and ${PLACES.state} for the state`,
    async check() {
      const found = await Promise.all([PLACES.config, PLACES.state].map((path) => files.stat(path)))
      return found.every((info) => info?.kind === 'folder')
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply() {
      await files.makeFolder(PLACES.config, 0o755)
      // Services run as another user and must be able to pass through, not to look.
      await files.makeFolder(PLACES.state, 0o711)
    },
    undo: 'not-needed',
    timeoutMs: 30 * SECOND_MS,
  })

const TARGET = `${PLACES.current}/bin/caretaker`

/** The command that people type. */
export const installCommand = ({ files }: Pick<Ports, 'files'>) =>
  defineStep<null, null>({
    kind: 'install.command',
    describe: () => `Link ${PLACES.command} to the version in force`,
    async check() {
      if ((await files.readLink(PLACES.command)) === TARGET) return { state: 'done' }
      if ((await files.stat(PLACES.command)) === undefined) return { state: 'needed', before: null }
      return {
        state: 'blocked',
        why: `${PLACES.command} is there and was not put there by "caretaker install"`,
        next: `Look at what it is ("ls -l ${PLACES.command}") and move it away; then repeat the command`,
      }
    },
    async apply() {
      await files.makeFolder(dirname(PLACES.command), 0o755)
      await switchLink(files, TARGET, PLACES.command)
    },
    undo: async () => files.remove(PLACES.command),
    timeoutMs: 30 * SECOND_MS,
  })

/** Takes the command away again; one that is somebody else's stays. */
export const uninstallCommand = ({ files }: Pick<Ports, 'files'>) =>
  defineStep<null, null>({
    kind: 'uninstall.command',
    describe: () => `Remove ${PLACES.command}`,
    async check() {
      const isOurs = (await files.readLink(PLACES.command)) === TARGET
      return isOurs ? { state: 'needed', before: null } : { state: 'done' }
    },
    async apply() {
      await files.remove(PLACES.command)
      await files.sync(dirname(PLACES.command))
    },
    undo: async () => switchLink(files, TARGET, PLACES.command),
    timeoutMs: 30 * SECOND_MS,
  })

/** Removes every version; the very last step, since this program is one of them. */
export const uninstallProgram = ({ files }: Pick<Ports, 'files'>) =>
  defineStep<null, null>({
    kind: 'uninstall.program',
    describe: () => `Remove ${PLACES.home} with every version of the program`,
    async check() {
      return (await files.stat(PLACES.home)) ? { state: 'needed', before: null } : { state: 'done' }
    },
    async apply() {
      await files.remove(PLACES.home)
      await files.sync(dirname(PLACES.home))
    },
    undo: 'impossible',
    timeoutMs: 300 * SECOND_MS,
  })
