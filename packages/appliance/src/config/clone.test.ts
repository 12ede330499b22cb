import { expect, test } from 'vitest'
import { wantedCertificates } from '../certificates/wanted.ts'
import {
  type CloneRecord,
  isCloneHostTaken,
  ownApplications,
  startedApplications,
  withClones,
} from './clone.ts'
import { parseConfig } from './parse.ts'
import { configText } from './testing/fixture.ts'

const { config } = parseConfig(
  configText([
    'applications:',
    '  shop:',
    '    source: ./shop',
    '    aliases: [www.example.org]',
    '    environment: { TITLE: Shop }',
    '    secrets: { session_key: the-key-of-production, mail_key: another-key-of-production }',
    '  wiki: { source: ./wiki }',
  ]),
  'appliance.yml',
)

const CLONE: CloneRecord = {
  name: 'training',
  app: 'shop',
  releaseId: '1-abc',
  pinned: { source: { kind: 'folder', path: '/shop' }, pin: 'sha256:abc' },
  createdAt: '2026-06-01T10:00:00.000Z',
  expiresAt: '2026-06-04T10:00:00.000Z',
  hosts: ['training.example.org'],
  allowOutside: false,
  why: 'person',
  state: 'ready',
  scrubbed: true,
  rebuilt: true,
}
const secretsOf = (clone: CloneRecord) =>
  Object.fromEntries(
    Object.entries(withClones(config, [clone]).applications[clone.name]?.secrets ?? {}).map(
      ([name, secret]) => [name, secret.reveal()],
    ),
  )

test.each([
  ['training', 'training', true],
  ['training', 'mail-training', true],
  ['mail-training', 'training', true],
  ['training', 'training-2', false],
  ['training', 'appliance', true],
  ['training', 'mail-trial', false],
])('beside the clone %s the host names of a clone %s: taken %j', (name, wanted, isTaken) => {
  const known = withClones(config, [{ ...CLONE, name, hosts: [`${name}.example.org`] }])
  expect(isCloneHostTaken(known, wanted)).toBe(isTaken)
})

test('a clone is an application with the variables of its origin, at its own host only', () => {
  const { applications } = withClones(config, [CLONE])
  expect(Object.keys(applications)).toEqual(['shop', 'wiki', 'training'])
  expect(applications['training']).toMatchObject({
    hosts: ['training.example.org'],
    aliases: [],
    environment: { TITLE: 'Shop' },
  })
  expect(config.applications['training']).toBeUndefined()
})

test('its secrets are its own: none of the origin, none of another clone, the same at every look', () => {
  const secrets = secretsOf(CLONE)
  expect(Object.keys(secrets)).toEqual(['session_key', 'mail_key'])
  expect(
    new Set([...Object.values(secrets), 'the-key-of-production', 'another-key-of-production']).size,
  ).toBe(4)
  expect(secretsOf(CLONE)).toEqual(secrets)
  expect(secretsOf({ ...CLONE, createdAt: '2026-06-02T10:00:00.000Z' })).not.toEqual(secrets)
  expect(secrets['session_key']).toMatch(/^[\w-]{43}$/)
})

test('clones that are gone are gone, also from a config that had them; so are those whose origin is gone', () => {
  const had = withClones(config, [CLONE])
  expect(Object.keys(withClones(had, []).applications)).toEqual(['shop', 'wiki'])
  expect(Object.keys(withClones(had, [{ ...CLONE, app: 'blog' }]).applications)).toEqual(['shop', 'wiki'])
  expect(Object.keys(ownApplications(had))).toEqual(['shop', 'wiki'])
})

test('only one that is ready is started like any application', () => {
  const started = (state: CloneRecord['state']) =>
    startedApplications(withClones(config, [{ ...CLONE, state }])).includes('training')
  expect([started('making'), started('copied'), started('ready'), started('removing')]).toEqual([
    false,
    false,
    true,
    false,
  ])
})

test('no certificate is ordered for it', () => {
  expect(wantedCertificates(withClones(config, [CLONE]))).toEqual(wantedCertificates(config))
})

test.each([
  ['name', { ...CLONE, name: 'wiki', hosts: ['other.example.org'] }],
  ['host', { ...CLONE, hosts: ['wiki.example.org'] }],
  ['alias', { ...CLONE, hosts: ['www.example.org'] }],
])('a config that has come to use its %s is refused, and says how to go on', (_what, clone) => {
  expect(() => withClones(config, [clone])).toThrow(
    expect.objectContaining({
      code: 'CONFIG_CONFLICT',
      next: expect.stringContaining(`caretaker clone remove ${clone.name}`),
    }),
  )
})
