import { expect, it } from 'vitest'
import { loopbackListenerUids } from './port-holder.ts'

const row = (address: string, uid: number, state = '0A') =>
  `   0: ${address}:2710 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)} 0 1`

it.each([
  ['127.0.0.1', ['0100007F']],
  ['0.0.0.0', ['00000000']],
  ['127.0.0.1 as an address of IPv6', ['0000000000000000FFFF00000100007F']],
  ['::', ['0'.repeat(32)]],
])('a listener at %s gets what connects to 127.0.0.1', (_name, [address = '']) => {
  expect(loopbackListenerUids(row(address, 999), 10_000)).toEqual([999])
})

it.each([
  ['127.0.0.2', row('0200007F', 999), 10_000],
  ['::1', row('00000000000000000000000001000000', 999), 10_000],
  ['another port', row('0100007F', 999), 10_001],
  ['a connection', row('0100007F', 999, '01'), 10_000],
])('%s does not', (_name, text, port) => {
  expect(loopbackListenerUids(text, port)).toEqual([])
})

it('one of IPv6 alone, beside one of IPv4, does not', () => {
  const rows = [row('0'.repeat(32), 65534), row('0100007F', 999)].join('\n')
  expect(loopbackListenerUids(rows, 10_000)).toEqual([999])
})
