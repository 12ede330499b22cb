import { createPrivateKey } from 'node:crypto'
import { parseCertificate } from './renewal.ts'

/** Whether a certificate and a private key, both PEM, are whole and belong together. Pure. */
export function isPair(certPem: string, keyPem: string): boolean {
  try {
    return parseCertificate(certPem).checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false
  }
}
