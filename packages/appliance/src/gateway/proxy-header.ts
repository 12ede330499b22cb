import * as z from 'zod'

/** What the first bytes of a connection say about the PROXY protocol. */
export type ProxyHeader =
  /** A header may begin like this: more bytes must tell. */
  | { readonly kind: 'unfinished' }
  /** No header begins like this. */
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed'; readonly why: string }
  /**
   * `length`: bytes it takes; what follows is the connection's own. `client`: the address it speaks for; undefined
   * when it speaks for the proxy itself or does not know (LOCAL, UNKNOWN, unix sockets).
   */
  | { readonly kind: 'complete'; readonly length: number; readonly client: string | undefined }

/** Longest line of version 1 with its line end (specification, 2.1). */
const MAX_V1_BYTES = 107
/** Longest header of version 2 that is read; proxies in use add some hundred bytes to the 52 of two IPv6 addresses. */
const MAX_V2_BYTES = 4096
const V2_FIXED_BYTES = 16
const V1_SIGNATURE = Buffer.from('PROXY ')
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n')

/** Bytes of the addresses by family and transport (specification, 2.2); other values cannot come over TCP. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216 }

const PORT = /^(0|[1-9]\d{0,4})$/
const IPV4 = z.ipv4()
const IPV6 = z.ipv6()

/** Reads a header of version 1 or 2 at the beginning of `bytes` (haproxy.org, proxy-protocol.txt). */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (beginsLike(bytes, V1_SIGNATURE)) return parseText(bytes)
  if (beginsLike(bytes, V2_SIGNATURE)) return parseBinary(bytes)
  return { kind: 'none' }
}

/** Whether `bytes` begin with `signature`, as far as there are any. */
function beginsLike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.subarray(0, length).equals(signature.subarray(0, length))
}

function parseText(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf('\r\n')
  if (end < 0) {
    if (bytes.length < MAX_V1_BYTES) return { kind: 'unfinished' }
    return malformed(`its line has no end within ${MAX_V1_BYTES} bytes`)
  }
  const line = bytes.toString('latin1', 0, end)
  const length = end + 2
  if (/[^\x20-\x7e]/.test(line)) return malformed('its line holds more than printable characters')
  const [, family, from = '', to = '', ...ports] = line.split(' ')
  if (family === 'UNKNOWN') return { kind: 'complete', length, client: undefined }
  const address = family === 'TCP4' ? IPV4 : family === 'TCP6' ? IPV6 : undefined
  if (!address) return malformed('it names no protocol that is known')
  if (!address.safeParse(from).success || !address.safeParse(to).success)
    return malformed(`an address is none of ${family}`)
  if (ports.length !== 2 || !ports.every((port) => PORT.test(port) && Number(port) <= 65_535))
    return malformed('it does not end with two ports')
  return { kind: 'complete', length, client: family === 'TCP6' ? plainIpv6(from) : from }
}

function parseBinary(bytes: Buffer): ProxyHeader {
  if (bytes.length < V2_FIXED_BYTES) return { kind: 'unfinished' }
  const [versionAndCommand, family] = [bytes.readUInt8(12), bytes.readUInt8(13)]
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14)
  const addressBytes = ADDRESS_BYTES[family]
  if (versionAndCommand >> 4 !== 2) return malformed('it is of an unknown version')
  const command = versionAndCommand & 0xf
  if (command > 1) return malformed('it has an unknown command')
  if (addressBytes === undefined) return malformed('its addresses are not those of a TCP connection')
  if (length > MAX_V2_BYTES) return malformed(`it is longer than ${MAX_V2_BYTES} bytes`)
  if (command === 1 && length < V2_FIXED_BYTES + addressBytes)
    return malformed('it is too short for its addresses')
  if (bytes.length < length) return { kind: 'unfinished' }
  return { kind: 'complete', length, client: command === 0 ? undefined : binaryClient(bytes, family) }
}

function binaryClient(bytes: Buffer, family: number): string | undefined {
  if (family === 0x11) return bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + 4).join('.')
  if (family !== 0x21) return undefined
  const groups = bytes.toString('hex', V2_FIXED_BYTES, V2_FIXED_BYTES + 16).match(/.{4}/g)
  return plainIpv6((groups ?? []).join(':'))
}

/** The one way to write an address (RFC 5952); an IPv4 address inside an IPv6 one as IPv4. */
function plainIpv6(address: string): string {
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(plain)
  if (!mapped) return plain
  const halves = Buffer.alloc(4)
  halves.writeUInt16BE(Number.parseInt(mapped[1] as string, 16), 0)
  halves.writeUInt16BE(Number.parseInt(mapped[2] as string, 16), 2)
  return halves.join('.')
}

function malformed(why: string): ProxyHeader {
  return { kind: 'malformed', why }
}
