import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { deriveSecret, type MaybeSecret, type Secret } from '@caretaker/kernel/secrets.ts'

/** As Postgres itself uses (scram_iterations). */
const ITERATIONS = 4096

/**
 * What Postgres stores for a password (RFC 5803), so that the password itself is never part of an SQL text, which
 * could end up in a log. The password is of printable ASCII: no SASLprep is needed.
 */
export function scramVerifier(password: MaybeSecret, salt: Uint8Array = randomBytes(16)): Secret {
  return deriveSecret('scram-verifier', password, (plain) => makeVerifier(plain, salt))
}

function makeVerifier(password: string, salt: Uint8Array): string {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new Error('the password is not printable ASCII')
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256')
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  const serverKey = hmac('Server Key').toString('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`
}
