import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'

/**
 * Where the identity lies that opens what is sealed on this machine: in the state folder, on the root disk, readable
 * by its owner alone; never on the data volume and never in a backup.
 */
export function identityFile(stateFolder: string): string {
  return join(stateFolder, 'identity.txt')
}

/** @throws AppError SEAL_NO_IDENTITY (exit 12) when there is none */
export async function readIdentity(files: Pick<Files, 'readText'>, stateFolder: string): Promise<Secret> {
  const text = await files.readText(identityFile(stateFolder))
  const line = text?.split('\n').find((entry) => entry.startsWith('AGE-SECRET-KEY-'))
  if (line !== undefined) return new Secret('identity', line.trim())
  throw new AppError('SEAL_NO_IDENTITY', {
    what: 'Sealed secrets cannot be opened',
    why: `the identity of this appliance is not in ${identityFile(stateFolder)}`,
    next: 'Put the complete config in force again: "caretaker up FILE"; it holds the identity',
  })
}

/** Keeps the identity for later starts; nothing when it is kept already. */
export async function keepIdentity(
  files: Pick<Files, 'readText' | 'write' | 'sync' | 'rename'>,
  stateFolder: string,
  identity: Secret,
): Promise<void> {
  const wanted = `# Opens what is sealed on this machine. Belongs to this machine only.\n${identity.reveal()}\n`
  if ((await files.readText(identityFile(stateFolder))) === wanted) return
  await writeDurably(files, identityFile(stateFolder), wanted, 0o600)
}
