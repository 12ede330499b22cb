import { createPrivateKey } from 'node:crypto'
import { AppError, isAppError, messageOf } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { coversHosts, parseCertificate } from './renewal.ts'

export interface ProvidedFiles {
  readonly certificate: string
  readonly key: string
}

export interface ProvidedPair {
  readonly pem: string
  readonly key: Secret
}

/**
 * Reads a certificate and key that a person provides and checks all that can be wrong with them: both there, key closed
 * to others, key fits, chain in order, dates, at least one of `hosts` named.
 * @throws AppError CERTIFICATE_INVALID, PERMISSIONS_OPEN
 */
export async function readProvided(
  files: Pick<Files, 'readText' | 'stat'>,
  paths: ProvidedFiles,
  hosts: readonly string[],
  now: Date,
): Promise<ProvidedPair> {
  const pem = await files.readText(paths.certificate)
  if (pem === undefined) throw invalid(paths.certificate, 'there is no such file')
  const keyText = await files.readText(paths.key)
  if (keyText === undefined) throw invalid(paths.key, 'there is no such file')
  const mode = (await files.stat(paths.key))?.mode ?? 0
  if ((mode & 0o077) !== 0) {
    throw new AppError('PERMISSIONS_OPEN', {
      what: `The private key ${paths.key} is not taken`,
      why: `others can use it (mode ${mode.toString(8)})`,
      next: `chmod 600 ${paths.key}`,
    })
  }
  const key = new Secret('provided-key', keyText)
  checkProvided(pem, key, hosts, now, paths)
  return { pem, key }
}

/** The checks that look at the content only. Pure. @throws AppError CERTIFICATE_INVALID */
export function checkProvided(
  pem: string,
  key: Secret,
  hosts: readonly string[],
  now: Date,
  paths: ProvidedFiles,
): void {
  const chain = chainOf(pem, paths.certificate)
  const [leaf = ''] = chain
  const certificate = parseCertificate(leaf)
  if (!fits(leaf, key, paths.key)) {
    throw invalid(paths.key, `it is not the key of the first certificate in ${paths.certificate}`)
  }
  for (const [index, next] of chain.slice(1).entries()) {
    const issued = parseCertificate(chain[index] as string)
    const issuer = parseCertificate(next)
    if (issued.checkIssued(issuer) && issued.verify(issuer.publicKey)) continue
    const why = `certificate ${index + 2} did not issue certificate ${index + 1}: the server certificate comes first, each next one has issued the one before`
    throw invalid(paths.certificate, why)
  }
  if (now < certificate.validFromDate) {
    throw invalid(
      paths.certificate,
      `it is valid from ${certificate.validFromDate.toISOString()} on, not yet`,
    )
  }
  if (now >= certificate.validToDate) {
    throw invalid(paths.certificate, `it has ended on ${certificate.validToDate.toISOString()}`)
  }
  if (!hosts.some((host) => coversHosts(leaf, [host]))) {
    const names = (certificate.subjectAltName ?? 'no name').replaceAll('DNS:', '')
    throw invalid(paths.certificate, `it names ${names}, but the applications are at ${hosts.join(', ')}`)
  }
}

function chainOf(pem: string, path: string): readonly string[] {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  if (found.length === 0) throw invalid(path, 'it holds no PEM certificate')
  for (const each of found) {
    try {
      parseCertificate(each)
    } catch (error) {
      throw invalid(path, isAppError(error) ? error.why : messageOf(error))
    }
  }
  return found
}

function fits(leaf: string, key: Secret, path: string): boolean {
  try {
    return parseCertificate(leaf).checkPrivateKey(createPrivateKey(key.reveal()))
  } catch (cause) {
    throw invalid(path, `it is no private key in PEM without a passphrase: ${messageOf(cause)}`)
  }
}

function invalid(path: string, why: string): AppError {
  return new AppError('CERTIFICATE_INVALID', {
    what: `The provided file ${path} is not taken`,
    why,
    next: 'Correct the file; it is read again by itself. What was taken before is shown meanwhile',
  })
}
