import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { settingsFrom } from './src/settings.mjs'

// Writes, so it runs on clones only. It removes what it wrote.
const { webUrl } = settingsFrom(process.env)
const at = (path) => new URL(path, webUrl)
const timeout = () => ({ signal: AbortSignal.timeout(30_000) })

const mark = `<acceptance> ${randomUUID()}`
const content = `A file of ${mark}`
const form = new FormData()
form.set('name', mark)
form.set('message', 'It can be written.')
form.set('file', new Blob([content], { type: 'text/plain' }), 'proof.txt')

const events = await fetch(at('/events'), timeout())
const written = await fetch(at('/entries'), { method: 'POST', body: form, redirect: 'manual', ...timeout() })
assert.equal(written.status, 303, await written.text())
const id = /#entry-(\d+)$/.exec(written.headers.get('location'))[1]
const cookie = written.headers.get('set-cookie').split(';')[0]

let seen = ''
for await (const chunk of events.body.pipeThrough(new TextDecoderStream())) {
  seen += chunk
  if (seen.includes(`id: ${id}\n`)) break
}
assert.ok(seen.includes(`id: ${id}\n`), 'the entry was not announced')

const page = await (await fetch(at('/'), timeout())).text()
assert.ok(
  page.includes(mark.replace('<', '&lt;').replace('>', '&gt;')),
  'the page does not show the entry, escaped',
)
const entry = await (
  await fetch(at(`/entries/${id}`), { headers: { accept: 'application/json' }, ...timeout() })
).json()
assert.equal(await (await fetch(at(`/files/${entry.files[0].id}`), timeout())).text(), content)
assert.equal(
  (await fetch(at(`/entries/${id}`), { method: 'DELETE', ...timeout() })).status,
  403,
  'a stranger may delete',
)
assert.equal(
  (await fetch(at(`/entries/${id}`), { method: 'DELETE', headers: { cookie }, ...timeout() })).status,
  204,
)
assert.equal((await fetch(at(`/files/${entry.files[0].id}`), timeout())).status, 404)
console.log('acceptance test passed: an entry with a file was written, announced, read and deleted')
