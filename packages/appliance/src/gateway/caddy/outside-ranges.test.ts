import { BlockList } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outsideRanges } from './outside-ranges.ts'

const ALL_IPV6 = '0:0:0:0:0:0:0:0/0'

test('everything, of both kinds, when there is no range', () => {
  expect(outsideRanges([])).toEqual(['0.0.0.0/0', ALL_IPV6])
})

test('nothing, when the ranges are everything', () => {
  expect(outsideRanges(['0.0.0.0/0', '::/0'])).toEqual([])
})

test('the rest, when they are a part', () => {
  expect(outsideRanges(['128.0.0.0/1', '10.0.0.1'])).toHaveLength(32)
  expect(outsideRanges(['192.0.0.0/2'])).toEqual(['0.0.0.0/1', '128.0.0.0/2', ALL_IPV6])
  expect(outsideRanges(['8000::/1'])).toEqual(['0.0.0.0/0', '0:0:0:0:0:0:0:0/1'])
})

test('an address lies either in the ranges or outside', () => {
  const cidr4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, n]) => `${ip}/${n}`)
  const cidr6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([ip, n]) => `${ip}/${n}`)
  const familyOf = (ip: string) => (ip.includes(':') ? 'ipv6' : 'ipv4')
  /** BlockList takes an IPv4 address for one inside IPv6 as well: only ranges of its own kind are asked. */
  const lies = (ranges: readonly string[], address: string): boolean => {
    const list = new BlockList()
    for (const range of ranges.filter((entry) => familyOf(entry) === familyOf(address))) {
      const [ip = '', length] = range.split('/')
      list.addSubnet(ip, Number(length), familyOf(ip))
    }
    return list.check(address, familyOf(address))
  }
  const ranges = fc.array(fc.oneof(cidr4, cidr6), { maxLength: 4 })
  fc.assert(
    fc.property(ranges, fc.oneof(fc.ipV4(), fc.ipV6()), (some, ip) => {
      expect(lies(outsideRanges(some), ip)).toBe(!lies(some, ip))
    }),
  )
})
