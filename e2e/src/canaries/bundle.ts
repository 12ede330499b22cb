import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Unpacks a support bundle beside itself, with the program that whoever gets it would use. */
export async function unpackedBundle(file: string): Promise<string> {
  const folder = `${file}.folder`
  await mkdir(folder)
  await promisify(execFile)('tar', ['-xzf', file, '-C', folder])
  return folder
}
