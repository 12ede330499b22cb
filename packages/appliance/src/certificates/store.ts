import { join } from 'node:path'
import { sha256 } from '@caretaker/kernel/json.ts'
import type { Secret } from '@caretaker/kernel/secrets.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Candidate, CertificateSource } from './choose.ts'
import { isPair } from './pair.ts'

/** `app-shop.acme-0123456789ab.crt`: a pair never changes, a new one has another name. */
const FILE = /^(.+)\.(acme|provided)-([0-9a-f]{12})\.crt$/

/**
 * Keeps a certificate with its key, readable by their owner alone; gives its id. Key first: where the certificate lies,
 * its key does too, whatever is interrupted.
 */
export async function storePair(
  files: Files,
  folder: string,
  name: string,
  source: Exclude<CertificateSource, 'own-ca'>,
  pem: string,
  key: Secret,
): Promise<string> {
  const id = sha256(pem).slice(0, 12)
  const base = join(folder, `${name}.${source}-${id}`)
  await files.makeFolder(folder, 0o711)
  await writeDurably(files, `${base}.key`, key.reveal(), 0o600)
  await writeDurably(files, `${base}.crt`, pem, 0o600)
  return id
}

export interface StoredCandidate extends Candidate {
  readonly id: string
  /** When it was kept, in ms of the Unix epoch. */
  readonly storedMs: number
}

/** What was kept, the newest first. Damaged pairs are left out. */
export async function storedPairs(
  files: Pick<Files, 'list' | 'readText' | 'stat'>,
  folder: string,
): Promise<readonly StoredCandidate[]> {
  const found: StoredCandidate[] = []
  for (const entry of (await files.list(folder)) ?? []) {
    const [, name = '', source, id = ''] = FILE.exec(entry.name) ?? []
    if (source !== 'acme' && source !== 'provided') continue
    const candidate = await readPair(files, folder, name, source, entry.name.slice(0, -'.crt'.length))
    const info = await files.stat(join(folder, entry.name))
    if (candidate && info) found.push({ ...candidate, id, storedMs: info.modifiedMs })
  }
  return found.toSorted((a, b) => b.storedMs - a.storedMs)
}

/** The pair whose files are called `base`; undefined when one is missing, damaged, or of another pair. */
export async function readPair(
  files: Pick<Files, 'readText'>,
  folder: string,
  name: string,
  source: CertificateSource,
  base: string,
): Promise<Candidate | undefined> {
  const certificateFile = join(folder, `${base}.crt`)
  const keyFile = join(folder, `${base}.key`)
  const pem = await files.readText(certificateFile)
  const key = await files.readText(keyFile)
  if (pem === undefined || key === undefined || !isPair(pem, key)) return undefined
  return { source, name, certificateFile, keyFile, pem }
}

/** Removes the pairs that `keep` does not want any more. */
export async function removePairs(
  files: Files,
  pairs: readonly StoredCandidate[],
  keep: (pair: StoredCandidate) => boolean,
): Promise<void> {
  for (const pair of pairs.filter((entry) => !keep(entry))) {
    // The certificate first: a key alone is taken for nothing.
    await files.remove(pair.certificateFile)
    await files.remove(pair.keyFile)
  }
}
