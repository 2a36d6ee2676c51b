import type { Actor } from '../../shared/authorize.js'
import type { Config } from '../../shared/config/config.js'
import type { Assets } from '../assets.js'

/** What all pages of one server share. */
export interface Site {
  assets: Assets
  /** Something that everybody should know about this server. */
  notice: string | undefined
  /** Who has signed in, for the one who looks at the page. */
  user?: string
}

/** The same for whoever asks for a page. */
export function siteFor(site: Site, actor: Actor): Site {
  if (actor.kind !== 'user') return site
  const { nickName, name, email, userId } = actor.user
  return { ...site, user: nickName || name || email || userId }
}

export function createSite(assets: Assets, { drivers }: Config): Site {
  return { assets, notice: drivers.isFallback ? UNISOLATED : undefined }
}

const UNISOLATED =
  'Steps run on this machine without isolation: no Docker engine answered when the server started. Start one and restart the server, or choose with --driver.'
