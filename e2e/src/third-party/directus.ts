import { expectStatus, type Visitor } from './client.ts'

/** Logs in with mail address and password; gives the header that later requests need. */
export async function logIn(visit: Visitor, password: string): Promise<Readonly<Record<string, string>>> {
  const answer = await visit('/auth/login', { json: { email: 'admin@example.com', password } })
  const { data } = expectStatus(answer, 200, 'Directus lets the administrator in').json<{
    data: { access_token: string }
  }>()
  return { authorization: `Bearer ${data.access_token}` }
}

/** Uploads a file; gives its id. */
export async function upload(
  visit: Visitor,
  headers: Readonly<Record<string, string>>,
  name: string,
  bytes: Uint8Array,
): Promise<string> {
  const form = new FormData()
  form.set('file', new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }), name)
  const encoded = new Response(form)
  const answer = await visit('/files', {
    headers: { ...headers, 'content-type': encoded.headers.get('content-type') as string },
    body: new Uint8Array(await encoded.arrayBuffer()),
  })
  return expectStatus(answer, 200, 'Directus keeps a file').json<{ data: { id: string } }>().data.id
}

export async function download(
  visit: Visitor,
  headers: Readonly<Record<string, string>>,
  id: string,
): Promise<Buffer> {
  return expectStatus(await visit(`/assets/${id}?download`, { headers }), 200, 'Directus gives a file').bytes
}
