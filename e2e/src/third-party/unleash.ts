import { expectStatus, type Visitor } from './client.ts'

/** Logs in with name and password; gives the cookie of the session. */
export async function logIn(visit: Visitor, password: string): Promise<string> {
  const answer = await visit('/auth/simple/login', { json: { username: 'admin', password } })
  return expectStatus(answer, 200, 'Unleash lets the administrator in').cookies.join('; ')
}

export async function createFlag(visit: Visitor, cookie: string, name: string): Promise<void> {
  const answer = await visit('/api/admin/projects/default/features', {
    headers: { cookie },
    json: { name, type: 'release', description: 'made by a test' },
  })
  expectStatus(answer, 201, 'Unleash makes a flag')
}

export async function flagNames(visit: Visitor, cookie: string): Promise<readonly string[]> {
  const answer = await visit('/api/admin/projects/default/features', { headers: { cookie } })
  const { features } = expectStatus(answer, 200, 'Unleash lists its flags').json<{
    features: readonly { name: string }[]
  }>()
  return features.map(({ name }) => name)
}
