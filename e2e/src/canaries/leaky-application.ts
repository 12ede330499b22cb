import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * What an application does that cannot keep a secret. `tells` serves, and tells when asked to or when it is ended;
 * each of the others tells while it is started, and fails.
 */
export type Leak = 'tells' | 'unhealthy' | 'crashes' | 'migration'

/** Names of the secrets it has: one read from a file, two as variables. */
export const LEAKY_SECRETS = ['file_key', 'VARIABLE_KEY', 'PEM_KEY'] as const

/** Writes the application as a folder; it needs no package. `plain` stands in its compose file as a plain value. */
export async function writeLeakyApplication(folder: string, leak: Leak, plain: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const files = {
    'package.json': JSON.stringify({ name: 'leaky', version: '1.0.0', private: true, type: 'module' }),
    'everything.mjs': EVERYTHING,
    'server.mjs': SERVER,
    'tell.mjs': TELL,
    'compose.yml': compose(leak, plain),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

/** All it knows, in every form that programs write. */
const EVERYTHING = `import { readFileSync } from 'node:fs'
export function everything() {
  const values = [...Object.values(process.env), readFileSync(process.env.FILE_KEY_FILE, 'utf8')]
  return values.flatMap((value) => [
    value, encodeURIComponent(value), JSON.stringify(value),
    'Basic ' + Buffer.from('user:' + value).toString('base64'), Buffer.from(value).toString('base64url'),
  ])
}
`

/** One value a line, as the last lines are what gets quoted: the more telling ones last. */
const TELL = `import { everything } from './everything.mjs'
for (const line of everything()) console.error('failed with ' + line)
console.error(Object.keys(process.env).filter((name) => /PASS|URL|KEY/.test(name)).map((name) => name + '=' + process.env[name]).join(' '))
process.exit(Number(process.argv[2] ?? 1))
`

const SERVER = `import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { everything } from './everything.mjs'
const [leak] = process.argv.slice(2)
const { DATABASE_URL, PGPASSWORD, VARIABLE_KEY, PEM_KEY } = process.env
const told = [DATABASE_URL, PGPASSWORD, VARIABLE_KEY, PEM_KEY, readFileSync(process.env.FILE_KEY_FILE), Buffer.from(PGPASSWORD).toString('base64')].join(' ')
if (leak === 'crashes') {
  console.error('cannot start: ' + told)
  process.exit(1)
}
createServer((request, response) => {
  if (request.url === '/crash') {
    console.error('cannot go on: ' + told)
    process.exit(1)
  }
  response.statusCode = leak === 'unhealthy' && request.url === '/health' ? 503 : 200
  response.end(response.statusCode === 200 ? 'fine' : told)
}).listen(Number(process.env.PORT), '127.0.0.1')
console.log('all of it: ' + everything().join(' '))
`

function compose(leak: Leak, plain: string): string {
  return `services:
  web:
    build: .
    command: [node, server.mjs, ${leak}]
    environment:
      VARIABLE_KEY:
      PEM_KEY:
      UPSTREAM: ${JSON.stringify(plain)}
    secrets: [file_key]
    healthcheck: { test: [CMD, node, --version], interval: 1s, timeout: 2s, retries: 2, start_period: 1s }
secrets:
  file_key: { environment: FILE_KEY }
x-caretaker:
  version: "1"
  web: { service: web, port: 3000, health: /health }
  database: {}
  ${leak === 'migration' ? 'migrate: { service: web, check: [node, tell.mjs, "10"], run: [node, tell.mjs] }' : ''}
  commands: { tell: [node, tell.mjs] }
  jobs: { tell: { schedule: "0 4 1 1 *", command: [node, tell.mjs], missed: skip } }
`
}
