import assert from 'node:assert/strict'
import { release } from './src/release.mjs'
import { settingsFrom } from './src/settings.mjs'

// Reads only: it runs on production as well.
const { webUrl } = settingsFrom(process.env)
async function get(path) {
  const answer = await fetch(new URL(path, webUrl), { signal: AbortSignal.timeout(20_000) })
  const body = await answer.text()
  assert.equal(answer.status, 200, `GET ${path} answered ${answer.status}: ${body.slice(0, 300)}`)
  return body
}

assert.equal(JSON.parse(await get('/version')).release, release, 'another release answers')
await get('/health')
assert.match(await get('/'), /<form class="write"/, 'the page has no form')
await get('/style.css')
const { entries } = JSON.parse(await get('/entries.json?limit=1000'))
if (entries.length > 0) await get(`/cards/${entries[0].id}.svg`)
const file = entries.flatMap((entry) => entry.files).at(-1)
if (file) await get(`/files/${file.id}`)
console.log(`smoke test passed: release ${release}, ${entries.length} entries read`)
