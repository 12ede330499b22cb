import { AppError } from '@caretaker/kernel/errors.ts'
import { compareConfigs } from './compare.ts'
import { applicationEntry, type NewApplication } from './create.ts'
import { locateApplications, type MappingPlace } from './locate.ts'
import { parseConfig } from './parse.ts'
import { renderEntry } from './render.ts'
import { closest } from './suggest.ts'

export type ApplicationsChange =
  | { readonly action: 'add'; readonly name: string; readonly application: NewApplication }
  | { readonly action: 'remove'; readonly name: string }
  /** Branch, tag or commit of an application from git. */
  | { readonly action: 'set-ref'; readonly name: string; readonly ref: string }

/**
 * The config text with one application added, removed or its `ref` set; every other byte stays as it is.
 * The result is parsed before it is given back.
 * @throws AppError APP_EXISTS, APP_UNKNOWN, USAGE when `applications` is written in one line ("{...}"),
 * or as {@link parseConfig} for the text before or after.
 */
export function editApplications(text: string, change: ApplicationsChange, file = 'appliance.yml'): string {
  const before = parseConfig(text, file).config
  const known = Object.keys(before.applications)
  if (change.action === 'add' && known.includes(change.name)) {
    throw new AppError('APP_EXISTS', {
      what: `The application ${change.name} was not added`,
      why: `${file} has an application with this name`,
      next: `Choose another name, or change its entry in ${file} and type "caretaker up"`,
    })
  }
  if (change.action !== 'add' && !known.includes(change.name)) {
    const near = closest(change.name, known)
    throw new AppError('APP_UNKNOWN', {
      what: `The application ${change.name} was not ${change.action === 'remove' ? 'removed' : 'changed'}`,
      why: `${file} has no application with this name`,
      next: near ? `Did you mean "${near}"?` : '"caretaker app list" shows the applications',
    })
  }
  const place = locateApplications(text)
  if (place.kind === 'inline') {
    throw new AppError('USAGE', {
      what: `${file} was not changed`,
      why: 'its applications are written in one line ("{...}"), which is not edited',
      next: 'Write them in block style, one indented entry per application, then repeat the command',
    })
  }
  const result =
    change.action === 'add'
      ? add(text, place, change.name, change.application)
      : change.action === 'remove'
        ? remove(text, place, change.name)
        : setRef(text, place, change.name, change.ref)
  const changes = compareConfigs(before, parseConfig(result, file).config)
  const own = `caretaker.applications.${change.name}.`
  if (!changes.every(({ key }) => key.startsWith(own)))
    throw new Error('editing one application changed other settings')
  return result
}

function add(
  text: string,
  place: Exclude<MappingPlace, { kind: 'inline' }>,
  name: string,
  application: NewApplication,
): string {
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  const lines = (indent: string): string =>
    renderEntry(name, applicationEntry(application), indent).join(eol) + eol
  if (place.kind === 'absent') {
    const head = text.slice(0, place.insertAt)
    return `${withLineEnd(head, eol)}${place.indent}applications:${eol}${lines(`${place.indent}  `)}${text.slice(place.insertAt)}`
  }
  if (place.kind === 'empty') {
    const head = text.slice(0, place.valueStart).trimEnd()
    const rest = text.slice(place.valueEnd)
    const lineEnd = rest.search(/\r?\n/)
    const [comment, tail] =
      lineEnd < 0 ? [rest, ''] : [rest.slice(0, lineEnd), rest.slice(lineEnd).replace(/^\r?\n/, '')]
    return `${head}${comment.trimEnd()}${eol}${lines(`${place.indent}  `)}${tail}`
  }
  const end = place.entries.at(-1)?.end as number
  return `${withLineEnd(text.slice(0, end), eol)}${lines(place.indent)}${text.slice(end)}`
}

function remove(text: string, place: Exclude<MappingPlace, { kind: 'inline' }>, name: string): string {
  const entry = place.kind === 'block' ? place.entries.find((each) => each.name === name) : undefined
  if (place.kind !== 'block' || entry === undefined) throw new Error(`no entry ${name} to remove`)
  if (place.entries.length > 1) return text.slice(0, entry.start) + text.slice(entry.end)
  return `${text.slice(0, place.keyEnd)} {}${text.slice(place.keyEnd, entry.start)}${text.slice(entry.end)}`
}

function setRef(
  text: string,
  place: Exclude<MappingPlace, { kind: 'inline' }>,
  name: string,
  ref: string,
): string {
  const entry = place.kind === 'block' ? place.entries.find((each) => each.name === name) : undefined
  if (entry === undefined) throw new Error(`no entry ${name} to change`)
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  const old = text.slice(entry.start, entry.end)
  const written = JSON.stringify(ref)
  const changed = /^[ \t]+ref:/m.test(old)
    ? old.replace(/^([ \t]+ref:)[^\r\n]*/m, (_line, key: string) => `${key} ${written}`)
    : old.replace(
        /^([ \t]+)(source:[^\r\n]*)/m,
        (_line, indent: string, source: string) => `${indent}${source}${eol}${indent}ref: ${written}`,
      )
  return text.slice(0, entry.start) + changed + text.slice(entry.end)
}

function withLineEnd(text: string, eol: string): string {
  return text === '' || text.endsWith('\n') ? text : text + eol
}
