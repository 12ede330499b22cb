import { expect, test } from 'vitest'
import { innermost, mountsOf } from './mount-point.ts'

const MOUNTINFO = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /srv rw - ext4 /dev/sda2 rw
31 30 0:40 / /srv/my\\040data\\134x ro - tmpfs none rw
`

test('the innermost mount point above a path is told, whatever its name holds', () => {
  const mounts = mountsOf(MOUNTINFO)
  expect(mounts).toEqual(['/', '/srv', '/srv/my data\\x'])
  expect(innermost(mounts, '/srv/my data\\x/state/facts.json')).toBe('/srv/my data\\x')
  expect(innermost(mounts, '/srv')).toBe('/srv')
  expect(innermost(mounts, '/srvother/x')).toBe('/')
})
