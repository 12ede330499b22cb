import type { NetworkInterfaceInfo } from 'node:os'
import { expect, it } from 'vitest'
import { wayTo } from './way-to.ts'

const at = (address: string, cidr: string) => ({ address, cidr }) as NetworkInterfaceInfo
const machine = () => ({
  lo: [at('127.0.0.1', '127.0.0.1/8'), at('::1', '::1/128')],
  eth0: [at('192.0.2.7', '192.0.2.7/24'), at('2001:db8::7', '2001:db8::7/64')],
  bridge: [at('10.1.2.1', '10.1.2.1/24')],
})

it.each([
  ['127.0.0.1', {}],
  ['127.8.0.3', {}],
  ['::1', {}],
  ['10.1.2.9', { localAddress: '10.1.2.1' }],
  ['2001:db8::1:2', { localAddress: '2001:db8::7' }],
  ['10.1.3.9', undefined],
  ['198.51.100.4', undefined],
  ['2001:db8:1::2', undefined],
])('%s is reached by %o', (host, way) => {
  expect(wayTo(host, machine)).toEqual(way)
})

it('notices soon that a network has gone, and that it is back', () => {
  const gone = () => ({})
  expect(wayTo('10.1.2.200', machine, 0)).toEqual({ localAddress: '10.1.2.1' })
  expect(wayTo('10.1.2.200', gone, 1001)).toBeUndefined()
  expect(wayTo('10.1.2.200', machine, 1002)).toEqual({ localAddress: '10.1.2.1' })
})
