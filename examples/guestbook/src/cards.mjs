import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { html } from './html.mjs'

/** The cards of entries: small pictures made from an entry, kept in a folder that may be lost at any time. */
export function openCards(folder) {
  const pathOf = (id) => join(folder, `${id}.svg`)
  const make = async (entry) => {
    const card = drawCard(entry)
    await mkdir(folder, { recursive: true })
    const part = join(folder, `${randomUUID()}.part`)
    await writeFile(part, card)
    await rename(part, pathOf(entry.id))
    return card
  }
  return {
    make,
    /** The card of an entry; `find()` is asked for the entry only if the card has to be made. */
    async get(id, find) {
      try {
        return await readFile(pathOf(id), 'utf8')
      } catch (error) {
        if (error.code !== 'ENOENT') throw error
      }
      const entry = await find()
      return entry && make(entry)
    },
  }
}

function drawCard({ id, name }) {
  const hue = [...name].reduce((sum, character) => sum + (character.codePointAt(0) ?? 0), 0) % 360
  const initials = name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase()
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 44 44" role="img" aria-label="${name}" data-entry="${id}">
<rect width="44" height="44" fill="hsl(${hue} 35% 40%)"/>
<text x="22" y="29" font-family="Georgia, serif" font-size="19" fill="#fff" text-anchor="middle">${initials}</text></svg>
`.toString()
}
