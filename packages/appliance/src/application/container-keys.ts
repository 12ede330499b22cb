import * as z from 'zod'
import { flag, integer, report } from './schema-parts.ts'

/**
 * What a container may have of the rights that root is divided in: those that the engine gives by default, and two that
 * reach nothing outside (memory that is not swapped out, a place in the queue for the processor).
 */
const CAPABILITIES = new Set(
  (
    'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID IPC_LOCK KILL MKNOD NET_BIND_SERVICE NET_RAW ' +
    'SETFCAP SETGID SETPCAP SETUID SYS_CHROOT SYS_NICE'
  ).split(' '),
)

const size = z
  .union([z.int().min(0), z.string().regex(/^\d+(\.\d+)?\s*([bkmgt]|[kmgt]b)?$/i)], {
    error: 'must be a size, as 512m or 2g',
  })
  .transform(String)

const count = z.preprocess(
  (value) => (typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value),
  z.number('must be a number').positive('must be more than 0'),
)

const capability = z.preprocess(
  (value) => (typeof value === 'string' ? value.toUpperCase().replace(/^CAP_/, '') : value),
  z.string(),
)

const added = capability.superRefine((name, context) => {
  if (CAPABILITIES.has(name)) return
  report(context, `${name} gives rights over the machine`, {
    refused: true,
    next: `Remove it; possible are ${[...CAPABILITIES].join(', ')}`,
  })
})

const limit = integer(-1, Number.MAX_SAFE_INTEGER)

const temporary = z.string().regex(/^\/[^\0]*$/, 'must be an absolute path in the container')

/** Keys of a service that only a container can be held to; the compose engine takes them as they are. */
export const containerKeys = {
  mem_limit: size.optional(),
  mem_reservation: size.optional(),
  memswap_limit: size.optional(),
  shm_size: size.optional(),
  cpus: count.optional(),
  cpu_shares: count.optional(),
  pids_limit: limit.optional(),
  ulimits: z
    .record(
      z.string().regex(/^[a-z]+$/),
      z.union([limit, z.strictObject({ soft: limit, hard: limit })], {
        error: 'must be a number, or a map with "soft" and "hard"',
      }),
      { error: 'must be a map of limits' },
    )
    .optional(),
  cap_add: z.array(added, { error: 'must be a list' }).optional(),
  cap_drop: z.array(capability, { error: 'must be a list' }).optional(),
  group_add: z
    .array(z.union([z.string().min(1), z.int().min(0)]).transform(String), { error: 'must be a list' })
    .optional(),
  read_only: flag.optional(),
  tmpfs: z
    .preprocess(
      (value) => (typeof value === 'string' ? [value] : value),
      z.array(temporary, { error: 'must be a path or a list of paths' }),
    )
    .optional(),
}

type ContainerKeys = { readonly [Key in keyof typeof containerKeys]?: unknown }

/** Those of the keys that a service has. */
export function containerSettings(service: ContainerKeys): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.keys(containerKeys)
      .map((key) => [key, service[key as keyof ContainerKeys]] as const)
      .filter(([, value]) => value !== undefined && value !== false),
  )
}
