import { createGunzip, createGzip } from 'node:zlib'

/** From the bytes of a visitor to the bytes on disk. */
export function encode() {
  return createGzip()
}

/** The way back of {@link encode}. */
export function decode() {
  return createGunzip()
}
