import { AppError } from '@caretaker/kernel/errors.ts'
import { GatewayConfig } from './gateway-config.ts'

const NEXT = 'Correct the config of the appliance; the gateway keeps the config it has'

/**
 * Any value as a config a gateway can put in force.
 * @throws AppError CONFIG_WRONG_TYPE for a wrong shape, CONFIG_CONFLICT when two routes claim the same place.
 */
export function parseGatewayConfig(value: unknown): GatewayConfig {
  const parsed = GatewayConfig.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new AppError('CONFIG_WRONG_TYPE', {
      what: 'The config of the gateway was refused',
      why: `${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'not valid'}`,
      next: NEXT,
      ...(issue === undefined ? {} : { key: issue.path.join('.') }),
    })
  }
  refuseConflicts(parsed.data)
  return parsed.data
}

function refuseConflicts(config: GatewayConfig): void {
  const places = new Map<string, string>()
  const served = new Set(config.routes.flatMap((route) => route.hosts))
  for (const route of config.routes) {
    for (const host of route.hosts) claim(places, `${host}${route.pathPrefix ?? '/'}`, route.app)
    for (const alias of route.aliases) {
      if (served.has(alias)) refuse(`"${alias}" is both a host and an alias`)
      claim(places, `alias ${alias}${route.pathPrefix ?? '/'}`, route.app)
    }
  }
}

function claim(places: Map<string, string>, place: string, app: string): void {
  const other = places.get(place)
  if (other !== undefined) refuse(`"${place}" is claimed by "${other}" and "${app}"`)
  places.set(place, app)
}

function refuse(why: string): never {
  throw new AppError('CONFIG_CONFLICT', { what: 'The config of the gateway was refused', why, next: NEXT })
}
