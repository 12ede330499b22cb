import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { AppError } from '@caretaker/kernel/errors.ts'

/** AES-256-GCM with a nonce of 96 random bits; one key seals far fewer values than the 2^32 that are safe. */
const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const TOKEN = /^ENC\[aes-256-gcm,([A-Za-z0-9+/=]+)\]$/

/**
 * A data key that seals single values, itself encrypted with age for the appliance and its recovery recipients.
 * Like sops: names stay readable, values not.
 */
export interface Seal {
  /** The age file with the data key, base64 in one line. Says nothing without an identity. */
  readonly header: string
  /** `ENC[aes-256-gcm,…]`. */
  encrypt(value: string): string
  /** @throws AppError SEAL_BROKEN when it was made by another key or changed. */
  decrypt(token: string): string
}

/**
 * Data keys opened by this process, by identity and header: only who could open one finds it. An age decryption takes milliseconds and happens at every start.
 */
const opened = new Map<string, Seal>()

/** A new data key for the owner of `identity` (AGE-SECRET-KEY-1…) and the age `recovery` recipients. */
export async function createSeal(identity: string, recovery: readonly string[]): Promise<Seal> {
  const { Encrypter, identityToRecipient } = await import('age-encryption')
  const encrypter = new Encrypter()
  for (const recipient of [await identityToRecipient(identity), ...recovery])
    encrypter.addRecipient(recipient)
  const key = randomBytes(32)
  const header = Buffer.from(await encrypter.encrypt(key)).toString('base64')
  return remember(identity, header, key)
}

/**
 * The data key of a header.
 * @throws AppError SEAL_WRONG_IDENTITY (exit 12) when the identity is none of its recipients
 */
export async function openSeal(header: string, identity: string): Promise<Seal> {
  const known = opened.get(nameOf(identity, header))
  if (known) return known
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  try {
    return remember(identity, header, Buffer.from(await decrypter.decrypt(Buffer.from(header, 'base64'))))
  } catch (cause) {
    throw new AppError('SEAL_WRONG_IDENTITY', {
      what: 'Sealed secrets cannot be opened',
      why: 'they were sealed for another identity than the one on this machine',
      next: 'Put the identity of this appliance back (identity.txt in the state folder), or the complete config: "caretaker up FILE"',
      cause,
    })
  }
}

/** Whether a value is one that {@link Seal.encrypt} made. */
export function isSealed(value: string): boolean {
  return TOKEN.test(value)
}

const nameOf = (identity: string, header: string) => `${identity} ${header}`

function remember(identity: string, header: string, key: Buffer): Seal {
  const seal: Seal = {
    header,
    encrypt(value) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, key, nonce)
      const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
      return `ENC[aes-256-gcm,${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')}]`
    },
    decrypt(token) {
      const bytes = Buffer.from(TOKEN.exec(token)?.[1] ?? '', 'base64')
      try {
        const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        })
        decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
        return (
          decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
        )
      } catch (cause) {
        throw new AppError('SEAL_BROKEN', {
          what: 'A sealed secret cannot be opened',
          why: 'it was changed, or sealed with another key',
          next: 'Put the complete config in force again: "caretaker up FILE"',
          cause,
        })
      }
    },
  }
  opened.set(nameOf(identity, header), seal)
  return seal
}
