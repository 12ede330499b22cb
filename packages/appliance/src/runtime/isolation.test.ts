import { expect, it } from 'vitest'
import { cellMounts, enterCellCommand } from './isolation.ts'

it('hides the outermost folders once, shows the outer before the inner, and freezes all but scratch', () => {
  const mounts = cellMounts({
    hide: ['/var/lib/caretaker', '/var/lib/caretaker/data', '/mnt/data'],
    show: [
      { path: '/var/lib/caretaker/data/units/c/files', writable: false },
      { path: '/var/lib/caretaker/data/units/c', writable: true },
    ],
  })
  const told = mounts.map(({ kind, path }) => `${kind} ${path}`)
  expect(told.filter((line) => line.includes('caretaker'))).toEqual([
    'empty /var/lib/caretaker',
    'show /var/lib/caretaker/data/units/c',
    'show /var/lib/caretaker/data/units/c/files',
    'freeze /var/lib/caretaker',
  ])
  expect(told).toContain('empty /tmp')
  expect(told).not.toContain('freeze /tmp')
})

it('a folder whose name only begins like a hidden one is hidden too', () => {
  const told = cellMounts({ hide: ['/srv/a', '/srv/ab'], show: [] }).map(({ path }) => path)
  expect(told.filter((path) => path.startsWith('/srv'))).toEqual(['/srv/a', '/srv/ab', '/srv/a', '/srv/ab'])
})

it('goes inside as the user of the service; without one by the rights over its own namespaces', () => {
  const options = { ownGroup: false }
  const asRoot = enterCellCommand(7, { uid: 5, gid: 6 }, '/app', ['node', 'x'], options)
  expect(asRoot.join(' ')).toBe(
    '/usr/bin/nsenter --target 7 --net --mount --pid --ipc -- /usr/bin/nice --adjustment=10 /usr/bin/env --chdir=/app ' +
      '/usr/bin/setpriv --reuid 5 --regid 6 --clear-groups --no-new-privs -- node x',
  )
  expect(enterCellCommand(7, undefined, '/app', ['node'], options)).toContain('--user')
})
