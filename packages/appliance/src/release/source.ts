import { posix } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { Source } from './release.ts'

export interface SourceText {
  /** Folder, archive or git URL, as written in the config or on the command line. */
  readonly text: string
  /** Branch, tag or commit, when it stands apart; else it may follow the URL as `#ref` or `#ref:folder`. */
  readonly ref?: string | undefined
  /** Absolute folder that relative paths count from: that of the config file, or where the command was typed. */
  readonly baseFolder: string
}

const ARCHIVE = /\.(tar|tar\.gz|tgz)$/i
const OTHER_ARCHIVE = /\.(zip|7z|rar|tar\.(bz2|xz|zst|lz))$/i
const GIT_SCHEMES = ['https', 'ssh', 'file']
const IMAGE = /^[a-z0-9._-]+(:\d+)?(\/[a-z0-9._-]+)*(:[\w.-]+|@sha256:[0-9a-f]+)$/i
const REF = /^[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$/
/** user@host:path, which ssh and git understand. */
const SCP_LIKE = /^([A-Za-z0-9_][A-Za-z0-9._-]*)@([A-Za-z0-9][A-Za-z0-9.-]*):([^/:-][^:]*)$/

/**
 * Takes a SOURCE apart by its form alone; nothing is looked at.
 * @throws AppError SOURCE_REFUSED for what is never accepted, NOT_IN_THIS_VERSION for images and remote archives.
 */
export function parseSource({ text, ref, baseFolder }: SourceText): Source {
  // oxlint-disable-next-line no-control-regex
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text))
    throw refuse(text, 'it is empty or holds control characters')
  if (text.startsWith('-')) throw refuse(text, 'it begins with "-" and would be taken for an option')
  if (/^[a-z0-9+.-]+::/i.test(text)) throw refuse(text, 'git helpers ("ext::" and the like) run programs')

  const url = text.replace(/^git\+/i, '')
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase()
  if (scheme !== undefined || SCP_LIKE.test(url.replace(/#.*$/s, ''))) return parseGit(text, url, scheme, ref)
  if (ref !== undefined) {
    throw refuse(
      text,
      'a branch, tag or commit can be chosen for git URLs only',
      'Write the repository as "file:///…", or remove "ref"',
    )
  }
  if (text.startsWith('~')) throw refuse(text, '"~" is not filled in here', 'Write the whole path')
  if (IMAGE.test(text)) throw notBuilt(text, 'Images')
  if (OTHER_ARCHIVE.test(text))
    throw refuse(text, 'archives are read as .tar, .tar.gz or .tgz', 'Pack it again with "tar -czf"')
  const path = posix.resolve(baseFolder, text)
  return { kind: ARCHIVE.test(path) ? 'archive' : 'folder', path }
}

/** The source as one text, as a person would write it. */
export function formatSource(source: Source): string {
  if (source.kind !== 'git') return source.path
  const fragment = [source.ref ?? (source.folder === undefined ? '' : 'HEAD'), source.folder ?? ''].filter(
    (part) => part !== '',
  )
  return fragment.length === 0 ? source.url : `${source.url}#${fragment.join(':')}`
}

function parseGit(text: string, url: string, scheme: string | undefined, ref: string | undefined): Source {
  const [address = '', fragment, ...rest] = url.split('#')
  if (rest.length > 0) throw refuse(text, 'it holds more than one "#"')
  if (scheme === 'docker' || scheme === 'oci') throw notBuilt(text, 'Images')
  if (scheme !== undefined) checkUrl(text, address, scheme)
  const [fragmentRef = '', folder, ...more] = (fragment ?? '').split(':')
  if (more.length > 0) throw refuse(text, 'after "#" it must be "ref" or "ref:folder"')
  if (fragmentRef !== '' && ref !== undefined && fragmentRef !== ref) {
    throw refuse(text, `it names "${fragmentRef}" while "ref" names "${ref}"`, 'Remove one of the two')
  }
  const named = ref ?? fragmentRef
  const wanted = named === '' || named === 'HEAD' ? undefined : named
  if (wanted !== undefined && (!REF.test(wanted) || wanted.includes('..') || wanted.endsWith('.lock'))) {
    throw refuse(text, `"${wanted}" is no branch, tag or commit`)
  }
  return {
    kind: 'git',
    url: address,
    ref: wanted,
    folder: folder === undefined ? undefined : checkFolder(text, folder),
  }
}

function checkUrl(text: string, address: string, scheme: string): void {
  if (!GIT_SCHEMES.includes(scheme)) {
    throw refuse(
      text,
      `"${scheme}://" is not accepted: a source comes over https, ssh or from a file`,
      'Use an https:// or ssh:// URL',
    )
  }
  if (!URL.canParse(address)) throw refuse(text, 'it is no valid URL')
  const { hostname, password, pathname } = new URL(address)
  if (password !== '') {
    throw refuse(
      text,
      'it holds a password, which would be seen in the list of processes',
      'Use ssh:// with a key',
    )
  }
  if (scheme !== 'file' && !/^[A-Za-z0-9[]/.test(hostname)) throw refuse(text, 'it names no host')
  if (scheme === 'file' && hostname !== '')
    throw refuse(text, 'a file URL names no host', 'Write it as "file:///folder"')
  if (scheme === 'https' && (ARCHIVE.test(pathname) || OTHER_ARCHIVE.test(pathname)))
    throw notBuilt(text, 'Archives from the network')
}

function checkFolder(text: string, folder: string): string | undefined {
  const path = posix.normalize(folder).replace(/\/$/, '')
  if (path.startsWith('/') || path.split('/').includes('..'))
    throw refuse(text, `"${folder}" leads out of the repository`)
  return path === '.' || path === '' ? undefined : path
}

function refuse(
  text: string,
  why: string,
  next = 'Name a folder, an archive (.tar.gz) or a git URL',
): AppError {
  return new AppError('SOURCE_REFUSED', {
    what: `"${shorten(text)}" cannot be the source of an application`,
    why,
    next,
  })
}

function notBuilt(text: string, what: string): AppError {
  return new AppError('NOT_IN_THIS_VERSION', {
    what: `"${shorten(text)}" cannot be the source of an application yet`,
    why: `${what} are not built in this version`,
    next: 'Use a folder, a local archive or a git URL',
  })
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}…` : text
}
