/** From which version on Caddy can do what we ask. */
const SINCE = {
  /** Certificates that it asks for at each handshake, and a choice of protocols for each server. */
  gateway: [2, 6],
  /** Its listener wrapper has policies. */
  proxyProtocol: [2, 8],
} as const

export type CaddyAbility = keyof typeof SINCE

/** As `2.6`. */
export function neededCaddy(ability: CaddyAbility): string {
  return SINCE[ability].join('.')
}

/** The version in what `caddy version` prints, as `2.6.2`; undefined when there is none. */
export function parseCaddyVersion(output: string): string | undefined {
  return /^v?(\d+\.\d+\.\d+)/.exec(output.trim())?.[1]
}

/** `version` as from {@link parseCaddyVersion}. */
export function canCaddy(version: string, ability: CaddyAbility): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [needMajor, needMinor] = SINCE[ability]
  return major > needMajor || (major === needMajor && minor >= needMinor)
}
