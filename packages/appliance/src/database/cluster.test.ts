import { Secret } from '@caretaker/kernel/secrets.ts'
import { describe, expect, test } from 'vitest'
import { appAddress, databaseUrl } from './address.ts'
import { type Cluster, initdbCommand, serverCommand } from './cluster.ts'
import { planPostgresMemory } from './memory.ts'
import { scramVerifier } from './scram.ts'

const programs = { major: 17, initdb: '/p/bin/initdb', postgres: '/p/bin/postgres' } as const

const cluster: Cluster = {
  app: 'guestbook',
  major: 17,
  dataFolder: '/data/units/guestbook/current/postgres',
  runFolder: '/run/caretaker/guestbook',
  logFile: '/log/guestbook/postgres.log',
  owner: { uid: 999, gid: 998 },
  label: { appliance: 'a', app: 'guestbook', service: 'postgres' },
  memory: planPostgresMemory({ memoryBytes: 8 * 1024 ** 3, cpuCount: 4, clusters: 1 }),
}

describe('what Postgres is told', () => {
  test('a new cluster has checksums, scram and an order of strings that no library changes', () => {
    const command = initdbCommand(programs, cluster, '/d', '/pw')
    expect(command).toMatchObject({ file: '/p/bin/initdb', owner: cluster.owner, env: { TZ: 'UTC' } })
    expect(command.args).toEqual([
      '--pgdata=/d',
      '--username=caretaker',
      '--pwfile=/pw',
      '--auth-local=scram-sha-256',
      '--auth-host=scram-sha-256',
      '--data-checksums',
      '--encoding=UTF8',
      '--locale=C',
      '--lc-ctype=C.UTF-8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ])
    const older = initdbCommand({ ...programs, major: 16 }, cluster, '/d', '/pw')
    expect(older.args).not.toContain('--locale-provider=builtin')
  })

  test('the server listens on its socket only and syncs every commit', () => {
    const { args } = serverCommand(programs, cluster)
    expect(args.slice(0, 2)).toEqual(['-D', cluster.dataFolder])
    for (const setting of [
      'listen_addresses=',
      'unix_socket_permissions=0700',
      'fsync=on',
      'max_connections=68',
    ]) {
      expect(args).toContain(setting)
    }
  })

  test('a socket path that the operating system would cut is refused with its length', () => {
    const longest = `/${'r'.repeat(107 - '/.s.PGSQL.5432'.length - 1)}`
    expect(() => serverCommand(programs, { ...cluster, runFolder: longest })).not.toThrow()
    expect(() => serverCommand(programs, { ...cluster, runFolder: `${longest}r` })).toThrow(
      expect.objectContaining({ code: 'SOCKET_PATH_TOO_LONG', why: expect.stringContaining('108 bytes') }),
    )
    // Bytes count, not characters.
    expect(() => serverCommand(programs, { ...cluster, runFolder: longest.replace('rr', 'üü') })).toThrow(
      expect.objectContaining({ code: 'SOCKET_PATH_TOO_LONG' }),
    )
  })
})

test('the URL for an application reads like any other and names the socket folder', () => {
  const url = databaseUrl(appAddress(cluster, new Secret('db', 'p@ss/w rd:1')))
  expect(String(url)).toBe('[secret:database-url]')
  const parsed = new URL(url.reveal())
  expect(decodeURIComponent(parsed.password)).toBe('p@ss/w rd:1')
  expect(parsed.pathname).toBe('/guestbook')
  expect(parsed.searchParams.get('host')).toBe('/run/caretaker/guestbook')
})

test('a password is stored as RFC 7677 says', () => {
  // RFC 7677, section 3: user "user", password "pencil"; the keys as RFC 5803 stores them.
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  expect(scramVerifier('pencil', salt).reveal()).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
})
