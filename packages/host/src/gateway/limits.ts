import { HOUR_MS, MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { KIB } from '@caretaker/kernel/units.ts'

/** Header fields and request line together; cookies of single sign-on reach 16 KiB. */
export const MAX_HEADER_BYTES = 32 * KIB
/** From the first byte (or the connect) to the end of the header fields; slow senders end here. */
export const HEADERS_TIMEOUT_MS = 15 * SECOND_MS
/** Header fields of one request; browsers send about 20. */
export const MAX_HEADER_FIELDS = 200
/** Requests one connection may have sent ahead of the answers; browsers send none ahead. */
export const MAX_PIPELINED = 16
/** A body of which nothing arrives for twice this long, while it could, has been given up by its sender. */
export const BODY_IDLE_MS = 30 * SECOND_MS
/** For the PROXY header of a load balancer, which sends it at once (as Caddy). */
export const PROXY_HEADER_TIMEOUT_MS = 5 * SECOND_MS
/** For the TLS handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10 * SECOND_MS
/** An idle connection stays open this long: more than the 60 s of common load balancers, so that they close first. */
export const KEEP_ALIVE_MS = 65 * SECOND_MS
/** Per port. Each may need a second socket to its application; the open file limit is commonly 20000 or more. */
export const MAX_CONNECTIONS = 8000
/**
 * Per client address, trusted proxies excepted, so that no single client takes all. Generous, because a whole
 * office may stand behind one address.
 */
export const MAX_CONNECTIONS_PER_CLIENT = 2000
/** Requests that may wait per application during a hold; what comes on top gets the service page. */
export const MAX_HELD = 1000
/** Idle connections kept to applications. */
export const MAX_IDLE_UPSTREAM = 64
/** A hold ends by itself after at most this long. */
export const MAX_HOLD_LIMIT_MS = 26 * HOUR_MS
/** A drain is answered after at most this long. */
export const MAX_DRAIN_MS = 10 * MINUTE_MS
/** A config of some thousand routes is below this. */
export const MAX_CONFIG_BYTES = 4096 * KIB
