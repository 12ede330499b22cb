import { createHash, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'

const PLACES = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]

/** The Chromium of this machine, or undefined. $CHROMIUM names another one. */
export const CHROMIUM = PLACES.find((path) => path !== undefined && existsSync(path))

/** Told when the tests are skipped. */
export const NO_CHROMIUM =
  'no Chromium here: install it ("apt-get install chromium") or name it with CHROMIUM=/path'

export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext
}

/**
 * A browser with an empty profile that trusts the authority in `caFile`, and otherwise nothing but what it would anyway.
 * It looks nothing up and calls nobody home.
 */
export async function openBrowser(caFile: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'ct-chromium-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM as string,
    headless: true,
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--ignore-certificate-errors-spki-list=${await keyHash(caFile)}`,
    ],
  })
  return {
    context,
    async [Symbol.asyncDispose]() {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}

/** Base64 of the SHA-256 of the public key, as Chromium wants it. */
async function keyHash(caFile: string): Promise<string> {
  const key = new X509Certificate(await readFile(caFile)).publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(key).digest('base64')
}
