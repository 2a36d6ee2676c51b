/** The file in a ledger's volume. */
export const ENTRIES = 'entries'

/** What the thread that watches an engine's volumes gets. */
export interface WatchedVolumes {
  /** Where the engine keeps them. */
  folder: string
  /** Of the names of those that are ledgers. */
  suffix: string
}
