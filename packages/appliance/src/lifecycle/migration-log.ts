import { dirname, join } from 'node:path'
import { redact } from '@caretaker/kernel/secrets.ts'
import { MIB } from '@caretaker/kernel/units.ts'
import type { Command, CommandResult } from '@caretaker/ports/process.ts'
import { appFolders } from './app-files.ts'
import type { Appliance } from './appliance.ts'
import { readClone } from './clone-records.ts'

/** As much of one command as is kept, in characters: the end of it. */
const KEPT_CHARACTERS = 8 * MIB

type OnLine = NonNullable<Command['onLine']>

/** Listens to a command, and remembers the lines of both its outputs in the order in which they came. */
export function listening(onLine: OnLine | undefined): {
  readonly onLine: OnLine
  readonly lines: readonly string[]
} {
  const lines: string[] = []
  let characters = 0
  return {
    lines,
    onLine: (line, from) => {
      onLine?.(line, from)
      characters += lines[lines.push(line) - 1]?.length ?? 0
      while (characters > KEPT_CHARACTERS && lines.length > 1) characters -= lines.shift()?.length ?? 0
    },
  }
}

/**
 * Where all that the migrations of an application said is found; `caretaker logs APP migrate` shows the end of it. A clone
 * that is only asked something is gone right after that: what is said on it stands with its origin.
 */
export async function migrationLog(appliance: Appliance, app: string): Promise<string> {
  const clone = await readClone(appliance.ports.files, appliance.stateFolder, app)
  return join(appFolders(appliance, clone?.why === 'ask' ? clone.app : app).logs, 'migrate.log')
}

/**
 * Appends what a command of a migration said, without secrets, and how it ended (`result` undefined: it was cancelled). A
 * disk that takes no line more hides nothing else: then nothing is written.
 */
export async function keepMigrationLog(
  appliance: Appliance,
  path: string,
  { title, lines, result }: { title: string; lines: readonly string[]; result: CommandResult | undefined },
): Promise<void> {
  const { clock, files } = appliance.ports
  const how = result
    ? result.timedOut
      ? 'did not end in its time and was stopped'
      : `ended with ${result.signal ?? result.exitCode}`
    : 'was cancelled'
  const at = clock.now().toISOString()
  const text = [...lines.map((line) => redact(line)), `--- ${at} ${title} ${how}`, ''].join('\n')
  await files.makeFolder(dirname(path)).catch(() => undefined)
  await files.append(path, text, 0o600).catch(() => undefined)
}
