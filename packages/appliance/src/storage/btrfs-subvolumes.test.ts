import { expect, test } from 'vitest'
import { nestedBelow } from './btrfs-subvolumes.ts'

/** `btrfs subvolume list -p`: the paths are those of the whole file system, of which a part may be mounted. */
const LISTED = `ID 256 gen 7 parent 5 top level 5 path @data/units/app/gen-1
ID 258 gen 7 parent 257 top level 257 path @data/units/app/gen-1/files/nested/in ner
ID 257 gen 7 parent 256 top level 256 path @data/units/app/gen-1/files/nested
ID 259 gen 7 parent 5 top level 5 path @data/units/app/gen-10
ID 260 gen 7 parent 259 top level 259 path @data/units/app/gen-10/other
`

test('what lies below is found with its depth, parents first; its neighbours are not', () => {
  expect(nestedBelow(LISTED, 256)).toEqual([
    { id: 257, path: 'files/nested' },
    { id: 258, path: 'files/nested/in ner' },
  ])
  expect(nestedBelow(LISTED, 258)).toEqual([])
  expect(nestedBelow(LISTED, 999)).toEqual([])
})
