import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { reservePort } from '@caretaker/host/reserved-port.fixture.ts'
import { eventually } from '../support/observe.ts'

/** Debian's registry on the loopback address. Disposing ends it; what it holds stays in its folder. */
export interface Registry extends AsyncDisposable {
  readonly url: string
}

/** How an image is started. Names as in the image format. */
export interface ImageConfig {
  readonly User?: string
  readonly WorkingDir?: string
  readonly Env: readonly string[]
  readonly Entrypoint?: readonly string[]
  readonly Cmd: readonly string[]
  readonly ExposedPorts?: Readonly<Record<string, object>>
}

/** A compressed layer of an image. */
export interface Layer {
  readonly file: string
  readonly digest: string
  readonly size: number
  /** Digest of what is in it uncompressed. */
  readonly diffId: string
}

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'

export async function startRegistry(folder: string, { readOnly = false } = {}): Promise<Registry> {
  const port = await reservePort()
  const url = `http://127.0.0.1:${port}`
  const home = await mkdtemp(join(tmpdir(), 'ct-registry-'))
  const config = join(home, 'config.yml')
  const storage = { filesystem: { rootdirectory: folder }, maintenance: { readonly: { enabled: readOnly } } }
  const http = { addr: `127.0.0.1:${port}`, secret: 'of one test' }
  await writeFile(config, JSON.stringify({ version: 0.1, log: { level: 'error' }, storage, http }))
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  await eventually('the registry answers', async () => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`)
    return (await fetch(`${url}/v2/`).catch(() => undefined))?.ok === true
  })
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
      await rm(home, { recursive: true })
    },
  }
}

/** Packs a folder as a layer, into `file`. Times and order are always the same, so that its digest is. */
export async function packLayer(folder: string, file: string): Promise<Layer> {
  const args = [
    '-C',
    folder,
    '--numeric-owner',
    '--sort=name',
    '--mtime=@0',
    '--exclude=*.map',
    '-cf',
    '-',
    '.',
  ]
  const tar = spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(tar, 'exit')
  const [plain, packed] = [createHash('sha256'), createHash('sha256')]
  let size = 0
  const gzip = createGzip({ level: 1 })
  await pipeline(
    tar.stdout,
    through((part) => void plain.update(part)),
    gzip,
    through((part) => {
      packed.update(part)
      size += part.length
    }),
    createWriteStream(file),
  )
  const [code] = await ended
  if (code !== 0) throw new Error(`tar of ${folder} ended with ${code}`)
  return { file, size, digest: `sha256:${packed.digest('hex')}`, diffId: `sha256:${plain.digest('hex')}` }
}

function through(see: (part: Buffer) => void): Transform {
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      see(part)
      done(null, part)
    },
  })
}

/** Puts an image into the registry. `name` is without a tag, as `library/postgres`. */
export async function pushImage(
  { url }: Registry,
  name: string,
  tag: string,
  layers: readonly Layer[],
  config: ImageConfig,
): Promise<void> {
  const image = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  })
  const imageDigest = `sha256:${createHash('sha256').update(image).digest('hex')}`
  for (const layer of layers) await pushBlob(url, name, layer.digest, () => createReadStream(layer.file))
  await pushBlob(url, name, imageDigest, () => Readable.from([Buffer.from(image)]))
  const type = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: image.length,
      digest: imageDigest,
    },
    layers: layers.map(({ size, digest }) => ({ mediaType: type, size, digest })),
  }
  const put = { method: 'PUT', headers: { 'content-type': MANIFEST }, body: JSON.stringify(manifest) }
  await answered(await fetch(`${url}/v2/${name}/manifests/${tag}`, put))
}

async function pushBlob(url: string, name: string, digest: string, open: () => Readable): Promise<void> {
  if ((await fetch(`${url}/v2/${name}/blobs/${digest}`, { method: 'HEAD' })).ok) return
  const begun = await answered(await fetch(`${url}/v2/${name}/blobs/uploads/`, { method: 'POST' }))
  const place = new URL(begun.headers.get('location') as string, url)
  place.searchParams.set('digest', digest)
  const body = Readable.toWeb(open()) as ReadableStream<Uint8Array>
  await answered(
    await fetch(place, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body,
      duplex: 'half',
    } as RequestInit),
  )
}

async function answered(response: Response): Promise<Response> {
  if (response.ok) return response
  throw new Error(`${response.url} answers ${response.status}: ${await response.text()}`)
}
