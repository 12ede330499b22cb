import { join } from 'node:path'

/** The files by which the gateway and Caddy know each other. All of one owner, folders with mode 0700. */
export interface CaddyPlaces {
  /** What Caddy starts with: the last config it took. */
  readonly configFile: string
  /** A {@link CaddySecret} as JSON. */
  readonly secretFile: string
  /** A PEM file with key for each host name; see `certificateFileFor`. Caddy reads them at each handshake. */
  readonly certificatesFolder: string
  /** What Caddy keeps for itself (XDG). */
  readonly dataFolder: string
  readonly socketsFolder: string
  /** Caddy's admin interface. */
  readonly adminSocket: string
  /** Where Caddy finds the gateway. */
  readonly gatewaySocket: string
}

/** `gatewayFolder` lies in the state folder; the path of `runFolder` must be short enough for sockets. */
export function caddyPlaces(gatewayFolder: string, runFolder: string): CaddyPlaces {
  const folder = join(gatewayFolder, 'caddy')
  const socketsFolder = join(runFolder, 'caddy')
  return {
    configFile: join(folder, 'caddy.json'),
    secretFile: join(folder, 'secret.json'),
    certificatesFolder: join(folder, 'certificates'),
    dataFolder: join(folder, 'data'),
    socketsFolder,
    adminSocket: join(socketsFolder, 'admin.sock'),
    gatewaySocket: join(socketsFolder, 'gateway.sock'),
  }
}
