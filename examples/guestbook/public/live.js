// New entries appear by themselves on the newest page; without this script the page works the same, on reload.
const list = document.getElementById('entries')
if (list?.dataset.live === 'yes') {
  const status = document.getElementById('live')
  const events = new EventSource(`/events?after=${encodeURIComponent(list.dataset.newest)}`)
  let order = Promise.resolve()
  events.addEventListener('entry', (event) => {
    const { id, name } = JSON.parse(event.data)
    order = order.then(() => show(id, name)).catch(() => undefined)
  })

  async function show(id, name) {
    if (document.getElementById(`entry-${id}`)) return
    const response = await fetch(`/entries/${id}`)
    if (!response.ok) return
    const article = new DOMParser()
      .parseFromString(await response.text(), 'text/html')
      .querySelector('article')
    document.getElementById('empty')?.remove()
    list.prepend(article)
    status.textContent = `${name} has just written.`
  }
}
