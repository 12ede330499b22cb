import type { IncomingMessage } from 'node:http'
import { CADDY_HEADERS } from '@caretaker/appliance/gateway/caddy/caddy-config.ts'
import type { Sender } from '../entrance.ts'

/**
 * Whom Caddy speaks for. Takes out of the header fields what Caddy added: then they are those of the client. Only for
 * requests of a socket that nobody but Caddy can reach.
 */
export function senderOf({ headers }: Pick<IncomingMessage, 'headers'>): Sender {
  const { [CADDY_HEADERS.client]: client, [CADDY_HEADERS.scheme]: scheme } = headers
  delete headers[CADDY_HEADERS.client]
  delete headers[CADDY_HEADERS.scheme]
  // Caddy has put the address of the client behind what the client itself had written.
  const before = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .slice(0, -1)
    .join(',')
    .trim()
  if (before === '') delete headers['x-forwarded-for']
  else headers['x-forwarded-for'] = before
  return { secure: scheme === 'https', client: String(client ?? 'unknown') }
}
