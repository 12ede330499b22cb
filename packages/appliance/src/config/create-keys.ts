import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { generatePassword } from '@caretaker/kernel/ids.ts'

/** The key material of a config, in clear, as it is written into the file. */
export interface KeyTexts {
  readonly ca_key: string
  readonly age_identity: string
  readonly backup_key: string
  readonly dkim_key: string
}

const generate = promisify(generateKeyPair)

/** New keys for an appliance: EC P-256 for the CA, X25519 for age, 192 bits for the backup, RSA 2048 for DKIM. */
export async function createKeys(): Promise<KeyTexts> {
  const { generateX25519Identity } = await import('age-encryption')
  const ca = await generate('ec', { namedCurve: 'P-256' })
  const dkim = await generate('rsa', { modulusLength: 2048 })
  return {
    ca_key: toPem(ca.privateKey),
    age_identity: await generateX25519Identity(),
    backup_key: generatePassword(),
    dkim_key: toPem(dkim.privateKey),
  }
}

/** The public half of a DKIM key as DNS carries it: SubjectPublicKeyInfo, DER, base64 (RFC 6376, 3.6.1). */
export function dkimPublicKey(privateKeyPem: string): string {
  const key = createPublicKey(createPrivateKey(privateKeyPem))
  return key.export({ type: 'spki', format: 'der' }).toString('base64')
}

function toPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
