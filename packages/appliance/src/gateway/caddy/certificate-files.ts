/**
 * Names of the files in which Caddy looks for certificates. `=` is in no host name, so that no client can ask for one
 * of the others by naming it.
 */
export const FALLBACK_FILE = '=fallback.pem'

const WILDCARD = '=wildcard'

/** `host`: a host name, or `*.` and one. */
export function certificateFileFor(host: string): string {
  return `${host.startsWith('*.') ? `${WILDCARD}${host.slice(1)}` : host}.pem`
}

/**
 * The files to look for, best first, in the words of Caddy: with the name of the client (SNI) as path, and what
 * {@link PARENT_PATTERN} finds in it under the name `parent`.
 */
export const LOOKED_FOR = [
  '{http.request.uri.path}.pem',
  `/${WILDCARD}{http.regexp.parent.1}.pem`,
  `/${FALLBACK_FILE}`,
] as const

/** All of a host name, as a path, that comes after its first label. */
export const PARENT_PATTERN = '^/[^./]+(\\.[^/]+)$'
