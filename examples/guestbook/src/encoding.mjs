import { PassThrough } from 'node:stream'

/** From the bytes of a visitor to the bytes on disk. */
export function encode() {
  return new PassThrough()
}

/** The way back of {@link encode}. */
export function decode() {
  return new PassThrough()
}
