import { join } from 'node:path'
import type { Secret } from '@caretaker/kernel/secrets.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { keepIdentity, readIdentity } from './identity-file.ts'
import { createSeal, openSeal, type Seal } from './seal.ts'
import { openConfigText, sealHeaderOf } from './sealed-config.ts'

const headerFile = (stateFolder: string) => join(stateFolder, 'seal.age')

/**
 * The seal of this state folder, made when there is none. The identity is kept beside it, so that the next start can
 * open it without the config.
 */
export async function ensureStateSeal(
  files: Files,
  stateFolder: string,
  keys: { readonly age_identity: Secret; readonly recovery: readonly string[] },
): Promise<Seal> {
  await files.makeFolder(stateFolder, 0o711)
  await keepIdentity(files, stateFolder, keys.age_identity)
  const header = await files.readText(headerFile(stateFolder))
  if (header !== undefined) {
    try {
      return await openSeal(header.trim(), keys.age_identity.reveal())
    } catch {
      // It belongs to an identity that is gone; what it sealed is made anew from the config.
    }
  }
  const seal = await createSeal(keys.age_identity.reveal(), keys.recovery)
  await writeDurably(files, headerFile(stateFolder), `${seal.header}\n`, 0o600)
  return seal
}

/** The seal with this header, opened with the identity on this machine. @throws AppError SEAL_NO_IDENTITY, SEAL_WRONG_IDENTITY */
export async function openStateSeal(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  header: string,
): Promise<Seal> {
  return openSeal(header, (await readIdentity(files, stateFolder)).reveal())
}

/** A config text as it is with its sealed values opened; one without any is given back. @throws as {@link openStateSeal} */
export async function openSealedText(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  text: string,
): Promise<string> {
  const header = sealHeaderOf(text)
  return header === undefined ? text : openConfigText(text, await openStateSeal(files, stateFolder, header))
}
