import { MIB } from '@caretaker/kernel/units.ts'
import { expect, test } from 'vitest'
import { metadataRoom, parseUsage } from './btrfs-usage.ts'

/** `btrfs filesystem usage --raw` of btrfs-progs 6.2 on a 256 MiB file. */
const FRESH = `Overall:
    Device size:\t\t         268435456
    Device allocated:\t\t          92274688
    Device unallocated:\t\t         176160768
    Device missing:\t\t                 0
    Device slack:\t\t                 0
    Used:\t\t\t            425984
    Free (estimated):\t\t         184549376\t(min: 96468992)
    Free (statfs, df):\t\t         183500800
    Data ratio:\t\t\t              1.00
    Metadata ratio:\t\t              2.00
    Global reserve:\t\t           5767168\t(used: 0)
    Multiple profiles:\t\t                no

Data,single: Size:8388608, Used:0 (0.00%)
   /dev/loop1\t   8388608

Metadata,DUP: Size:33554432, Used:196608 (0.59%)
   /dev/loop1\t  67108864

System,DUP: Size:8388608, Used:16384 (0.20%)
   /dev/loop1\t  16777216

Unallocated:
   /dev/loop1\t 176160768
`
const fresh = parseUsage(FRESH)

test('the figures of a real file system are read', () => {
  expect(fresh).toEqual({
    unallocatedBytes: 176160768,
    dataFreeBytes: 184549376,
    metadataRatio: 2,
    globalReserveBytes: 5767168,
    metadata: { sizeBytes: 33554432, usedBytes: 196608 },
  })
})

test('metadata can grow into what is not allocated, each byte as often as it is kept', () => {
  expect(metadataRoom(fresh)).toEqual({
    totalBytes: 33554432 + 176160768 / 2,
    availableBytes: 33554432 - 196608 - 5767168 - 4 * MIB + 176160768 / 2,
  })
})

test('with everything allocated only the block groups of metadata count, and what btrfs keeps for itself is not ours', () => {
  const full = { ...fresh, unallocatedBytes: 0, metadata: { sizeBytes: 32 * MIB, usedBytes: 23 * MIB } }
  expect(metadataRoom(full)).toEqual({ totalBytes: 32 * MIB, availableBytes: 0 })
})

test('mixed block groups have no metadata of their own', () => {
  const mixed = FRESH.replace('Metadata,DUP:', 'Data+Metadata,single:')
  expect(metadataRoom(parseUsage(mixed))).toBeUndefined()
})

test('what is no such output is not taken for an empty disk', () => {
  expect(() => parseUsage('ERROR: not a btrfs filesystem')).toThrow('does not say "Device unallocated"')
})
