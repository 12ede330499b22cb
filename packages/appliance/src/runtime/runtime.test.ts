import { Secret } from '@caretaker/kernel/secrets.ts'
import { describe, expect, it } from 'vitest'
import { DEFAULT_STOP } from './defaults.ts'
import { type ServiceSpec, specHash } from './runtime.ts'

const SPEC: ServiceSpec = {
  app: 'shop',
  service: 'web',
  releaseId: '1-abc',
  command: ['node', 'server.mjs'],
  cwd: '/shop',
  env: { PORT: '3000', TOKEN: new Secret('token', 'one') },
  owner: undefined,
  logFile: '/logs/web.log',
  stop: DEFAULT_STOP,
  health: undefined,
  restart: 'always',
}

describe('specHash', () => {
  it('is the same for the same wish, in another order and another process', () => {
    const { env } = SPEC
    const reordered = Object.fromEntries(Object.entries({ ...env }).toReversed())
    expect(specHash({ ...SPEC, env: { ...reordered, TOKEN: new Secret('other name', 'one') } })).toBe(
      specHash(SPEC),
    )
    expect(specHash(SPEC)).toMatch(/^[0-9a-f]{16}$/)
  })

  it.each<[string, Partial<ServiceSpec>]>([
    ['command', { command: ['node', 'other.mjs'] }],
    ['folder', { cwd: '/other' }],
    ['release', { releaseId: '2-def' }],
    ['environment', { env: { ...SPEC.env, PORT: '3001' } }],
    ['rotated secret', { env: { ...SPEC.env, TOKEN: new Secret('token', 'two') } }],
    ['user', { owner: { uid: 5, gid: 5 } }],
  ])('changes with the %s', (_name, change) => {
    expect(specHash({ ...SPEC, ...change })).not.toBe(specHash(SPEC))
  })

  it.each<[string, Partial<ServiceSpec>]>([
    ['grace time', { stop: { ...DEFAULT_STOP, graceMs: 1 } }],
    ['log', { logFile: '/elsewhere' }],
    ['restart policy', { restart: 'no' }],
  ])('does not change with the %s, which needs no new process', (_name, change) => {
    expect(specHash({ ...SPEC, ...change })).toBe(specHash(SPEC))
  })

  it('follows the revision instead of the command where there is one', () => {
    const small: ServiceSpec = { ...SPEC, command: ['postgres', 'shared_buffers=16MB'], revision: '17' }
    const large: ServiceSpec = { ...small, command: ['postgres', 'shared_buffers=64MB'] }
    expect(specHash(large)).toBe(specHash(small))
    expect(specHash({ ...large, revision: '18' })).not.toBe(specHash(small))
  })
})
