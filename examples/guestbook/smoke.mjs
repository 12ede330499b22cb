import { release } from './src/release.mjs'
import { settingsFrom } from './src/settings.mjs'

// Reads only: it runs on production as well.
const { webUrl } = settingsFrom(process.env)
function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise)
}

async function get(path) {
  const answer = await fetch(new URL(path, webUrl), { signal: AbortSignal.timeout(20_000) })
  const body = await answer.text()
  // The message of an error page, which stands in its one section.
  const said = (/<section>(.*?)<\/p>/s.exec(body)?.[1] ?? body)
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 200)
  expect(answer.status === 200, `GET ${path} answered ${answer.status} instead of 200 ("${said}")`)
  return body
}

async function readEverything() {
  const running = JSON.parse(await get('/version')).release
  expect(running === release, `release ${running} answers instead of release ${release}`)
  await get('/health')
  expect((await get('/')).includes('<form class="write"'), 'the page at / has no form to write with')
  await get('/style.css')
  const { entries } = JSON.parse(await get('/entries.json?limit=1000'))
  if (entries.length > 0) await get(`/cards/${entries[0].id}.svg`)
  const file = entries.flatMap((entry) => entry.files).at(-1)
  if (file) await get(`/files/${file.id}`)
  return entries.length
}

try {
  console.log(`smoke test passed: release ${release}, ${await readEverything()} entries read`)
} catch (error) {
  // One line: it is what the person responsible reads.
  console.error(`smoke test failed: ${error.message}`)
  process.exitCode = 1
}
