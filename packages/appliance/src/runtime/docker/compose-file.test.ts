import { Secret } from '@caretaker/kernel/secrets.ts'
import { expect, it } from 'vitest'
import { DEFAULT_STOP } from '../defaults.ts'
import { type ContainedSpec, composeFile } from './compose-file.ts'
import { secretVariables } from './enter.ts'
import { wordsOf } from './words.ts'

const SPEC: ContainedSpec = {
  app: 'shop',
  service: 'web',
  releaseId: '1-abc',
  command: ['node', 'server.mjs', '$HOME'],
  cwd: '/app',
  env: { PORT: '3000', PRICE: '$5', TOKEN: new Secret('token', "a'b $c") },
  owner: undefined,
  logFile: '/logs/web.log',
  stop: DEFAULT_STOP,
  health: undefined,
  restart: 'always',
  container: {
    image: 'shop@sha256:00',
    volumes: [{ name: 'files', folder: '/data/files', target: '/files', readOnly: false }],
    binds: [{ from: '/secrets/key', to: '/run/secrets/key', readOnly: true }],
    settings: { mem_limit: '512m' },
  },
}
const WISH = {
  applianceId: '6a87d439-fe46-400a-8bd7-a91b50fcfc50',
  spec: SPEC,
  caller: '7.99',
  busybox: '/usr/bin/busybox',
  secretFile: '/secrets/.containers/shop.web',
  reaches: ['a' as const],
}

function serviceIn(wish: Parameters<typeof composeFile>[0]) {
  const { service, file } = composeFile(wish)
  const { services } = file as { services: Record<string, Record<string, unknown>> }
  return services[service] as Record<string, unknown>
}

it('holds no secret, publishes nothing, starts nothing by itself, and takes dollars as they are', () => {
  const text = JSON.stringify(composeFile(WISH).file)
  expect(text).not.toContain('b $c')
  const service = serviceIn(WISH)
  expect(service.environment).toEqual({ PORT: '3000', PRICE: '$$5' })
  expect(service).toMatchObject({
    image: 'shop@sha256:00',
    mem_limit: '512m',
    restart: 'no',
    healthcheck: { disable: true },
    logging: { options: { 'max-size': '10485760', 'max-file': '3' } },
  })
  expect(service).not.toHaveProperty('ports')
  expect((service.entrypoint as string[]).slice(-4)).toEqual(['caretaker', 'node', 'server.mjs', '$$HOME'])
})

it('needs nothing before the command when no variable is a secret', () => {
  const service = serviceIn({ ...WISH, spec: { ...SPEC, env: {} }, secretFile: undefined })
  expect(service.entrypoint).toEqual(['node', 'server.mjs', '$$HOME'])
})

it('gives a one-off command a name of its own, and not the address of the service', () => {
  const once = { ...WISH, once: { id: 'abc' }, command: ['node', 'count.mjs'] }
  expect(composeFile(once).service).toBe('run-abc')
  expect(serviceIn(once)).toMatchObject({ networks: { 'slot-a': {} }, logging: { driver: 'none' } })
})

it('writes secret variables so that a shell reads exactly them', () => {
  expect(secretVariables(SPEC)).toBe(`export TOKEN='a'\\''b $c'\n`)
  expect(secretVariables({ env: { PORT: '1' } })).toBeUndefined()
})

it('takes commands that are texts apart without a shell', () => {
  expect(wordsOf(`node "a b.js" --x='1 2' $HOME`)).toEqual(['node', 'a b.js', '--x=1 2', '$HOME'])
})

it('is in networks that are there, and found by its name in all of them', () => {
  const { file } = composeFile({ ...WISH, reaches: ['a', 'b'] })
  expect(file).toMatchObject({
    networks: {
      'slot-a': { name: 'caretaker-6a87d439-shop', external: true },
      'slot-b': { name: 'caretaker-6a87d439-shop_b', external: true },
    },
  })
  expect(serviceIn({ ...WISH, reaches: ['a', 'b'] })).toMatchObject({
    networks: { 'slot-a': { aliases: ['web'] }, 'slot-b': { aliases: ['web'] } },
  })
})
