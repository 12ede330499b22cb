import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { certificateFileFor, FALLBACK_FILE } from '@caretaker/appliance/gateway/caddy/certificate-files.ts'
import type { CertificateStore } from '../certificate-store.ts'

/** PEM with key by file name. */
export type CertificateFiles = ReadonlyMap<string, string>

export function certificateFilesOf({ materials, fallback }: CertificateStore): CertificateFiles {
  const files = new Map([[FALLBACK_FILE, pemOf(fallback)]])
  for (const material of materials) {
    for (const host of material.hosts) files.set(certificateFileFor(host), pemOf(material))
  }
  return files
}

export function sameFiles(a: CertificateFiles, b: CertificateFiles | undefined): boolean {
  return a.size === b?.size && [...a].every(([name, pem]) => b.get(name) === pem)
}

/** Makes the folder hold these files and no others, each whole at every moment. */
export async function writeCertificateFiles(
  folder: string,
  files: CertificateFiles,
  before: CertificateFiles,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const [name, pem] of files) {
    if (before.get(name) !== pem) await replace(join(folder, name), pem)
  }
  for (const name of await readdir(folder))
    if (!files.has(name)) await rm(join(folder, name), { force: true })
}

/** What comes back after a power cut is whole: Caddy starts from it without us. */
export async function replace(path: string, content: string): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}

function pemOf({ cert, key }: { readonly cert: string; readonly key: string }): string {
  return `${cert.trimEnd()}\n${key.trimEnd()}\n`
}
