import { join } from 'node:path'
import { isAppError } from '@caretaker/kernel/errors.ts'
import { generatePassword } from '@caretaker/kernel/ids.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { openSeal } from '../sealing/seal.ts'
import { ensureStateSeal } from '../sealing/state-seal.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

/** Passwords that the appliance generates for its own parts and never shows. They can be made anew at any time. */
export interface SecretStore {
  /** The secret of this name; generated and stored when there is none. */
  obtain(name: string): Promise<Secret>
  find(name: string): Promise<Secret | undefined>
  /** Puts a new value in place of the old one. */
  replace(name: string, value: string): Promise<Secret>
  removeAll(prefix: string): Promise<void>
  /**
   * Opens all of them, so that texts of others that this process passes on have every one masked. Changes nothing on disk, and
   * skips what cannot be opened: nothing uses that either.
   */
  learn(): Promise<void>
}

/** What the file holds: names readable, values sealed. */
interface SealedSecrets {
  readonly seal: string
  readonly values: Readonly<Record<string, string>>
}

/** Kept in one file of the state folder, readable by its owner only, every value sealed. */
export function createSecretStore(
  files: Files,
  stateFolder: string,
  keys: { readonly age_identity: Secret; readonly recovery: readonly string[] },
): SecretStore {
  const path = join(stateFolder, 'secrets.json')
  const readAll = async (): Promise<SealedSecrets['values']> => {
    const stored = await readStateFile<SealedSecrets>(files, path)
    if (stored?.seal === undefined) return {}
    const { header } = await ensureStateSeal(files, stateFolder, keys)
    // Sealed for an identity that is gone: passwords of our own are made anew.
    return stored.seal === header ? stored.values : {}
  }
  const write = async (values: SealedSecrets['values']) => {
    const { header } = await ensureStateSeal(files, stateFolder, keys)
    await writeStateFile(files, path, { seal: header, values } satisfies SealedSecrets)
  }
  const put = async (name: string, value: string) => {
    const seal = await ensureStateSeal(files, stateFolder, keys)
    await write({ ...(await readAll()), [name]: seal.encrypt(value) })
    return new Secret(name, value)
  }
  const store: SecretStore = {
    async obtain(name) {
      const present = await store.find(name)
      return present ?? inTurn(files, async () => (await store.find(name)) ?? put(name, generatePassword()))
    },
    async find(name) {
      const token = (await readAll())[name]
      if (token === undefined) return undefined
      return new Secret(name, (await ensureStateSeal(files, stateFolder, keys)).decrypt(token))
    },
    async learn() {
      try {
        const stored = await readStateFile<SealedSecrets>(files, path)
        if (stored?.seal === undefined) return
        const seal = await openSeal(stored.seal, keys.age_identity.reveal())
        for (const [name, token] of Object.entries(stored.values)) new Secret(name, seal.decrypt(token))
      } catch (error) {
        if (!isAppError(error)) throw error
      }
    },
    replace: (name, value) => inTurn(files, () => put(name, value)),
    removeAll: (prefix) =>
      inTurn(files, async () => {
        const all = await readAll()
        const kept = Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith(prefix)))
        if (Object.keys(kept).length < Object.keys(all).length) await write(kept)
      }),
  }
  return store
}

/** Changes of this program, one after the other: each reads all and writes all. Other programs are kept out by the lock. */
const turns = new WeakMap<Files, Promise<unknown>>()

function inTurn<T>(files: Files, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(files) ?? Promise.resolve()).then(work)
  turns.set(
    files,
    turn.catch(() => undefined),
  )
  return turn
}
